"""The GoogleTest executables of one build: which there are, how they are split, what they say."""

import dataclasses
import json
import os
import pathlib
import subprocess
from xml.etree import ElementTree

from .report import Outcome, tail

ROOT = pathlib.Path(__file__).resolve().parents[2]
# These run beside builds and other tests, and their time-outs are for a machine of their own.
PATIENCE = 2


@dataclasses.dataclass(frozen=True)
class Part:
    """One executable, or one of the `shards` that its cases are dealt into."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]
    seconds: float  # it may take
    report: pathlib.Path
    shard: int = 0
    shards: int = 1

    def title(self):
        return self.name if self.shards == 1 else f"{self.name} {self.shard + 1} of {self.shards}"


def entries_of(kind, preset):
    """ctest's entries of one kind in one build. Empty when it is not configured."""
    shown = subprocess.run(["ctest", "--preset", preset, "--show-only=json-v1"], cwd=ROOT,
                           text=True, capture_output=True, check=False)
    if shown.returncode != 0:
        return []
    entries = []
    for test in json.loads(shown.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test["properties"]}
        if kind in properties.get("LABELS", []) and "command" in test:
            environment = dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", []))
            entries.append((test["name"], test["command"], environment,
                            float(properties.get("TIMEOUT", 600))))
    return entries


def parts_of(kind, preset, shards, extra=None, unlimited=False):
    """`shards`: how many jobs each executable becomes; `extra`: more environment for each."""
    results = ROOT / "build" / preset / "results"
    parts = []
    for name, command, environment, seconds in entries_of(kind, preset):
        command = [word for word in command if not word.startswith("--gtest_output=")]
        for shard in range(shards):
            report = results / (f"{name}.xml" if shards == 1 else f"{name}-{shard + 1}.xml")
            split = {}
            if shards > 1:
                split = {"GTEST_TOTAL_SHARDS": str(shards), "GTEST_SHARD_INDEX": str(shard)}
            parts.append(Part(name, (*command, f"--gtest_output=xml:{report}"),
                              {**environment, **split, **(extra or {})},
                              0 if unlimited else seconds * PATIENCE, report, shard, shards))
    return parts


def run_part(part, commands):
    """Runs it and counts its cases."""
    part.report.unlink(missing_ok=True)
    status = commands.run(part.command, ROOT, dict(os.environ, **part.environment),
                          part.seconds or None)
    if commands.stopped():
        return Outcome()
    outcome = count_cases(part, commands.text())
    if status != 0 and not outcome.failures:
        outcome.fail(f"{part.title()} ended with {ending(status)} although every case passed"
                     f"{verdict(commands.text())}", tail(commands.text()))
    return outcome


def verdict(output):
    """What a sanitizer said last, and the first line of the program below it. Where only the
    titles of failures are kept, this is what is known."""
    lines = output.splitlines()
    summary = [line for line in lines if line.startswith("SUMMARY: ")]
    places = [line.split(" in ", 1)[1] for line in lines
              if line.lstrip().startswith("#") and " in " in line
              and (" src/" in line or " tests/" in line)
              and "tests/support/failing_memory" not in line]
    return "".join(f"; {line}" for line in summary[-1:] + places[:1])


def count_cases(part, output):
    """From GoogleTest's own report. No report: it crashed or ran out of time."""
    outcome = Outcome()
    try:
        root = ElementTree.parse(part.report).getroot()
    except (OSError, ElementTree.ParseError):
        outcome.fail(f"{part.title()} left no report: it crashed or ran out of time", tail(output))
        return outcome
    for case in root.iter("testcase"):
        title = f"{part.name} {case.get('classname')}.{case.get('name')}"
        failure = case.find("failure")
        skipped = case.find("skipped")
        if failure is not None:
            outcome.fail(title, tail(failure.get("message", "")))
        elif skipped is not None:
            # The message opens with the place in the source, on a line of its own.
            reason = " ".join(skipped.get("message", "").split("\n", 1)[-1].split())
            outcome.skip(f"{title}: {reason or 'no reason given'}")
        elif case.get("result") == "completed":
            outcome.passed += 1
            outcome.records += [(r.get("name"), r.get("value")) for r in case.iter("property")]
    return outcome


def ending(status):
    if status is None:
        return "no exit status: it ran out of time"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
