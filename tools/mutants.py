#!/usr/bin/env python3
"""Tests the tests: breaks one line of the code after the other, and looks whether they notice.

    tools/mutants.py [--count 300] [--seed 1] [--seconds 20] [--only handler/lease]

Each mutant is a copy of one file with one line changed: a condition inverted, a bound off by one, a call left out, an error
taken for success, two statements swapped. It is caught if the simulation, or a unit test of its folder under AddressSanitizer
(a call that frees something leaves a leak), fails, crashes or hangs. Prints every survivor, and at the end how many were
caught. `make mutants` builds what this needs.
"""

import argparse
import concurrent.futures
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ("handler/inventory", "handler/lease", "handler/storage")
HANG_FACTOR = 4  # a run that takes so many times as long as it may hangs
NOT_MUTATED = re.compile(r"^\s*(/?\*|//|#|assert\(|log_event\()")  # comments, the preprocessor, assertions, log lines


# ---- mutations: each takes a line (and the next) and gives what takes its place, or None ----

def invert_condition(line, _next, _draw):
    found = re.match(r"^(\s*(?:\} else )?(?:if|while) \()(.*)(\) \{)$", line)
    return [f"{found[1]}!({found[2]}){found[3]}"] if found else None


def shift_bound(line, _next, draw):
    places = list(re.finditer(r" (<=|>=|<|>) | ([+-]) 1\b", line))
    if not places:
        return None
    place = draw.choice(places)
    other = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
    new = f" {other[place[1]]} " if place[1] else ""
    return [line[: place.start()] + new + line[place.end():]]


def leave_out_call(line, _next, _draw):
    return [";"] if re.match(r"^\s+[a-z_]+(->[a-z_]+)*\(.*\);$", line) else None


def take_error_for_success(line, _next, _draw):
    if "status != STATUS_OK" in line:
        return [line.replace("status != STATUS_OK", "false", 1)]
    if "status == STATUS_OK" in line:
        return [line.replace("status == STATUS_OK", "true", 1)]
    return [line.replace("return status;", "return STATUS_OK;")] if "return status;" in line else None


def swap_statements(line, following, _draw):
    statement = re.compile(r"^\s+[a-z_*(].*;$")
    indent = len(line) - len(line.lstrip())
    is_declaration = re.compile(r"^\s+(const|struct|enum|static|bool|char|int|int64_t|size_t|double|unsigned) ")
    if is_declaration.match(line) or is_declaration.match(following):  # mostly it is all one which comes first
        return None
    fits = statement.match(line) and statement.match(following) and len(following) - len(following.lstrip()) == indent
    return [following, line] if fits and not re.match(r"^\s+(return|break|case|goto)\b", line + following) else None


MUTATIONS = (invert_condition, shift_bound, leave_out_call, take_error_for_success, swap_statements)


def all_mutants(only, draw):
    """Every mutation of every line: (file, line number, lines that it replaces, replacement, kind)."""
    found = []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).glob("*.c")):
            if only and only not in str(path.relative_to(ROOT)):
                continue
            lines = path.read_text(encoding="utf-8").split("\n")
            for number in range(len(lines) - 1):
                if NOT_MUTATED.match(lines[number]):
                    continue
                for mutation in MUTATIONS:
                    new = mutation(lines[number], lines[number + 1], draw)
                    if new is not None:
                        found.append((path, number, len(new) if mutation is swap_statements else 1, new, mutation.__name__))
    return found


# ---- one mutant ----

class Build:
    """One VARIANT of `make`: how it compiles a file and links its test programs."""

    def __init__(self, variant, programs):
        self.folder = ROOT / "build" / variant
        self.programs = [self.folder / program for program in programs]
        self.flags = [flag.replace("-Ihandler", f"-I{ROOT}/handler")
                      for flag in asked_of_make(variant, "--silent", "print-compile-flags").split()]
        self.links = self._link_commands(variant)

    def _link_commands(self, variant):
        targets = [str(program.relative_to(ROOT)) for program in self.programs]
        printed = asked_of_make(variant, "--dry-run", "--always-make", *targets).replace("\\\n", " ")
        commands = {}
        for line in printed.split("\n"):
            found = re.search(r" -o (build/\S+/tests/\S+) ", line)
            if found and " -c " not in line and ROOT / found[1] in self.programs:
                commands[ROOT / found[1]] = line.lstrip("@")
        return commands

    def compile(self, mutant, into):
        """The archive with the mutant's object in place of the file's; None if it does not compile."""
        path, number, count, new, _kind = mutant
        lines = path.read_text(encoding="utf-8").split("\n")
        lines[number: number + count] = new
        into.mkdir()
        source, compiled, archive = into / path.name, into / f"{path.stem}.o", into / "libhandler.a"
        source.write_text("\n".join(lines), encoding="utf-8")
        if not ends_well(["gcc", *self.flags, "-w", f"-I{path.parent}", "-c", "-o", str(compiled), str(source)]):
            return None
        shutil.copy(self.folder / "libhandler.a", archive)
        subprocess.run(["ar", "r", str(archive), str(compiled)], check=True, stderr=subprocess.DEVNULL)
        return archive

    def link(self, program, archive):
        """The program with the archive; None if it does not link."""
        out = archive.parent / program.name
        command = self.links[program].replace(f" -o {program.relative_to(ROOT)} ", f" -o {out} ")
        command = command.replace(f"{self.folder.relative_to(ROOT)}/libhandler.a", str(archive))
        return out if ends_well(["sh", "-c", command]) else None


