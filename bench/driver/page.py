"""docs/performance.md's part that is made from bench/results/: tables, and plots that gnuplot draws."""

import json
import statistics
import subprocess

from . import report, scenarios

BEGIN, END = "<!-- made from bench/results/ by bench/report.py: begin -->", "<!-- end -->"
SWEEPS = (("clients", "callers"), ("reservations", "reservations of the product"), ("products", "products"))
NAMES = {"ours": "Leasehold", "go": "Go (SDK's leases)", "go-raw": "Go (by hand)", "node": "Node", "csharp": "C#"}


def load(folder, storage="fake"):
    """{scenario's name: what its file says} of those that were measured."""
    return {path.stem[len(storage) + 1:]: json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(folder.glob(f"{storage}-*.json"))}


def _contenders(runs):
    found = {run["contender"] for run in runs}
    return [name for name in NAMES if name in found] + sorted(found - set(NAMES))


def _about(about):
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    cut = f" of {about['run_ms']} ms" if about.get("run_ms") else ""
    return (f"Measured on {about['date']}: {about['machine']}; {about['system']}; {versions}; {about['rounds']} "
            f"{'round' if about['rounds'] == 1 else 'rounds'}{cut}; ours is "
            f"{'the static executable of `make package`' if about['ours'] == 'package' else 'the executable of `make`'}.")


def _groups(results):
    return [(group, label) for group, label in SWEEPS
            if any(s.group == group and s.name in results for s in scenarios.SWEEPS)]


def text(results):
    """The Markdown between the marks."""
    if not results:
        return "Nothing has been measured yet: `ROUNDS=5 SCENARIOS=all make bench`."
    runs = [run for result in results.values() for run in result["runs"]]
    against = next(iter(results.values()))["about"]["against"]
    shown = [s for s in scenarios.TABLE if s.name in results]
    names = _contenders(runs)
    parts = list(dict.fromkeys(_about(result["about"]) for result in results.values()))
    if shown:
        parts += [f"Ratios to {NAMES[against]}: the median, and in brackets the least and the most of all rounds. Bold: an aim is missed.",
                  report.ratio_table(runs, shown, names, against), "What was measured, in its units (medians). " + report.LEGEND,
                  report.figure_table(runs, shown, names)]
        for lines in (report.fairness(runs, shown, names), report.against_base(runs, shown)):
            parts += ["- " + line for line in lines.split("\n") if line]
        missed = report.misses(runs, shown, against)
        parts.append("Where ours is behind its aims:" if missed else "Every aim is met.")
        if missed:
            parts.append("\n".join("- " + line for line in missed))
    parts += [f"![Answers a second by {label}](bench-{group}.svg)" for group, label in _groups(results)]
    return "\n\n".join(parts)


def merge(page, made):
    """The page with that text between its marks."""
    before, rest = page.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n\n{made}\n\n{END}{after}"


def _series(results, group):
    """{contender: [(point, median of answers a second)]}"""
    found = {}
    for scenario in scenarios.SWEEPS:
        if scenario.group == group and scenario.name in results:
            runs = results[scenario.name]["runs"]
            for name, rounds in report.by_contender(runs, scenario).items():
                rates = [run["throughput"] for run in rounds.values()]
                found.setdefault(name, []).append((scenario.point, statistics.median(rates)))
    return found


def draw(results, folder):
    """One plot for each sweep that was measured. Returns the names of the files."""
    drawn = []
    for group, label in _groups(results):
        series = _series(results, group)
        name = f"bench-{group}.svg"
        order = [contender for contender in NAMES if contender in series]
        plots = ", ".join(f"'-' using 1:2 with linespoints linewidth {3 if c == 'ours' else 1} title \"{NAMES[c]}\"" for c in order)
        data = "".join("".join(f"{x} {y}\n" for x, y in series[c]) + "e\n" for c in order)
        points = [x for x, _ in series[order[0]]]
        script = (f"set terminal svg size 720,400 font 'sans,12' background 'white'\nset output '{folder / name}'\n"
                  f"set logscale x\nset xrange [{points[0] / 1.5}:{points[-1] * 1.5}]\nset xtics ({', '.join(map(str, points))})\n"
                  f"set xlabel '{label}'\nset ylabel 'answers a second'\nset yrange [0:*]\n"
                  f"set key outside right\nset grid\nplot {plots}\n{data}")
        subprocess.run(["gnuplot"], input=script, text=True, check=True)
        drawn.append(name)
    return drawn
