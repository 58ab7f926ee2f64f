"""What #include <leat/leat.hpp> costs: seconds to compile at -O2, and bytes of the object, beside the same file without it."""

import resource
import subprocess
import time

PROGRAM = """
struct tick { long at; double price; };
double use(const char* store) {
  const auto topic = leat::store::open(store).topic<tick>("ticks");
  leat::producer out{topic};
  leat::consumer in{topic};
  out.send(tick{1, 2.5}).value();
  double sum = 0;
  for (const auto& record : in.poll()) sum += record.value().price;
  return sum;
}
"""

SOURCES = {
    "without": "int main() { return 0; }\n",
    "included": "#include <leat/leat.hpp>\nint main() { return 0; }\n",
    "included, a producer and a consumer used": "#include <leat/leat.hpp>\n" + PROGRAM + "int main() { return 0; }\n",
}


def compile_once(compiler, include, source, obj):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    subprocess.run([compiler, "-std=c++20", "-O2", "-I", str(include), "-c", str(source), "-o", str(obj)], check=True)
    elapsed = time.monotonic() - begin
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(compiler, include, scratch, repetitions):
    elapsed = {name: [] for name in SOURCES}
    cpu = {name: [] for name in SOURCES}
    size = {}
    for _ in range(repetitions):
        for number, (name, text) in enumerate(SOURCES.items()):
            source = scratch / f"include_{number}.cpp"
            source.write_text(text)
            obj = source.with_suffix(".o")
            took, used = compile_once(compiler, include, source, obj)
            elapsed[name].append(took)
            cpu[name].append(used)
            size[name] = obj.stat().st_size
    results = []
    for name in SOURCES:
        common = {"program": "include_cost", "name": "leat.hpp", "variant": name}
        results.append(dict(common, kind="compile", unit="s", values=elapsed[name], cpu=sorted(cpu[name])[len(cpu[name]) // 2]))
        results.append(dict(common, kind="object", unit="bytes", values=[size[name]]))
    return results
