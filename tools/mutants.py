#!/usr/bin/env python3
"""Tests the tests: breaks one line of the code after the other, and looks whether they notice.

    tools/mutants.py [--count 300] [--seed 1] [--runs 350] [--only handler/lease] [--jobs N]

Each mutant is a copy of one file with one line changed: a condition inverted, a bound off by one,
a call left out, an error taken for success, two statements swapped. First one of these kinds is
drawn, then a place. What surely changes nothing does not count: two statements that come to the
same in either order (commuting.py), and what compiles to the same code. A mutant is caught if a
unit test of its folder under AddressSanitizer (a call that frees something leaves a leak), or one
of 350 runs of the simulation, fails, crashes or hangs. Prints every survivor, and at the end how
many were caught; 95 % must be. Processor time and runs are counted, so that load changes nothing.
`make mutants` builds what this needs.
"""

import argparse
import collections
import concurrent.futures
import itertools
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

import commuting

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = tuple(f"handler/{name}" for name in ("inventory", "lease", "storage", "identity", "http"))
ENOUGH_PERCENT = 95
HANGS_AFTER_S = 60  # a program that takes longer than this, if load is not the reason
LONGEST_S = 6 * 3600
TIMED_OUT = (124, 137)  # exit codes of `timeout`
RUNS_AT_FIRST = 10  # of the simulation: most of what it notices, it notices in these
PROGRESS_S = 20
ENVIRONMENT = os.environ | {
    "LEASEHOLD_ROOT": str(ROOT),
    "CK_FORK": "no",  # five times as fast, and what hangs or crashes is over at once
    "ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1",
}
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


def swap_statements(line, following, _draw):
    statement = re.compile(r"^(\s+)[a-z_*(].*;$")
    first, second = statement.match(line), statement.match(following)
    is_pair = first and second and first[1] == second[1] and not NOT_MUTATED.match(following)
    return [following, line] if is_pair else None


MUTATIONS = (invert_condition, shift_bound, leave_out_call, take_error_for_success, swap_statements)


def is_worth_trying(mutation, lines, number):
    """False for two members of a struct, and for statements that come to the same in any order."""
    if mutation is not swap_statements:
        return True
    function = commuting.function_around(lines, number)
    return function and not commuting.commute(lines[number], lines[number + 1], function)


def mutants_by_kind(only, draw):
    """For each kind, each mutation: (file, line number, lines replaced, replacement, kind)."""
    found = {mutation.__name__: [] for mutation in MUTATIONS}
    for path in sorted(path for folder in FOLDERS for path in (ROOT / folder).glob("*.c")):
        if only and only not in str(path.relative_to(ROOT)):
            continue
        lines = path.read_text(encoding="utf-8").split("\n")
        for number in range(len(lines) - 1):
            if NOT_MUTATED.match(lines[number]):
                continue
            for mutation in MUTATIONS:
                new = mutation(lines[number], lines[number + 1], draw)
                if new is not None and is_worth_trying(mutation, lines, number):
                    kind = mutation.__name__
                    found[kind].append((path, number, len(new), new, kind))
    return found


def drawn_evenly(by_kind, draw):
    """All of them in the order in which they are tried: first a kind is drawn, then a place."""
    for mutants in by_kind.values():
        draw.shuffle(mutants)
    while left := [mutants for mutants in by_kind.values() if mutants]:
        yield draw.choice(left).pop()


# ---- one mutant ----

