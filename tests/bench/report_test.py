"""bench/report.py draws what was measured: medians, goals that are reached and missed, and nothing outside its markers."""

import pathlib
import sys
import tempfile
import unittest
import xml.dom.minidom

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import report
import run
import svg_plot


def latencies(kind, name, p50, **fields):
    percentiles = {"p50": p50, "p90": p50 + 10, "p99": p50 + 20, "p99.9": p50 + 30, "p99.99": p50 + 40, "max": p50 + 50}
    return {"kind": kind, "name": name, "unit": "ns", "samples": 10000, "sustained": True, "percentiles": [percentiles] * 3,
            "histogram": [[p50, 5000], [p50 + 10, 4000], [p50 + 40, 1000]], **fields}


def throughput(name, values, size=32, producers=1, **fields):
    return {"kind": "throughput", "name": name, "unit": "M/s", "bytes": size, "producers": producers, "consumers": 1,
            "values": values, **fields}


def canned(*results):
    return {"command": "./run bench", "date": "2030-01-02", "quick": False, "revision": "abc", "repetitions": 3,
            "machine": {"processor": "P", "cores": 2, "caches": "L1 32K", "memory_gib": 8, "virtual": False, "kernel": "K",
                        "load_before": 0.1},
            "compiler": {"version": "C 1", "flags": "-O3"}, "missing": {"ZeroMQ": "libzmq3-dev"}, "text": {}, "failed": [],
            "results": list(results)}


USUAL = (throughput("ring", [300, 100, 200]), throughput("leat", [50, 99, 100], variant="any writers"),
         throughput("leat", [70, 90, 80], size=64, variant="any writers"),
         throughput("pipe", [1, 3, 2], variant="a write a message"), throughput("pipe", [9, 30, 20], variant="a write a batch"),
         throughput("leat", [40, 41, 42], producers=2, variant="any writers"),
         latencies("round_trip", "raw cache line", 100, bytes=8),
         latencies("round_trip", "leat", 114, bytes=64, variant="any writers"),
         latencies("round_trip", "pipe", 2000, bytes=64, variant="a write a message"))


def rows(page, beginning):
    return [line for line in page.splitlines() if line.startswith("| " + beginning)]


class report_test(unittest.TestCase):
    def test_tables_have_medians_and_ranges(self):
        page, _ = report.generated(canned(*USUAL))
        self.assertIn("| ring | 200 (100 to 300) | – |", page)
        self.assertIn("| leat, any writers | 2 | 1 | 41 (40 to 42) |", page)

    def test_of_a_benchmark_that_was_repeated_only_the_median_is_taken(self):
        def entry(time, **more):
            return {"name": "append", "run_name": "append", "time_unit": "ns", "real_time": time, "cpu_time": time, **more}

        found = {"benchmarks": [entry(9, run_type="iteration", repetition_index=0), entry(5, run_type="iteration"),
                                *(entry(time, run_type="aggregate", name="append_" + name, aggregate_name=name)
                                  for name, time in (("mean", 7), ("median", 6), ("stddev", 1)))]}
        self.assertEqual([(r["name"], r["values"]) for r in run.google_results("operations", found)], [("append", [6])])

    def test_goals_are_reached_or_missed_by_their_figures(self):
        row = "round trip of 64 B, spinning, any writers: p50"
        page, _ = report.generated(canned(*USUAL))
        self.assertIn("| 1.14 | reached |", rows(page, row)[0])
        self.assertIn("| 99 M/s | reached |", rows(page, "one producer, one consumer, 32 B, any writers")[0])
        slow = [dict(r) for r in USUAL]
        slow[-2] = latencies("round_trip", "leat", 116, bytes=64, variant="any writers")
        page, _ = report.generated(canned(*slow))
        self.assertIn("| 1.16 | **missed** |", rows(page, row)[0])

    def test_what_was_not_measured_is_not_reached(self):
        page, _ = report.generated(canned(*USUAL))
        self.assertIn("not measured", rows(page, "opening a topic")[0])
        self.assertNotIn("reached", rows(page, "opening a topic")[0])

    def test_a_peer_counts_with_its_best_variant(self):
        page, drawn = report.generated(canned(*USUAL))
        # 99 against 20, not against 2
        self.assertIn("pipe at 32 B (throughput, 5.0)", rows(page, "against those that cross the kernel")[0])
        self.assertIn("throughput_by_size.svg", drawn)

    def test_what_is_missing_and_what_failed_is_said(self):
        joined = canned(*USUAL)
        joined["failed"] = ["machine"]
        page, _ = report.generated(joined)
        self.assertIn("Not compared with ZeroMQ", page)
        self.assertIn("`bench_machine` failed", page)

    def test_only_what_is_between_the_markers_changes(self):
        with tempfile.TemporaryDirectory() as folder:
            docs = pathlib.Path(folder)
            page = docs / "benchmarks.md"
            page.write_text(f"by hand\n{report.BEGIN}\nold\n{report.END}\nby hand, too\n")
            for _ in range(2):
                report.write(canned(*USUAL), docs, page)
                text = page.read_text()
                self.assertTrue(text.startswith(f"by hand\n{report.BEGIN}\n"))
                self.assertTrue(text.endswith(f"\n{report.END}\nby hand, too\n"))
                self.assertNotIn("\nold\n", text)
            for name in ("round_trips.svg", "throughput_by_size.svg", "throughput_by_producers.svg"):
                xml.dom.minidom.parse(str(docs / "benchmarks" / name))
                self.assertIn(f"(benchmarks/{name})", text)
            page.write_text("no markers\n")
            with self.assertRaises(SystemExit):
                report.write(canned(*USUAL), docs, page)

    def test_labels_do_not_overlap(self):
        places = svg_plot.spread([100, 101, 99, 300, 299], 15, 50, 300)
        ordered = sorted(places)
        self.assertTrue(all(b - a >= 15 for a, b in zip(ordered, ordered[1:])), places)
        self.assertTrue(all(50 <= p <= 300 for p in places), places)
        self.assertLess(places[2], places[0])

    def test_a_curve_has_the_percentiles_of_its_histogram(self):
        points = dict(report.curve([[10, 500], [20, 400], [30, 99], [99, 1]], 1000))
        self.assertEqual(points[min(points)], 10)
        self.assertEqual(points[min(points, key=lambda p: abs(p - 1))], 20)
        self.assertEqual(points[min(points, key=lambda p: abs(p - 3))], 30)


if __name__ == "__main__":
    unittest.main()
