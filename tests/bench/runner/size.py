"""The rows without a ceiling: what the target costs in time, memory and instructions."""

import pathlib
import shutil
import statistics
import subprocess
import time

from .machine import BenchError, Process, Target

IDLE_CONNECTIONS = 64
CALLGRIND_COMMANDS = 20000


class Row:
    """A number about the target alone."""

    name = unit = ""
    goal = None
    at_least = False  # else at most

    def measure(self, machine):
        row = {"name": self.name, "unit": self.unit, "ceiling": None, "fulmar": None, "share": None}
        if self.goal is not None:
            row["goal"] = self.goal
        try:
            row.update(self.values(machine))
        except (BenchError, OSError, subprocess.SubprocessError, KeyError, ValueError) as error:
            row["error"] = str(error)
        if row["fulmar"] is not None and self.goal is not None:
            reached = row["fulmar"] >= self.goal if self.at_least else row["fulmar"] <= self.goal
            row["met"] = reached and row.get("also_met", True)
            row["at_least"] = self.at_least
        return row

    def values(self, machine):
        raise NotImplementedError


class Idle:
    """A fresh target with connections that do nothing; for the time of a `with`."""

    def __init__(self, machine, seconds):
        self.machine, self.seconds = machine, seconds

    def __enter__(self):
        self.target = Target(self.machine)
        self.holder = None
        try:
            self.target.first_accept_s()
            time.sleep(0.5)
            self.before_kib = self.target.resident_kib()
            self.holder = Process(
                [
                    self.machine.program("fulmar"),
                    "perf",
                    *self.target.arguments(),
                    "--idle",
                    "--connections",
                    IDLE_CONNECTIONS,
                    "--seconds",
                    self.seconds,
                ],
                self.machine.load_cpu,
                self.machine.work / "idle.log",
            )
            if "open and idle" not in self.holder.line():
                raise BenchError(f"cannot open {IDLE_CONNECTIONS} connections")
            time.sleep(0.5)
            return self
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        if self.holder is not None:
            self.holder.stop()
        self.target.stop()


class IdleCpu(Row):
    name, unit, goal = "idle-cpu", "% of a core", 1.0

    def values(self, machine):
        seconds = 2.0 if machine.options.quick else 8.0
        with Idle(machine, seconds + 10) as idle:
            before, began = idle.target.cpu_seconds(), time.monotonic()
            time.sleep(seconds)
            used = idle.target.cpu_seconds() - before
            return {
                "fulmar": round(100 * used / (time.monotonic() - began), 3),
                "connections": IDLE_CONNECTIONS,
            }


class Start(Row):
    name, unit, goal = "start", "s", 0.3

    def values(self, machine):
        times = []
        for _ in range(machine.options.runs):
            target = Target(machine)
            try:
                times.append(target.first_accept_s())
            finally:
                target.stop()
        return {"fulmar": round(statistics.median(times), 4), "starts": times}


class Resident(Row):
    name, unit, goal = "rss", "MiB", 64

    def values(self, machine):
        with Idle(machine, 20) as idle:
            after = idle.target.resident_kib()
            return {
                "fulmar": round(idle.before_kib / 1024, 2),
                "with_connections_mib": round(after / 1024, 2),
                "per_connection_kib": round((after - idle.before_kib) / IDLE_CONNECTIONS, 1),
                "connections": IDLE_CONNECTIONS,
            }


class CpuPerIo(Row):
    """While the target has all it can do, so that waiting is not counted."""

    name, unit = "cpu-per-io", "µs"

    def values(self, machine):
        target = machine.target()
        answers = [machine.load(target, "--queue-depth", 128) for _ in range(machine.options.runs)]
        return {
            "fulmar": round(
                statistics.median(a["target_cpu"]["us_per_command"] for a in answers), 4
            ),
            "load": "4 KiB random reads, queue depth 128",
            "generator_busy": round(
                statistics.median(a["load_generator"]["busy_share"] for a in answers), 3
            ),
        }


class InstructionsPerIo(Row):
    """User-space instructions, counted by callgrind over a bounded load; needs no quiet machine."""

    name, unit = "instructions-per-io", "instructions"

    def values(self, machine):
        if shutil.which("valgrind") is None:
            raise BenchError("valgrind is not installed")
        out = machine.work / "callgrind.out"
        target = Target(
            machine,
            memory={"hugepages": "off"},
            wrapper=[
                "valgrind",
                "--tool=callgrind",
                "--instr-atstart=no",
                "--fair-sched=yes",
                f"--callgrind-out-file={out}",
            ],
        )
        try:
            target.first_accept_s(patience_s=60)
            self.control("-i", "on", target.pid)
            load = [
                "--queue-depth",
                "128",
                "--commands",
                CALLGRIND_COMMANDS,
                "--timeout",
                "120",
                "--size",
                "64M",
            ]
            machine.load(target, *load, seconds=120, warmup=0)
            self.control("-i", "off", target.pid)
        finally:
            target.stop()
        instructions = total_of(out)
        return {
            "fulmar": round(instructions / CALLGRIND_COMMANDS),
            "load": f"{CALLGRIND_COMMANDS} random reads of 4 KiB, queue depth 128, connecting included",
        }

    @staticmethod
    def control(*arguments):
        subprocess.run(
            ["callgrind_control", *[str(a) for a in arguments]],
            check=True,
            capture_output=True,
            timeout=60,
        )


def total_of(file):
    """Callgrind writes one file at exit. Its totals have all threads (its summary may be zero)."""
    for line in pathlib.Path(file).read_text().splitlines():
        if line.startswith("totals:") and int(line.split()[1]) > 0:
            return int(line.split()[1])
    raise BenchError("callgrind counted nothing")


ROWS = [IdleCpu(), Start(), Resident(), CpuPerIo(), InstructionsPerIo()]
