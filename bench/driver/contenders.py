"""The programs that are measured: how each is started, and what its processes use."""

import http.client
import os
import re
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Contender:
    """`is_ours`: it takes the app settings of Leasehold; else the few variables that bench/peers/README.md names."""

    name: str
    command: tuple
    is_ours: bool
    environment: dict = field(default_factory=dict)

    def settings(self, connection_string, seeds, lifetime_s):
        if not self.is_ours:
            lifetime = {"RESERVATION_LIFETIME_S": str(lifetime_s)} if lifetime_s else {}
            return {"CONNECTION_STRING": connection_string, "SEED_PRODUCTS": seeds} | lifetime
        lifetime = {"Inventory__ReservationLifetime": f"00:00:{lifetime_s:02d}"} if lifetime_s else {}
        return {"DistributedLeasing__ConnectionString": connection_string, "Inventory__SeedProducts": seeds} | lifetime


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def ask(port, path, timeout_s=10):
    """The status of a GET; None where nobody answers yet."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout_s)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status
    except OSError:
        return None


class Instance:
    """A contender's running process."""

    def __init__(self, contender, number, settings, log_path):
        self.port = free_port()
        self.name = contender.name
        environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"),
                       "HANDLER_INSTANCE": str(number), "FUNCTIONS_CUSTOMHANDLER_PORT": str(self.port),
                       **contender.environment, **settings}
        with open(log_path, "w", encoding="utf-8") as log:
            begun = time.perf_counter()
            self.process = subprocess.Popen(contender.command, env=environment, stdout=log, stderr=subprocess.STDOUT,
                                            cwd=os.path.dirname(log_path))
        self.wait_for("/", None, 0.0002)
        self.first_answer_ms = (time.perf_counter() - begun) * 1000

    def wait_for(self, path, status, pause_s, limit_s=120):
        """Until that status is answered, or with None any."""
        end = time.monotonic() + limit_s
        while time.monotonic() < end:
            answered = ask(self.port, path)
            if answered is not None and status in (None, answered):
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}")
            time.sleep(pause_s)
        raise RuntimeError(f"{self.name} does not answer {status} to {path}")

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def cpu_s(self):
        return cpu_s(self.process.pid)

    def memory_kb(self, key):
        """"VmRSS" is what it has in memory now, "VmHWM" the most that it has had."""
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return int(re.search(rf"^{key}:\s+(\d+)", status.read(), re.M).group(1))

    def context_switches(self):
        """Of all its threads that live."""
        count = 0
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            try:
                with open(f"/proc/{self.process.pid}/task/{thread}/status", encoding="utf-8") as status:
                    count += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", status.read()))
            except FileNotFoundError:
                pass
        return count


def cpu_s(pid):
    """Seconds of processor that a process has used so far, to the nanosecond: its clock (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)
