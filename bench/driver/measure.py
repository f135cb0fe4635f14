"""One measurement: storage, a contender and the callers are started, watched and ended; then the sums are checked."""

import json
import os
import subprocess
import time

from .contenders import Instance, cpu_s
from .storage import TOTAL, Azurite, FakeStorage


def _start_storage(kind, tools, scenario):
    if kind == "azurite":
        return Azurite(tools["azurite"])
    return FakeStorage(tools["fake"], scenario.delay_us)


def _start(contender, scenario, storage, folder, number):
    seeds = "" if scenario.seeded_by_storage else ";".join(
        f"P{i:04d}={TOTAL}" for i in range(scenario.products))
    settings = contender.settings(storage.connection_string(), seeds, scenario.lifetime_s)
    return Instance(contender, number, settings, os.path.join(folder, f"{contender.name}-{number}.log"))


def _first_answers_ms(contender, scenario, storage, folder):
    """Of starts that nothing else follows. The last start of all is the measured one's."""
    times = []
    for _ in range(scenario.starts - 1):
        instance = _start(contender, scenario, storage, folder, 1)
        times.append(instance.first_answer_ms)
        instance.stop()
    return times


def _load_command(tools, scenario, instances, round_number):
    command = [tools["load"], "--ports", ",".join(str(i.port) for i in instances), "--clients", str(scenario.clients),
               "--products", str(scenario.products), "--first", str(scenario.first), "--think-ms",
               str(scenario.think_ms), "--warm-ms", str(scenario.warm_ms), "--run-ms", str(scenario.run_ms), "--seed",
               str(round_number)]
    command += ["--confirm", str(scenario.confirm_percent), "--release", str(scenario.release_percent)]
    return command + [f"--get={scenario.query}"] * scenario.reads + ["--touch"] * scenario.touch


class _Reading:
    """Of everything that grows, at one moment."""

    def __init__(self, instances, storage, load_pid):
        self.handler_s = sum(i.cpu_s() for i in instances)
        self.switches = sum(i.context_switches() for i in instances)
        self.storage_s = cpu_s(storage.process.pid)
        self.load_s = cpu_s(load_pid)
        self.counts = storage.counts()
        self.at_s = time.monotonic()


def _run_load(command, instances, storage):
    """The generator's result, and readings at the begin and the end of the measured time."""
    readings = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        try:
            for line in load.stdout:
                if line.strip() in ("begin", "end"):
                    readings.append(_Reading(instances, storage, load.pid))
                else:
                    result = json.loads(line)
        except BaseException:
            load.kill()
            raise
    if load.returncode != 0 or len(readings) != 2:
        raise RuntimeError(f"the load generator ended with {load.returncode}")
    return result, readings[0], readings[1]


def _figures(result, before, after, storage):
    answered = max(1, result["answered"])
    seconds = result["seconds"]
    requests = storage.requests(after.counts) - storage.requests(before.counts)
    watched_s = after.at_s - before.at_s
    return {
        "throughput": result["answered"] / seconds, "answered": result["answered"],
        "cpu_us": (after.handler_s - before.handler_s) * 1e6 / answered,
        "switches": (after.switches - before.switches) / answered, "requests": requests / answered,
        "p50_ms": result["p50_ms"], "p90_ms": result["p90_ms"], "p99_ms": result["p99_ms"],
        "p999_ms": result["p999_ms"], "max_ms": result["max_ms"],
        "refused": result["refused"], "failed": result["failed"], "closed": result["closed"],
        "handler_busy": (after.handler_s - before.handler_s) / watched_s,
        "storage_busy": (after.storage_s - before.storage_s) / watched_s,
        "load_busy": (after.load_s - before.load_s) / watched_s,
        "shares": [port["answered"] / answered for port in result["ports"]],
        "longest_ms": [port["longest_ms"] for port in result["ports"]],
    }


def faults(sums, result, counts, scenario):
    """What a contender has done wrong, in words; an empty list is as it should be."""
    found = []
    supplied = TOTAL * scenario.products
    sold = supplied - sums["total"]
    if not result["confirmed"] <= sold <= result["confirmed"] + result["unknown"]:
        found.append(f"the total is {sums['total']}, but {result['confirmed']} of {supplied} units were confirmed")
    if sums["available"] + sums["reserved"] != sums["total"]:
        found.append(f"available {sums['available']} + reserved {sums['reserved']} is not total {sums['total']}")
    held = result["reserved"] - result["confirmed"] - result["released"]
    off = abs(sums["reserved"] - held)
    if not scenario.lifetime_s and off > result["unknown"]:
        found.append(f"{sums['reserved']} units are reserved; by the answers it is {held}, {result['unknown']} of them unknown")
    for name in ("unleased_commits", "unsigned_requests", "unknown_requests"):
        if counts.get(name):
            found.append(f"{counts[name]} {name.replace('_', ' ')}")
    return found


def measure(contender, scenario, kind, tools, folder, round_number):
    """Figures of one contender in one scenario, once. Raises RuntimeError where it cannot be measured."""
    storage = _start_storage(kind, tools, scenario)
    instances = []
    try:
        if scenario.seeded_by_storage:
            storage.seed(scenario.products)
        first_answers_ms = _first_answers_ms(contender, scenario, storage, folder)
        for number in range(1, scenario.instances + 1):
            instance = _start(contender, scenario, storage, folder, number)
            instances.append(instance)
            first_answers_ms.append(instance.first_answer_ms)
            instance.wait_for(f"/api/inventory/P{scenario.products - 1:04d}", 200, 0.02)
        idle_kb = sum(i.memory_kb("VmRSS") for i in instances)
        command = _load_command(tools, scenario, instances, round_number)
        result, before, after = _run_load(command, instances, storage)
        figures = _figures(result, before, after, storage)
        peak_kb = sum(i.memory_kb("VmHWM") for i in instances)
        counts = storage.counts() if kind == "fake" else {}
        figures |= {"idle_kb": idle_kb, "peak_kb": peak_kb, "first_answer_ms": sorted(first_answers_ms)[
            len(first_answers_ms) // 2], "faults": faults(storage.sums(), result, counts, scenario)}
        return figures
    finally:
        for instance in instances:
            instance.stop()
        storage.stop()