class Build:
    """One VARIANT of `make`: how it compiles a file and links programs."""

    def __init__(self, variant, programs, never_waits):
        self.never_waits = never_waits  # its programs, for the time or for others
        self.folder = ROOT / "build" / variant
        flags = asked_of_make(variant, "--silent", "print-compile-flags").split()
        self.flags = [flag.replace("-Ihandler", f"-I{ROOT}/handler") for flag in flags]
        self.links = self._link_commands(variant, [self.folder / program for program in programs])
        self.originals = {}
        self.parts = {program: parts_of(program) for program in self.links}

    def _link_commands(self, variant, programs):
        targets = [str(program.relative_to(ROOT)) for program in programs]
        printed = asked_of_make(variant, "--dry-run", "--always-make", *targets)
        linker = " -fuse-ld=gold" if shutil.which("ld.gold") else ""  # three times as fast
        commands = {}
        for line in printed.replace("\\\n", " ").split("\n"):
            found = re.search(r" -o (build/\S+/tests/\S+) ", line)
            if found and " -c " not in line and ROOT / found[1] in programs:
                commands[ROOT / found[1]] = line.lstrip("@") + linker + " -Wl,--strip-debug"
        return commands

    def _compile(self, path, lines, into):
        """The object file, or None. Nothing in it depends on where it was compiled."""
        into.mkdir()
        (into / path.name).write_text("\n".join(lines), encoding="utf-8")
        command = ["gcc", *self.flags, "-w", "-g0", f"-I{path.parent}", "-c", path.name]
        return into / f"{path.stem}.o" if run(command, cwd=into) == 0 else None

    def compile(self, mutant, into):
        """The object file of the mutant.

        None if it is no mutant, since it does not compile, or to the same code.
        """
        path, number, count, new, _kind = mutant
        lines = path.read_text(encoding="utf-8").split("\n")
        if path not in self.originals:
            original = self._compile(path, lines, into.with_suffix(".original"))
            self.originals[path] = original.read_bytes()
        lines[number: number + count] = new
        compiled = self._compile(path, lines, into)
        is_mutant = compiled and compiled.read_bytes() != self.originals[path]
        return compiled if is_mutant else None

    def link(self, program, mutated):
        """The program with this object file in place of the library's."""
        out = mutated.parent / program.name
        command = self.links[program].replace(f" -o {program.relative_to(ROOT)} ", f" -o {out} ")
        library = f"{self.folder.relative_to(ROOT)}/libhandler.a"
        command = command.replace(library, f"{mutated} {library}")
        if run(["sh", "-c", command]) != 0:
            sys.exit(f"mutants: this does not link: {command}")
        return out


def parts_of(program):
    """The names of the source files that are linked into the program."""
    symbols = subprocess.run(["readelf", "--symbols", "--wide", str(program)], check=True,
                             capture_output=True, text=True).stdout
    return set(re.findall(r" FILE +LOCAL +DEFAULT +ABS (\S+)", symbols))


def asked_of_make(variant, *arguments):
    return subprocess.run(["make", "--no-print-directory", f"VARIANT={variant}", *arguments],
                          cwd=ROOT, check=True, capture_output=True, text=True).stdout


def run(command, seconds=LONGEST_S, cwd=ROOT):
    """Its exit code. SIGTERM lets a test program end its children as well."""
    limited = ["timeout", "--kill-after=5", str(seconds), *command]
    nowhere = subprocess.DEVNULL
    return subprocess.run(limited, cwd=cwd, env=ENVIRONMENT, stdout=nowhere, stderr=nowhere,
                          check=False).returncode


class Step:
    """A program that may notice a mutant."""

    noticed = collections.Counter()  # how many mutants, by program and file
    seconds = collections.Counter()  # how long the program took when it last noticed nothing

    def __init__(self, build, program, arguments=(), cpu_s=60):
        """One that uses up `cpu_s` of the processor's time has fallen into a loop without end."""
        self.build, self.program, self.cpu_s = build, program, cpu_s
        self.arguments = list(arguments)

    @classmethod
    def rank(cls, program, path):
        """Smallest for what has noticed mutants of this file, and then for what is quick."""
        return -cls.noticed[program, f"{path.stem}.o"], cls.seconds[program], program

    def _run(self, program, seconds):
        limit = ["prlimit", f"--cpu={self.cpu_s}:{self.cpu_s + 5}"]
        return run([*limit, "setarch", "-R", str(program), *self.arguments], seconds)

    def _has_hung(self, seconds):
        """Whether a time that was too short for a mutant is long for the program without it.

        Then it waits for what never comes. Load alone would hold up both.
        """
        return seconds >= LONGEST_S or self._run(self.program, seconds / 8) not in TIMED_OUT

    def notices(self, mutated):
        """Whether the program with this object file in it fails, crashes or hangs."""
        program = self.build.link(self.program, mutated)
        begun = time.monotonic()
        seconds = LONGEST_S if self.build.never_waits else HANGS_AFTER_S
        while (code := self._run(program, seconds)) in TIMED_OUT and not self._has_hung(seconds):
            seconds *= 4
        if code not in (0, *TIMED_OUT) and not self.build.never_waits:
            code = self._run(program, seconds)  # a busy machine may fail a test once
        program.unlink()
        if code == 0:
            self.seconds[self.program] = time.monotonic() - begun
        self.noticed[self.program, mutated.name] += code != 0
        return code != 0