def asked_of_make(variant, *arguments):
    return subprocess.run(["make", "--no-print-directory", f"VARIANT={variant}", *arguments], cwd=ROOT, check=True,
                          capture_output=True, text=True).stdout


def ends_well(command, seconds=300, **more):
    """Whether it ends with 0 in its time. The output is thrown away."""
    try:
        return subprocess.run(command, timeout=seconds, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
                              check=False, **more).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def unit_programs(path):
    """Those of the file's folder; first the one that has its name."""
    folder = f"tests/unit/{path.parent.name}/"
    found = [source.with_suffix("") for source in (ROOT / folder).glob("test_*.c")]
    found.sort(key=lambda program: (program.name != f"test_{path.stem}", program.name))
    return [program.relative_to(ROOT) for program in found]


def is_caught(mutant, simulation, units, options):
    """True, False, or None for one that does not compile."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        simulated, tested = simulation.compile(mutant, folder / "simulation"), units.compile(mutant, folder / "units")
        if simulated is None or tested is None:
            return None
        environment = os.environ | {"LEASEHOLD_ROOT": str(ROOT), "LEASEHOLD_BIN": str(units.folder / "bin"),
                                    "CK_DEFAULT_TIMEOUT": "60", "ASAN_OPTIONS": "detect_leaks=1"}
        steps = [(units, units.folder / program, []) for program in unit_programs(mutant[0])]
        steps.insert(1, (simulation, simulation.programs[0],
                         ["--seconds", str(options.seconds), "--seed", str(options.seed), "--first"]))
        for build, program, arguments in steps:
            built = build.link(program, simulated if build is simulation else tested)
            if built is None:
                return None
            limit = HANG_FACTOR * max(options.seconds, 60)
            if not ends_well(["setarch", "-R", str(built), *arguments], limit, env=environment):
                return True
    return False


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=20, help="of simulation for each mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="mutate only files with this in their paths")
    return parser.parse_args()


def show_progress(begun, caught, survived, options):
    print(f"mutants: {time.monotonic() - begun:.0f} s: {caught + survived} of {options.count}, {survived} survived", flush=True)


def show_survivor(mutant):
    path, number, count, new, kind = mutant
    old = path.read_text(encoding="utf-8").split("\n")[number: number + count]
    print(f"mutants: SURVIVED {path.relative_to(ROOT)}:{number + 1}: {kind}")
    print("\n".join([f"    - {line.strip()}" for line in old] + [f"    + {line.strip()}" for line in new]), flush=True)


def main():
    options = parse_options()
    draw = random.Random(options.seed)
    mutants = all_mutants(options.only, draw)
    draw.shuffle(mutants)
    simulation = Build("release", ["tests/simulation/simulate"])
    tests = {program for folder in FOLDERS for program in unit_programs(ROOT / folder / "any.c")}
    units = Build("asan", sorted(tests))
    caught = survived = 0
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {}
        while caught + survived < options.count and (mutants or waiting):
            while mutants and len(waiting) < options.jobs:
                mutant = mutants.pop()
                waiting[pool.submit(is_caught, mutant, simulation, units, options)] = mutant
            for done in concurrent.futures.wait(waiting, return_when=concurrent.futures.FIRST_COMPLETED).done:
                mutant, result = waiting.pop(done), done.result()
                caught += result is True
                survived += result is False
                if result is False:
                    show_survivor(mutant)
                if result is not None and (caught + survived) % 10 == 0:
                    show_progress(begun, caught, survived, options)
    print(f"mutants: {100 * caught / max(1, caught + survived):.1f} % caught\n{caught} passed, {survived} failed")


if __name__ == "__main__":
    main()
