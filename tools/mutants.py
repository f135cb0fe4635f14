#!/usr/bin/env python3
"""Tests the tests: breaks one line of the code after the other, and looks whether they notice.

    tools/mutants.py [--count 300] [--seed 1] [--seconds 20] [--only handler/lease] [--jobs N]

Each mutant is a copy of one file with one line changed: a condition inverted, a bound off by one,
a call left out, an error taken for success, two statements swapped. One that compiles to the same
code as the original does not count. A mutant is caught if the simulation, or a unit test of its
folder under AddressSanitizer (a call that frees something leaves a leak), fails, crashes or hangs.
Prints every survivor, and at the end how many were caught; 95 % must be. `make mutants` builds what
this needs.
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
ENOUGH_PERCENT = 95
HANGS_AFTER_S = 60  # a test program that takes longer than this; the slowest takes some 10 s
PROGRESS_S = 20
NOT_MUTATED = re.compile(r"^\s*(/?\*|//|#|assert\(|log_event\()")


# ---- mutations: each takes a line and the next, and returns what takes its place, or None ----

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
    return [";"] if re.match(r"^\s+[a-z_0-9]+(->[a-z_0-9]+)*\(.*\);$", line) else None


def take_error_for_success(line, _next, _draw):
    if "status != STATUS_OK" in line:
        return [line.replace("status != STATUS_OK", "false", 1)]
    if "status == STATUS_OK" in line:
        return [line.replace("status == STATUS_OK", "true", 1)]
    if "return status;" in line:
        return [line.replace("return status;", "return STATUS_OK;")]
    return None


def places_written(statement):
    """By a plain assignment; none if more may happen: a call, or a write or read through '*'."""
    plain = re.sub(r"\(struct \w+\)\{", "{", statement.strip())
    return [] if re.search(r"[(*]|\+\+|--", plain) else plain.split(" = ")[:-1]


def are_independent(first, second):
    """Whether both are plain assignments that come to the same in either order."""
    places, others = places_written(first), places_written(second)
    fields = [{re.split(r"->|\.", place)[-1] for place in some} for some in (places, others)]
    is_read = any(place in second for place in places) or any(place in first for place in others)
    return bool(places and others) and not is_read and fields[0].isdisjoint(fields[1])


def swap_statements(line, following, _draw):
    statement = re.compile(r"^(\s+)[a-z_*(].*;$")
    first, second = statement.match(line), statement.match(following)
    is_pair = first and second and first[1] == second[1]
    return [following, line] if is_pair and not are_independent(line, following) else None


MUTATIONS = (invert_condition, shift_bound, leave_out_call, take_error_for_success, swap_statements)


def all_mutants(only, draw):
    """Every mutation of every line: (file, line number, lines replaced, replacement, kind)."""
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
                        count = len(new) if mutation is swap_statements else 1
                        found.append((path, number, count, new, mutation.__name__))
    return found


# ---- one mutant ----

class Build:
    """One VARIANT of `make`: how it compiles a file and links its test programs."""

    def __init__(self, variant, programs):
        self.folder = ROOT / "build" / variant
        self.programs = [self.folder / program for program in programs]
        flags = asked_of_make(variant, "--silent", "print-compile-flags").split()
        self.flags = [flag.replace("-Ihandler", f"-I{ROOT}/handler") for flag in flags]
        self.links = self._link_commands(variant)
        self.originals = {}

    def _link_commands(self, variant):
        targets = [str(program.relative_to(ROOT)) for program in self.programs]
        printed = asked_of_make(variant, "--dry-run", "--always-make", *targets)
        commands = {}
        for line in printed.replace("\\\n", " ").split("\n"):
            found = re.search(r" -o (build/\S+/tests/\S+) ", line)
            if found and " -c " not in line and ROOT / found[1] in self.programs:
                commands[ROOT / found[1]] = line.lstrip("@")
        return commands

    def _compile(self, path, lines, into):
        """The object file, or None. Nothing in it depends on where it was compiled."""
        into.mkdir()
        (into / path.name).write_text("\n".join(lines), encoding="utf-8")
        command = ["gcc", *self.flags, "-w", "-g0", f"-I{path.parent}", "-c", path.name]
        return into / f"{path.stem}.o" if ends_well(command, cwd=into) else None

    def compile(self, mutant, into):
        """The archive with the mutant in place of the file.

        None if it is no mutant, since it does not compile, or to the same code.
        """
        path, number, count, new, _kind = mutant
        lines = path.read_text(encoding="utf-8").split("\n")
        if path not in self.originals:
            original = self._compile(path, lines, into.with_suffix(".original"))
            self.originals[path] = original.read_bytes()
        lines[number: number + count] = new
        compiled = self._compile(path, lines, into)
        if compiled is None or compiled.read_bytes() == self.originals[path]:
            return None
        archive = into / "libhandler.a"
        shutil.copy(self.folder / "libhandler.a", archive)
        ends_well(["ar", "r", str(archive), str(compiled)])
        return archive

    def link(self, program, archive):
        """The program with the archive; None if it does not link."""
        out = archive.parent / program.name
        command = self.links[program].replace(f" -o {program.relative_to(ROOT)} ", f" -o {out} ")
        command = command.replace(f"{self.folder.relative_to(ROOT)}/libhandler.a", str(archive))
        return out if ends_well(["sh", "-c", command]) else None


def asked_of_make(variant, *arguments):
    return subprocess.run(["make", "--no-print-directory", f"VARIANT={variant}", *arguments],
                          cwd=ROOT, check=True, capture_output=True, text=True).stdout


def ends_well(command, seconds=HANGS_AFTER_S, cwd=ROOT, env=None):
    """Whether it ends with 0 in its time. SIGTERM lets a test program end its children as well."""
    limited = ["timeout", "--kill-after=5", str(seconds), *command]
    nowhere = subprocess.DEVNULL
    ended = subprocess.run(limited, cwd=cwd, env=env, stdout=nowhere, stderr=nowhere, check=False)
    return ended.returncode == 0


def unit_programs(path):
    """Those of the file's folder; first the one that has its name."""
    sources = (ROOT / "tests/unit" / path.parent.name).glob("test_*.c")
    programs = [source.with_suffix("").relative_to(ROOT) for source in sources]
    return sorted(programs, key=lambda program: (program.name != f"test_{path.stem}", program.name))


