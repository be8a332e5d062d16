"""Runs jobs so that no processor idles: builds fill what the tests leave.

Builds run one after the other, with as many compilers as there are processors, and give way to
tests (they are nice). Tests that live in real time (ports, daemons) run one at a time, and so do
guests. Tests with a clock of their own (model, simulator, fuzzers) and unit tests take the
processors that are left. A job that measures runs alone.
"""

import dataclasses
import enum
import os
import pathlib
import queue
import subprocess
import threading
import time
from collections.abc import Callable


class Lane(enum.Enum):
    BUILD = "build"
    GUEST = "guest"
    REAL_TIME = "real time"
    OWN_TIME = "own time"
    ALONE = "alone"


@dataclasses.dataclass
class Job:
    """`work` gets a Commands and returns what to say of it in one line. `then`, called when it has
    ended, gives the jobs that it made possible. Of the jobs that may start, the one with the lowest
    `order` does."""

    name: str
    lane: Lane
    work: Callable[["Commands"], str]
    needs: tuple[str, ...] = ()
    order: int = 0
    then: Callable[["Job"], list["Job"]] = lambda job: []
    wall: float = 0.0  # seconds, when it has ended
    processor: float = 0.0


class Commands:
    """What one job runs, one command at a time; the output goes to one log."""

    def __init__(self, log, stopping):
        self.log = log
        self.processor = 0.0  # seconds of all processors, of everything that was run and waited for
        self._stopping = stopping
        self._process = None
        self._lock = threading.Lock()

    def run(self, command, cwd, env=None, timeout=None, niceness=0):
        """Exit status; negative: the signal. None: it ran out of time, or everything is stopped."""
        with self.log.open("ab") as log:
            with self._lock:
                if self._stopping.is_set():
                    return None
                # A group of its own, so that nothing which a test has started outlives it.
                process = self._process = subprocess.Popen(
                    ["nice", "-n", str(niceness), *command] if niceness else command, cwd=cwd,
                    env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                    process_group=0)
            late = threading.Event()
            timer = threading.Timer(timeout, lambda: (late.set(), self.kill())) if timeout else None
            if timer:
                timer.start()
            _, status, usage = os.wait4(process.pid, 0)
            with self._lock:
                process.returncode = os.waitstatus_to_exitcode(status)
                self._process = None
            if timer:
                timer.cancel()
            self.processor += usage.ru_utime + usage.ru_stime
        return None if late.is_set() or self._stopping.is_set() else process.returncode

    def kill(self, signal=9):
        with self._lock:
            if self._process is not None:
                try:
                    os.killpg(self._process.pid, signal)
                except ProcessLookupError:
                    pass

    def stopped(self):
        """Everything has been told to end: what a command did since then means nothing."""
        return self._stopping.is_set()

    def text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Scheduler:
    def __init__(self, processors, logs, say):
        self._processors = processors
        self._logs = pathlib.Path(logs)
        self._say = say
        self._ended = queue.Queue()
        self._stopping = threading.Event()
        self._running = {}  # name to (job, commands)

    def room_for(self, job):
        """Whether its lane has room beside what runs now."""
        lanes = [running.lane for running, _ in self._running.values()]
        if Lane.ALONE in lanes:
            return False
        if job.lane is Lane.ALONE:
            return not lanes
        if job.lane is not Lane.OWN_TIME and job.lane in lanes:
            return False
        tests = sum(lane is not Lane.BUILD for lane in lanes)
        return job.lane is Lane.BUILD or tests < self._processors

    def run(self, jobs):
        """Until all have ended. Raises what a job has raised, and KeyboardInterrupt, with nothing
        left running."""
        waiting = list(jobs)
        done = set()
        try:
            while waiting or self._running:
                waiting.sort(key=lambda job: job.order)
                for job in list(waiting):
                    if done.issuperset(job.needs) and self.room_for(job):
                        waiting.remove(job)
                        self._start(job)
                if not self._running:
                    raise RuntimeError(f"jobs wait for ever: {[job.name for job in waiting]}")
                job, said, problem = self._ended.get()
                _, commands = self._running.pop(job.name)
                job.processor = commands.processor
                if problem is not None:
                    raise problem
                done.add(job.name)
                self._say(f"done  {job.name}: {said} "
                          f"({job.wall / 60:.1f} min, {job.processor / 60:.1f} of processor)")
                waiting += job.then(job)
        except BaseException:
            self._stop()
            raise

    def _start(self, job):
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / (job.name.replace(" ", "-").replace("/", "-") + ".log")
        log.unlink(missing_ok=True)
        commands = Commands(log, self._stopping)
        self._running[job.name] = (job, commands)
        self._say(f"start {job.name}")

        def work():
            begun = time.monotonic()
            said, problem = "", None
            try:
                said = job.work(commands)
            except BaseException as caught:  # pylint: disable=broad-except  (raised in run)
                problem = caught
            job.wall = time.monotonic() - begun
            self._ended.put((job, said, problem))

        threading.Thread(target=work, daemon=True).start()

    def _stop(self):
        """TERM first, so that the guest's launcher and the like can clean up."""
        self._stopping.set()
        for signal, seconds in ((15, 10), (9, 10)):
            for _, commands in self._running.values():
                commands.kill(signal)
            until = time.monotonic() + seconds
            while self._running and time.monotonic() < until:
                try:
                    job, _, _ = self._ended.get(timeout=0.2)
                    self._running.pop(job.name, None)
                except queue.Empty:
                    pass
