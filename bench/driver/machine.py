"""On what, with what and when it was measured."""

import datetime
import os
import platform
import re
import shutil
import subprocess


def _first_line(*command, cwd=None):
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    return done.stdout.strip().split("\n")[0] if done.returncode == 0 else None


def _read(path, pattern):
    with open(path, encoding="utf-8") as file:
        found = re.search(pattern, file.read(), re.M)
    return found.group(1) if found else "?"


def _commit(root):
    """The commit, and "-dirty" where anything was changed since but what a measurement writes itself."""
    commit = _first_line("git", "describe", "--always", cwd=root)
    changed = _first_line("git", "status", "--porcelain", "--", ":!bench/results", ":!docs", cwd=root)
    return f"{commit}-dirty" if commit and changed else commit


def describe(root):
    versions = {
        "commit": _commit(root),
        "gcc": _first_line("gcc", "-dumpfullversion"), "go": (_first_line("go", "version") or "").removeprefix("go version go"),
        "node": _first_line("node", "--version"), "dotnet": _first_line("dotnet", "--version"),
    }
    memory_gb = int(_read("/proc/meminfo", r"^MemTotal:\s+(\d+)")) / 1024 / 1024
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        "machine": f"{os.cpu_count()} × {_read('/proc/cpuinfo', r'^model name.*: (.*)$')}, {memory_gb:.0f} GB",
        "system": f"{_read('/etc/os-release', r'^PRETTY_NAME=.(.*).$')}, Linux {platform.release()}",
        "versions": {name: version for name, version in versions.items() if version},
    }