def unit_programs(folder):
    sources = (ROOT / "tests/unit" / pathlib.Path(folder).name).glob("test_*.c")
    return sorted(source.with_suffix("").relative_to(ROOT) for source in sources)


def steps_for(path, simulation, units, options):
    """What to run, in this order: what is quick and likely to notice first.

    The test of the file's name, a little of the simulation, the folder's other tests that link the
    file, and then the rest of the simulation.
    """
    own, others = [], []
    for program in sorted(units.links, key=lambda program: Step.rank(program, path)):
        if program.parent.name == path.parent.name and path.name in units.parts[program]:
            is_own = program.name.startswith(f"test_{path.stem}")
            (own if is_own else others).append(Step(units, program))
    little, rest = [], []
    (program,) = simulation.links
    if path.name in simulation.parts[program]:
        first = min(RUNS_AT_FIRST, options.runs)
        parts = (little, 0, first), (rest, first, options.runs - first)
        for part, before, runs in parts:
            if runs > 0:
                arguments = ["--first", "--seed", str(options.seed + before), "--runs", str(runs)]
                part.append(Step(simulation, program, arguments, cpu_s=20 + runs))
    return own + little + others + rest


def is_caught(mutant, simulation, units, options):
    """True, False, or None if it is no mutant."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        simulated = simulation.compile(mutant, folder / "simulation")
        tested = simulated and units.compile(mutant, folder / "units")
        if not tested:
            return None
        steps = steps_for(mutant[0], simulation, units, options)
        return any(step.notices(tested if step.build is units else simulated) for step in steps)


# ---- all of them ----

def parse_options():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, default=350, help="of the simulation for each mutant")
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
        self.wanted, self.caught, self.survived, self.equal = wanted, 0, 0, 0
        self.begun = self.told = time.monotonic()

    def total(self):
        return self.caught + self.survived

    def percent(self):
        return 100 * self.caught / max(1, self.total())

    def add(self, mutant, is_caught_or_none):
        self.caught += is_caught_or_none is True
        self.survived += is_caught_or_none is False
        self.equal += is_caught_or_none is None
        if is_caught_or_none is False:
            show_survivor(mutant)
        if time.monotonic() - self.told >= PROGRESS_S:
            self.told = time.monotonic()
            print(f"mutants: {self.told - self.begun:.0f} s: {self.total()} of {self.wanted}, "
                  f"{self.survived} survived", flush=True)


def try_mutants(mutants, options, tally):
    simulation = Build("release", ["tests/simulation/simulate"], never_waits=True)
    tests = [program for folder in FOLDERS for program in unit_programs(folder)]
    units = Build("asan", tests, never_waits=False)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        waiting = {}
        while tally.total() < tally.wanted:
            free = min(options.jobs, tally.wanted - tally.total()) - len(waiting)
            for mutant in itertools.islice(mutants, free):
                waiting[pool.submit(is_caught, mutant, simulation, units, options)] = mutant
            if not waiting:
                break
            first = concurrent.futures.FIRST_COMPLETED
            for done in concurrent.futures.wait(waiting, return_when=first).done:
                tally.add(waiting.pop(done), done.result())


def main():
    options = parse_options()
    draw = random.Random(options.seed)
    tally = Tally(options.count)
    try_mutants(drawn_evenly(mutants_by_kind(options.only, draw), draw), options, tally)
    is_enough = tally.percent() >= ENOUGH_PERCENT
    print(f"mutants: {tally.equal} more did not compile, or to the same code\n"
          f"mutants: {tally.caught} of {tally.total()} caught, {tally.percent():.1f} %: "
          f"{'enough' if is_enough else 'too few'}, since {ENOUGH_PERCENT} % must be")
    sys.exit(0 if is_enough else 1)


if __name__ == "__main__":
    main()