def is_caught(mutant, simulation, units, options):
    """True, False, or None if it is no mutant."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        simulated = simulation.compile(mutant, folder / "simulation")
        tested = simulated and units.compile(mutant, folder / "units")
        if not tested:
            return None
        environment = os.environ | {"LEASEHOLD_ROOT": str(ROOT), "CK_DEFAULT_TIMEOUT": "60",
                                    "ASAN_OPTIONS": "detect_leaks=1"}
        limit = HANGS_AFTER_S + options.seconds
        simulate = ["--seconds", str(options.seconds), "--seed", str(options.seed), "--first"]
        steps = [(units, units.folder / test, tested, []) for test in unit_programs(mutant[0])]
        steps.insert(1, (simulation, simulation.programs[0], simulated, simulate))
        for build, program, archive, arguments in steps:
            built = build.link(program, archive)
            if built is None:
                return None
            if not ends_well(["setarch", "-R", str(built), *arguments], limit, env=environment):
                return True
            built.unlink()
    return False


# ---- all of them ----

def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=20, help="of simulation for each mutant")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only", help="mutate only files with this in their paths")
    return parser.parse_args()


def show_survivor(mutant):
    path, number, count, new, kind = mutant
    old = path.read_text(encoding="utf-8").split("\n")[number: number + count]
    print(f"mutants: SURVIVED {path.relative_to(ROOT)}:{number + 1}: {kind}")
    changes = [f"    - {line.strip()}" for line in old] + [f"    + {line.strip()}" for line in new]
    print("\n".join(changes), flush=True)


class Tally:
    def __init__(self, wanted):
        self.wanted, self.caught, self.survived = wanted, 0, 0
        self.begun = self.told = time.monotonic()

    def total(self):
        return self.caught + self.survived

    def add(self, mutant, is_caught_or_none):
        self.caught += is_caught_or_none is True
        self.survived += is_caught_or_none is False
        if is_caught_or_none is False:
            show_survivor(mutant)
        if time.monotonic() - self.told >= PROGRESS_S:
            self.told = time.monotonic()
            print(f"mutants: {self.told - self.begun:.0f} s: {self.total()} of {self.wanted}, "
                  f"{self.survived} survived", flush=True)


def try_mutants(mutants, options, tally):
    simulation = Build("release", ["tests/simulation/simulate"])
    tests = {program for folder in FOLDERS for program in unit_programs(ROOT / folder / "any.c")}
    units = Build("asan", sorted(tests))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {}
        while tally.total() < tally.wanted and (mutants or waiting):
            while mutants and len(waiting) < min(options.jobs, tally.wanted - tally.total()):
                mutant = mutants.pop()
                waiting[pool.submit(is_caught, mutant, simulation, units, options)] = mutant
            first = concurrent.futures.FIRST_COMPLETED
            for done in concurrent.futures.wait(waiting, return_when=first).done:
                tally.add(waiting.pop(done), done.result())


def main():
    options = parse_options()
    draw = random.Random(options.seed)
    mutants = all_mutants(options.only, draw)
    draw.shuffle(mutants)
    tally = Tally(min(options.count, len(mutants)))
    try_mutants(mutants, options, tally)
    percent = 100 * tally.caught / max(1, tally.total())
    print(f"mutants: {percent:.1f} % caught\n{tally.caught} passed, {tally.survived} failed")
    sys.exit(0 if percent >= ENOUGH_PERCENT else 1)


if __name__ == "__main__":
    main()
