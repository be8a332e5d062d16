"""The rows about changes over REST: what they cost by themselves, and what they cost others."""

import http.client
import json
import socket
import statistics
import threading
import time

from .machine import NQN, BenchError, Target
from .size import Row

MANY, FEW = 1000, 10  # subsystems that are there already
FLAT = 0.8  # of the rate beside few of them is left beside many
BESIDE_RATE = 20  # changes a second
BESIDE_SHARE = 0.7  # of the load's peak
BESIDE_LOAD = ("--queue-depth", 32)


class Rest(http.client.HTTPConnection):
    """An operator at the admin socket, on a connection that stays."""

    def __init__(self, target):
        super().__init__("localhost", timeout=30)
        self.path = str(target.folder / "admin.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)

    def send_change(self, wanted, method, path, body=None):
        text = None if body is None else json.dumps(body)
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.request(method, path, text, headers)
        answer = self.getresponse()
        said = answer.read().decode()
        if answer.status != wanted:
            raise BenchError(f"{method} {path}: {answer.status} {said}")
        return said


class Cycles(Row):
    """Create, add a namespace, add a listener, remove it, delete; over and over."""

    unit, goal, at_least = "cycles/s", 500, True

    def __init__(self, name, connections, durable):
        self.name, self.connections, self.durable = name, connections, durable

    def values(self, machine):
        target = Target(machine)
        try:
            target.first_accept_s()
            few, many = ([self.run(machine, target, n) for _ in range(3)] for n in (FEW, MANY))
        finally:
            target.stop()
        few_rate, many_rate = (statistics.median(a["cycles_per_s"] for a in s) for s in (few, many))
        flat = many_rate / few_rate
        return {
            "fulmar": round(many_rate, 1),
            "beside_few": round(few_rate, 1),
            "also_met": flat >= FLAT,
            "remark": f"{100 * flat:.0f} % of the rate beside {FEW} subsystems (≥ {100 * FLAT:.0f} %), "
            f"longest cycle {max(a['longest_cycle_ms'] for a in many):.0f} ms",
        }

    def run(self, machine, target, present):
        words = ["--connections", self.connections, "--present", present, "--json"]
        words += ["--seconds", machine.options.seconds] + ["--durable"] * self.durable
        program = [machine.program("fulmar-rest-load"), "--socket", target.folder / "admin.sock"]
        return machine.run([*program, *words], timeout_s=120)


class Pause(Row):
    """From the request to the answer that says "paused", of a subsystem without I/O."""

    name, unit, goal = "pause-idle", "ms", 1.0

    def values(self, machine):
        target = Target(machine)
        rest = Rest(target)
        place = f"/v1/subsystems/{NQN}"
        times = []
        try:
            target.first_accept_s()
            for _ in range(50 if machine.options.quick else 300):
                began = time.perf_counter()
                said = rest.send_change(200, "POST", place + "/pause?durable=false")
                times.append(1000 * (time.perf_counter() - began))
                if json.loads(said)["status"]["state"] != "paused":
                    raise BenchError(f"a pause answered {said}")
                rest.send_change(200, "POST", place + "/resume?durable=false")
        finally:
            rest.close()
            target.stop()
        return {
            "fulmar": round(statistics.median(times), 3),
            "remark": f"p99 {sorted(times)[len(times) * 99 // 100]:.2f} ms, REST included",
        }


class Churn(threading.Thread):
    """Changes at an even pace to subsystems beside the one under load, until the `with` ends."""

    PASSING = "nqn.2026-11.io.fulmar:passing"

    def __init__(self, target):
        super().__init__(daemon=True)
        self.rest, self.enough = Rest(target), threading.Event()
        self.changes, self.trouble = 0, None

    def steps(self):
        """Twenty changes; the device is there already."""
        place = "/v1/subsystems/" + self.PASSING
        yield 201, "POST", "/v1/subsystems", {"nqn": self.PASSING, "allow_any_host": True}
        for _ in range(3):
            yield 201, "POST", place + "/namespaces", {"nsid": 1, "device": "churn"}
            yield 200, "POST", place + "/pause", None
            yield 200, "PATCH", "/v1/devices/churn", {"size": "2MiB"}
            yield 200, "POST", place + "/resume", None
            yield 200, "PATCH", "/v1/devices/churn", {"size": "1MiB", "allow_shrink": True}
            yield 204, "DELETE", place + "/namespaces/1", None
        yield 204, "DELETE", place, None

    def run(self):
        try:
            began = time.monotonic()
            while not self.enough.is_set():
                for step in self.steps():
                    self.rest.send_change(*step)
                    self.changes += 1
                    pause = began + self.changes / BESIDE_RATE - time.monotonic()
                    time.sleep(max(0.0, pause))
        except (BenchError, OSError, http.client.HTTPException) as error:
            self.trouble = error

    def __enter__(self):
        device = {"name": "churn", "type": "ram", "size": "1MiB"}
        self.rest.send_change(201, "POST", "/v1/devices", device)
        self.began = time.monotonic()
        self.start()
        return self

    def __exit__(self, *_):
        self.rate = self.changes / (time.monotonic() - self.began)
        self.enough.set()
        self.join(30)
        if self.trouble is not None:
            raise BenchError(f"the changes failed: {self.trouble}")
        self.rest.send_change(204, "DELETE", "/v1/devices/churn")
        self.rest.close()


class Beside(Row):
    """A load that is held at 70 % of its peak, with and without changes beside it."""

    name, unit, goal, at_least = "churn-beside-load", "% of the throughput", 90, True
    P99 = 2.0

    def values(self, machine):
        target = machine.target()
        peak = statistics.median(self.load(machine, target)["iops"] for _ in range(3))
        held = ["--rate", BESIDE_SHARE * peak]
        quiet, beside = [], []
        for _ in range(machine.options.runs):
            quiet.append(self.load(machine, target, *held))
            with Churn(target) as churn:
                beside.append(self.load(machine, target, *held))
            if churn.rate < 0.8 * BESIDE_RATE:
                raise BenchError(f"only {churn.rate:.0f} changes a second were made")
        share = 100 * self.middle(beside, "iops") / self.middle(quiet, "iops")
        tails = [statistics.median(a["read"]["p99_us"] for a in s) for s in (quiet, beside)]
        return {
            "fulmar": round(share, 2),
            "also_met": tails[1] <= self.P99 * tails[0],
            "peak_iops": round(peak),
            "p99_quiet_us": tails[0],
            "p99_beside_us": tails[1],
            "remark": f"p99 {tails[0]:.0f} -> {tails[1]:.0f} µs (≤ {self.P99:g} x) at "
            f"{self.middle(quiet, 'iops'):,.0f} IO/s with {BESIDE_RATE} changes/s",
        }

    @staticmethod
    def middle(answers, key):
        return statistics.median(a[key] for a in answers)

    @staticmethod
    def load(machine, target, *more):
        return machine.load(target, *BESIDE_LOAD, *more)


ROWS = [Cycles("changes-1", 1, False), Cycles("changes-16-durable", 16, True), Pause(), Beside()]
