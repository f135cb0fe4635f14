#!/usr/bin/env python3
"""Measures Leasehold beside the same program in Go, Node and C#: each contender in turn, interleaved over the rounds.

    bench/bench.py                                             what `make bench` runs
    bench/bench.py --scenarios hot,spread-slow --rounds 3      some of them
    bench/bench.py --contender before=PATH --contender go      other handlers of ours, or some of the peers

Ends with 1 where a contender is disqualified, and with --strict where an aim is missed, too.
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import replace

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

# pylint: disable=wrong-import-position
from driver import machine, report, scenarios  # noqa: E402
from driver.contenders import Contender  # noqa: E402
from driver.measure import measure  # noqa: E402

BUILT = ROOT / "build" / "bench"
TOOLS = {"fake": str(ROOT / "build/release/bench/fake_storage"), "load": str(ROOT / "build/release/bench/load"),
         "azurite": str(ROOT / "node_modules/.bin/azurite")}


def own_handler():
    """What `make package` has made, where it is there (`make bench` brings it up to date); else what `make` has."""
    package, release = ROOT / "build/package/bin/handler", ROOT / "build/release/bin/handler"
    return package if package.exists() else release


def known_contenders():
    found = {"ours": Contender("ours", (str(own_handler()),), True)}
    if (BUILT / "go").exists():
        found["go"] = Contender("go", (str(BUILT / "go"),), False)
        found["go-raw"] = Contender("go-raw", (str(BUILT / "go"),), False, {"RAW_LEASES": "1"})
    if (ROOT / "bench/peers/node/node_modules").exists():
        found["node"] = Contender("node", ("node", str(ROOT / "bench/peers/node/peer.mjs")), False)
    if (BUILT / "csharp/peer").exists():
        found["csharp"] = Contender("csharp", (str(BUILT / "csharp/peer"),), False)
    return found


def chosen_contenders(words):
    known = known_contenders()
    chosen = {} if words else known
    for word in words or ():
        name, _, path = word.partition("=")
        if path:
            chosen[name] = Contender(name, (os.path.abspath(path),), True)
        elif name in known:
            chosen[name] = known[name]
        else:
            raise SystemExit(f"bench: no contender {name}: {', '.join(known)}, or NAME=PATH of a handler")
    return chosen


class Progress:
    """Says every 10 s what is being measured, and how many measurements there are."""

    def __init__(self, count):
        self.what, self.done, self.count, self.begun = "", 0, count, time.monotonic()
        threading.Thread(target=self._say, daemon=True).start()

    def _say(self):
        while True:
            time.sleep(10)
            print(f"bench: {time.monotonic() - self.begun:.0f} s: {self.done + 1} of {self.count}: {self.what}", flush=True)


def run_all(chosen, contenders, options):
    """Each scenario in each round, each contender in each of them; every round another one begins."""
    names, runs = list(contenders), []
    progress = Progress(options.rounds * len(chosen) * len(names))
    folder = tempfile.mkdtemp(prefix="bench-")
    for round_number in range(1, options.rounds + 1):
        for scenario in chosen:
            at = round_number % len(names)
            for name in names[at:] + names[:at]:
                if scenario.ours_only and not contenders[name].is_ours:
                    progress.done += 1
                    continue
                progress.what = f"round {round_number} of {options.rounds}: {scenario.title}: {name}"
                run = {"scenario": scenario.name, "contender": name, "round": round_number}
                try:
                    run |= measure(contenders[name], scenario, options.storage, TOOLS, folder, round_number)
                except (RuntimeError, OSError, ValueError, KeyError) as trouble:
                    run["error"] = f"{trouble} (see {folder})"
                runs.append(run)
                progress.done += 1
    return runs


def write_results(runs, chosen, storage, about):
    """A file for each scenario that was measured."""
    folder = ROOT / "bench/results"
    folder.mkdir(exist_ok=True)
    for scenario in chosen:
        own = [run for run in runs if run["scenario"] == scenario.name]
        path = folder / f"{storage}-{scenario.name}.json"
        path.write_text(json.dumps({"about": about, "runs": own}, indent=1) + "\n", encoding="utf-8")


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenarios", default="table", help="table, sweeps, all, or names with commas (table)")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--run-ms", type=int, help="measure for so long in each run, for a quick look")
    parser.add_argument("--storage", choices=("fake", "azurite"), default="fake")
    parser.add_argument("--contender", action="append", help="ours, go, node, csharp, or NAME=PATH of a handler")
    parser.add_argument("--against", help="what the ratios are to (go, or else the last contender)")
    parser.add_argument("--publish", action="store_true", help="write bench/results/, from which docs/performance.md is made")
    parser.add_argument("--strict", action="store_true", help="end with 1 where an aim is missed")
    return parser.parse_args()


def main():
    options = parse_options()
    contenders = chosen_contenders(options.contender)
    chosen = scenarios.select(options.scenarios.split(","))
    if options.storage == "azurite":
        chosen = [s for s in chosen if not s.delay_us and not s.seeded_by_storage]
    if options.run_ms:
        chosen = [replace(s, run_ms=options.run_ms, warm_ms=min(s.warm_ms, options.run_ms)) for s in chosen]
    against = options.against or ("go" if "go" in contenders else list(contenders)[-1])
    for name, contender in contenders.items():
        print(f"bench: {name} is {' '.join(contender.command)}")
    runs = run_all(chosen, contenders, options)
    about = machine.describe(ROOT) | {"storage": options.storage, "rounds": options.rounds, "against": against,
                                             "run_ms": options.run_ms, "ours": "package" if "package" in str(own_handler()) else "release"}
    if options.publish:
        write_results(runs, chosen, options.storage, about)
        subprocess.run([ROOT / "bench/report.py"], check=True)
    for table in (report.figure_table(runs, chosen, contenders), report.ratio_table(runs, chosen, contenders, against)):
        print(f"\n{report.align(table)}")
    print(f"\n{report.LEGEND}\n{report.fairness(runs, chosen, contenders)}\n{report.against_base(runs, chosen)}")
    missed = report.misses(runs, chosen, against)
    for line in missed:
        print(f"behind: {line}")
    bad = [f"{run['scenario']}: {run['contender']}: {reason}" for run in runs
           for reason in ([run["error"]] if "error" in run else run["faults"])]
    for line in dict.fromkeys(bad):
        print(f"disqualified: {line}")
    return 1 if bad or (options.strict and missed) else 0


if __name__ == "__main__":
    sys.exit(main())
