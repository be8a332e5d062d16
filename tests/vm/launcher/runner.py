"""Runs scenarios: one boot per machine shape, one deadline per scenario, a fresh boot after every failure."""

import fcntl
import itertools
import pathlib
import re
import shutil
import time
from collections.abc import Iterator
from typing import TextIO

from . import initramfs, kernel
from .errors import LauncherError
from .machine import GuestGone, Machine, assignments
from .scenario import Scenario
from .settings import Settings
from .verdict import Outcome, Verdict

GRACE_SECONDS = (
    60  # the agent ends a scenario at its deadline; it gets this long to gather evidence
)
TAIL_LINES = 25
WHY_LINES = 2000  # among which the failure is looked for: what ends after it has its own say
RESULT_LINES = 50  # of what a measurement found
SKIPPED = 77  # the exit code by which a scenario says so


class Runner:
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        settings.cache.mkdir(parents=True, exist_ok=True)
        self._lock = _lock(settings.cache)
        for left in settings.cache.glob("images-*"):  # of a launcher that was killed
            shutil.rmtree(left)
        self._kernel = kernel.ensure(settings.cache)
        self._initramfs = initramfs.build(self._kernel, settings.cache)
        self._boots = itertools.count(1)
        self._again: set[str] = set()  # scenarios whose guest the emulator has killed

    def run(self, scenarios: list[Scenario]) -> Iterator[Verdict]:
        """Yields each verdict as it comes. Closing the iterator early stops the guest."""
        shapes = dict.fromkeys(scenario.shape for scenario in scenarios)
        for shape in shapes:
            pending = [scenario for scenario in scenarios if scenario.shape == shape]
            while pending:
                yield from self._one_boot(pending)

    def boot(self, scenario: Scenario) -> Machine:
        """A guest of the scenario's shape whose agent has answered. The caller stops it."""
        label = str(next(self._boots))
        started = time.monotonic()
        machine = Machine(scenario.shape, self._settings, self._kernel, self._initramfs, label)
        try:
            machine.wait_ready()
        except (GuestGone, LauncherError) as problem:
            reason = str(problem) or f"while booting: {machine.death().reason}"
            machine.stop()
            raise LauncherError(f"{reason}\n{machine.console.tail()}") from None
        except BaseException:  # ^C while booting
            machine.stop()
            raise
        print(
            f"boot {label}: {scenario.shape.describe()}: {time.monotonic() - started:.1f} s",
            flush=True,
        )
        return machine

    def prepare_job(self, scenario: Scenario) -> pathlib.Path:
        """The folder that carries the order in and the logs out."""
        folder = self._settings.logs / scenario.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        variables = {
            "SCENARIO": scenario.name,
            "SCRIPT": scenario.script,
            "DEADLINE": scenario.deadline,
            "TARGET": self._settings.target,
            "FULMAR_BUILD": self._settings.build,
            **scenario.environment,
        }
        (folder / "job.env").write_text(assignments(variables, "export "))
        return folder

    def _one_boot(self, pending: list[Scenario]) -> Iterator[Verdict]:
        try:
            machine = self.boot(pending[0])
        except LauncherError as problem:
            head, _, tail = str(problem).partition("\n")
            while pending:
                yield Verdict(pending.pop(0).name, Outcome.FAIL, 0, head, tail)
                tail = ""
            return
        try:
            while pending:
                scenario = pending.pop(0)
                verdict = self._one_scenario(machine, scenario)
                if verdict.outcome is Outcome.FAIL and self._may_try_again(machine, scenario):
                    print(f"AGAIN {scenario.name}: {machine.death().reason}", flush=True)
                    pending.insert(0, scenario)
                    return
                yield verdict
                if verdict.outcome is Outcome.FAIL:
                    return
        finally:
            machine.stop()

    def _may_try_again(self, machine: Machine, scenario: Scenario) -> bool:
        """Once, in a fresh guest, when the emulator has killed this one; the run says so."""
        if scenario.name in self._again or not machine.death().of_emulator:
            return False
        self._again.add(scenario.name)
        return True

    def _one_scenario(self, machine: Machine, scenario: Scenario) -> Verdict:
        folder = self.prepare_job(scenario)
        started = time.monotonic()
        code, reason, evidence = None, "", ""
        try:
            machine.channel.send(f"run {scenario.name}")
            code = self._converse(machine, scenario, started + scenario.deadline + GRACE_SECONDS)
            if code is None:
                machine.report_hang()
                (
                    reason,
                    evidence,
                ) = "the guest hangs: no answer past the deadline", machine.console.tail(80)
        except GuestGone:
            reason, evidence = machine.death().reason, machine.console.tail()
        seconds = time.monotonic() - started
        results = _tail(folder / "results", RESULT_LINES)
        if code == 0:
            return Verdict(scenario.name, Outcome.PASS, seconds, evidence=results)
        log = _tail(folder / "log", TAIL_LINES)
        if code == SKIPPED:
            return Verdict(
                scenario.name, Outcome.SKIP, seconds, log.splitlines()[-1] if log else ""
            )
        reason = reason or self._why(code, scenario, _tail(folder / "log", WHY_LINES))
        return Verdict(
            scenario.name,
            Outcome.FAIL,
            seconds,
            f"{reason}; see {folder}",
            f"{log}\n{evidence}\n{results}".strip(),
        )

    @staticmethod
    def _converse(machine: Machine, scenario: Scenario, until: float) -> int | None:
        """Answers what the scenario asks until it is done: its exit code, or None when `until` has come."""
        while (line := machine.channel.receive(until)) is not None:
            verb, *words = line.split()
            if verb == "ask":
                machine.channel.send(machine.requests.answer(words))
            elif verb == "done" and words[0] == scenario.name:
                return int(words[1])
        return None

    @staticmethod
    def _why(code: int | None, scenario: Scenario, log: str) -> str:
        """One line, since it may be all that is seen of a failure on another machine."""
        said = [line for line in log.splitlines() if re.search(r"\] (FAIL: |failed: line)", line)] or log.splitlines()[-1:]
        what = f": {said[-1]}" if said else ""
        if code in (124, 137):
            return f"not done within its deadline of {scenario.deadline} s{what}"
        return f"exit code {code}{what}"


def _lock(cache: pathlib.Path) -> TextIO:
    """Two launchers on one cache would share images and logs. Held as long as the returned file is open."""
    file = (cache / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise LauncherError(
            f"another vm command is using {cache}: wait for it, or set FULMAR_CACHE"
        ) from None
    return file


def _tail(path: pathlib.Path, lines: int) -> str:
    if not path.is_file():
        return ""
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
