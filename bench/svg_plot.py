"""A line plot as SVG, on a white card, so that it can be read on any page. Axes are linear or logarithmic, and say so."""

import html
import math

WIDTH, HEIGHT = 860, 480
LEFT, RIGHT, TOP, BOTTOM = 76, 236, 56, 64
FONT = 'font-family="system-ui, sans-serif"'


class Line:
    def __init__(self, name, points, colour, width=1.6, dash=""):
        self.name, self.points, self.colour, self.width, self.dash = name, points, colour, width, dash


def escape(text):
    return html.escape(str(text), quote=True)


def number(value):
    """At most three digits that say something."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def decades(low, high):
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**e for e in range(first, last + 1)]


def linear_ticks(high):
    step = 10 ** math.floor(math.log10(high))
    for factor in (0.2, 0.25, 0.5, 1, 2):
        if high / (step * factor) <= 7:
            step *= factor
            break
    return [i * step for i in range(math.ceil(high / step) + 1)]


def spread(places, gap, low, high):
    """Moves labels apart that would overlap; keeps their order."""
    order = sorted(range(len(places)), key=lambda i: places[i])
    moved = list(places)
    for before, after in zip(order, order[1:]):
        moved[after] = max(moved[after], moved[before] + gap)
    if order and moved[order[-1]] > high:
        moved[order[-1]] = high
        for after, before in zip(reversed(order), list(reversed(order))[1:]):
            moved[before] = min(moved[before], moved[after] - gap)
    return [max(low, m) for m in moved]


def plot(title, subtitle, lines, x_label, y_label, x_ticks, y_log, y_name=number):
    """`x_ticks`: (place, text) from left to right. Points are (place, value), places on the same scale as the ticks'."""
    lines = [line for line in lines if line.points]
    x_low, x_high = x_ticks[0][0], x_ticks[-1][0]
    values = [v for line in lines for _, v in line.points if v > 0]
    y_ticks = decades(min(values), max(values)) if y_log else linear_ticks(max(values))
    y_low, y_high = y_ticks[0], y_ticks[-1]

    def x_at(place):
        return LEFT + (place - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT)

    def y_at(value):
        if y_log:
            part = math.log10(max(value, y_low) / y_low) / math.log10(y_high / y_low)
        else:
            part = (value - y_low) / (y_high - y_low)
        return HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
           f'role="img" aria-label="{escape(title)}">',
           f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8" fill="#ffffff" stroke="#c8c8c8"/>',
           f'<text x="{LEFT}" y="24" {FONT} font-size="16" font-weight="600" fill="#1a1a1a">{escape(title)}</text>',
           f'<text x="{LEFT}" y="42" {FONT} font-size="12" fill="#555555">{escape(subtitle)}</text>']
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    for tick in y_ticks:
        y = y_at(tick)
        out.append(f'<line x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" {FONT} font-size="12" text-anchor="end" '
                   f'fill="#333333">{escape(y_name(tick))}</text>')
    for place, text in x_ticks:
        x = x_at(place)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}" stroke="#eeeeee"/>')
        out.append(f'<text x="{x:.1f}" y="{bottom + 18}" {FONT} font-size="12" text-anchor="middle" '
                   f'fill="#333333">{escape(text)}</text>')
    out.append(f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#666666"/>')
    out.append(f'<text x="{(LEFT + right) / 2:.0f}" y="{HEIGHT - 20}" {FONT} font-size="13" text-anchor="middle" '
               f'fill="#333333">{escape(x_label)}</text>')
    middle = (TOP + bottom) / 2
    scale = ", logarithmic" if y_log else ""
    out.append(f'<text x="18" y="{middle:.0f}" {FONT} font-size="13" text-anchor="middle" fill="#333333" '
               f'transform="rotate(-90 18 {middle:.0f})">{escape(y_label + scale)}</text>')

    ends = [y_at(line.points[-1][1]) for line in lines]
    labels = spread(ends, 15, TOP + 4, bottom)
    for line, end, label in zip(lines, ends, labels):
        path = " ".join(f"{x_at(p):.1f},{y_at(v):.1f}" for p, v in line.points)
        dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{line.colour}" stroke-width="{line.width}"'
                   f'{dash} stroke-linejoin="round"/>')
        if len(line.points) < 12:
            for p, v in line.points:
                out.append(f'<circle cx="{x_at(p):.1f}" cy="{y_at(v):.1f}" r="{line.width + 1:.1f}" fill="{line.colour}"/>')
        x = x_at(line.points[-1][0])
        out.append(f'<path d="M{x:.1f} {end:.1f}L{right + 12} {label:.1f}" fill="none" stroke="{line.colour}" '
                   f'stroke-width="0.7" stroke-dasharray="1 3"/>')
        weight = ' font-weight="600"' if line.width > 2 else ""
        out.append(f'<text x="{right + 16}" y="{label + 4:.1f}" {FONT} font-size="12"{weight} '
                   f'fill="{line.colour}">{escape(line.name)}</text>')
    out.append("</svg>")
    return "\n".join(out) + "\n"
