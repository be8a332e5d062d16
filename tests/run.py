"""Runs the kinds of test in order and counts cases: `./dev test` once the packages are there.

Prints progress, then every failure and every skip with its reason, a table of minutes, and as its
last line `N passed, N failed, N skipped`. A case is a GoogleTest case, a lint check, a guest
scenario or a fuzz target. A kind that reports no count has failed.
"""

import argparse
import collections
import dataclasses
import json
import os
import pathlib
import re
import subprocess
import sys
import time
from xml.etree import ElementTree

ROOT = pathlib.Path(__file__).resolve().parent.parent
KINDS = ["lint", "unit", "model", "sim", "conformance", "e2e", "page", "fuzz", "vm"]
NATIVE = ["unit", "model", "sim", "conformance", "e2e"]
# The thread sanitizer watches what crosses threads; the other kinds add minutes and no news.
TSAN_KINDS = ["unit", "sim", "e2e"]
PRESETS = ["release", "asan", "tsan"]
BUDGET_MINUTES = 75
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")


@dataclasses.dataclass
class Row:
    """One line of the table: a kind in a build, or a build itself (counted only when it fails)."""

    kind: str
    build: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0


class Report:
    def __init__(self):
        self.rows = []
        self.failures = []
        self.skips = []
        self.absent = []
        self.told = []  # what guest scenarios have said for this table
        self.shown = collections.defaultdict(list)  # what cases have recorded about themselves

    def fail(self, row, what):
        row.failed += 1
        self.failures.append(f"{row.kind} ({row.build}): {what}")

    def skip(self, row, what):
        row.skipped += 1
        self.skips.append(f"{row.kind} ({row.build}): {what}")

    def total(self):
        return tuple(sum(getattr(r, f) for r in self.rows) for f in ("passed", "failed", "skipped"))

    def print(self):
        print()
        reasons = collections.Counter(self.skips)
        for text, times in reasons.items():
            print(f"SKIP {text}" + (f" ({times} cases)" if times > 1 else ""))
        for text in self.failures:
            print(f"FAIL {text}")
        for (kind, build, name), values in self.shown.items():
            if all(value.isdigit() for value in values):
                print(f"shown {kind} ({build}): {sum(map(int, values)):,} {name}")
            else:
                print(f"shown {kind} ({build}): {len(values)} {name}: {', '.join(values)}")
        for text in self.told:
            print(f"shown {text}")
        for kind in self.absent:
            print(f"none {kind}: this tree has no such tests yet")
        print(f"\n{'kind':<13} {'build':<9} {'passed':>7} {'failed':>7} {'skipped':>8}  minutes")
        groups = collections.Counter()
        for row in self.rows:
            counts = f"{row.passed:>7} {row.failed:>7} {row.skipped:>8}"
            if row.kind in ("setup", "build") and not row.failed:
                counts = " " * 24
            print(f"{row.kind:<13} {row.build:<9} {counts} {row.seconds / 60:>8.1f}")
            group = {"setup": "setup", "build": "builds", "vm": "guest"}.get(row.kind, "native")
            groups[group] += row.seconds
        parts = [f"{name} {seconds / 60:.1f}" for name, seconds in groups.items()]
        together = sum(groups.values()) / 60
        print(f"minutes: {', '.join(parts)}, together {together:.1f}")
        if together > BUDGET_MINUTES:
            print(f"that is over the {BUDGET_MINUTES} minutes that a run may take: make it shorter")
        print("{} passed, {} failed, {} skipped".format(*self.total()), flush=True)


def say(text):
    print(f"== {text}", flush=True)


def stream(command, env=None):
    """Runs a command, passes its output on, returns its exit status and last non-empty line."""
    last = ""
    process = subprocess.Popen(command, cwd=ROOT, env=env, text=True, errors="replace",
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT)
    try:
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            last = line.strip() or last
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    return process.wait(), last


def run_counting(report, row, command, env=None):
    """A kind that prints the closing line itself: lint, page, fuzz, vm."""
    status, last = stream(command, env)
    match = COUNTS.match(last)
    if not match:
        report.fail(row, f"ended without a count (exit status {status})")
        return
    row.passed, row.failed, row.skipped = map(int, match.groups())
    if row.failed:
        report.failures.append(f"{row.kind} ({row.build}): {row.failed} of its own list above")
    elif status != 0:
        report.fail(row, f"exit status {status} although nothing is counted as failed")
    if row.skipped:
        report.skips.append(f"{row.kind} ({row.build}): {row.skipped}, reasons in its list above")
    if row.passed + row.failed + row.skipped == 0:
        report.fail(row, "counted no case at all")


def entries_of(kind, preset):
    """ctest's entries of one kind in one build: name to (command, environment)."""
    shown = subprocess.run(["ctest", "--preset", preset, "--show-only=json-v1"], cwd=ROOT,
                           text=True, capture_output=True, check=False)
    if shown.returncode != 0:
        return {}
    entries = {}
    for test in json.loads(shown.stdout)["tests"]:
        properties = {p["name"]: p["value"] for p in test["properties"]}
        if kind in properties.get("LABELS", []) and "command" in test:
            environment = dict(v.split("=", 1) for v in properties.get("ENVIRONMENT", []))
            entries[test["name"]] = (test["command"], environment)
    return entries


def run_soaking(entries):
    """One after the other, without the time-outs that ctest would set."""
    status = 0
    for command, environment in entries.values():
        env = dict(os.environ, FULMAR_SOAK="1", **environment)
        status = max(status, abs(stream(command, env)[0]))
    return status


def count_cases(report, row, name, path):
    """One executable's GoogleTest report. No report: it crashed or ran out of time."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError):
        report.fail(row, f"{name} left no report: it crashed or ran out of time (output above)")
        return
    for case in root.iter("testcase"):
        title = f"{name} {case.get('classname')}.{case.get('name')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None:
            report.fail(row, title)
        elif skipped is not None:
            # The message opens with the place in the source, on a line of its own.
            reason = " ".join(skipped.get("message", "").split("\n", 1)[-1].split())
            report.skip(row, f"{title}: {reason or 'no reason given'}")
        elif case.get("result") == "completed":
            row.passed += 1
            for record in case.iter("property"):
                report.shown[row.kind, row.build, record.get("name")].append(record.get("value"))


def told_by_scenarios(since):
    """What scenarios have said for the table of this run, in lines with "shown:"."""
    told = []
    for log in sorted((ROOT / "build/vm/logs").glob("*/log")):
        if log.stat().st_mtime >= since:
            for line in log.read_text(errors="replace").splitlines():
                _, mark, text = line.partition("] shown: ")
                if mark:
                    told.append(f"vm {log.parent.name}: {text}")
    return told


def run_native(report, row, soak):
    names = entries_of(row.kind, row.build)
    results = ROOT / "build" / row.build / "results"
    for name in names:
        (results / f"{name}.xml").unlink(missing_ok=True)
    if soak:
        status = run_soaking(names)
    else:
        command = ["ctest", "--preset", row.build, "-L", f"^{row.kind}$"]
        status, _ = stream(command + ["-j", str(os.cpu_count())])
    failed_before = row.failed
    for name in names:
        count_cases(report, row, name, results / f"{name}.xml")
    if status != 0 and row.failed == failed_before:
        report.fail(row, f"ctest ended with {status} although every case passed (output above)")
    if row.passed + row.failed + row.skipped == 0:
        report.fail(row, "counted no case at all")


class Session:
    """One call of `./dev test`: which kinds, in which builds, and what came of it."""

    def __init__(self, arguments):
        self.chosen = arguments.kinds or KINDS
        self.explicit = bool(arguments.kinds)
        self.presets = arguments.preset or PRESETS
        self.soak = arguments.soak
        self.report = Report()
        self.broken = set()
        setup_seconds = float(os.environ.get("FULMAR_SETUP_SECONDS", "0"))
        if setup_seconds > 1:
            self.report.rows.append(Row("setup", "packages", seconds=setup_seconds))

    def timed(self, row, function, *arguments):
        self.report.rows.append(row)
        start = time.monotonic()
        try:
            function(*arguments)
        finally:
            row.seconds = time.monotonic() - start

    def build(self, preset, *words):
        say(f"build {preset}")
        row = Row("build", preset)

        def compile_it():
            status, _ = stream(["./dev", "build", preset, *words])
            if status != 0:
                self.report.fail(row, "does not build (output above)")
                self.broken.add(preset)

        self.timed(row, compile_it)

    def has_sources(self, kind):
        if kind == "lint":
            return (ROOT / "tests/lint/tidy.py").exists()
        if kind == "page":
            return (ROOT / "tests/page/run.py").exists()
        if kind == "fuzz":
            return any((ROOT / "tests/fuzz").glob("*_fuzz.cpp"))
        if kind == "vm":
            return (ROOT / "tests/vm/vm").exists()
        return any((ROOT / "tests" / kind).rglob("*_test.cpp"))

    def presets_of(self, kind):
        return [p for p in self.presets if p != "tsan" or kind in TSAN_KINDS]

    def run_builds(self, kinds):
        native = [k for k in kinds if k in NATIVE]
        for preset in self.presets:
            wanted = [k for k in native if preset in self.presets_of(k)]
            if preset == "tsan" and wanted:
                self.build("tsan", "--target", "tsan_tests")
            elif self.explicit and wanted:
                self.build(preset, *[w for k in wanted for w in ("--target", f"tests_{k}")])
            elif not self.explicit and preset != "tsan":
                self.build(preset)
        if self.explicit and ("vm" in kinds or "page" in kinds):
            self.build("release")
        if "fuzz" in kinds:
            self.build("fuzz", "--target", "fuzz_targets")

    def run_kind(self, kind):
        if kind in NATIVE:
            for preset in self.presets_of(kind):
                if preset not in self.broken and entries_of(kind, preset):
                    say(f"{kind} ({preset})")
                    row = Row(kind, preset)
                    self.timed(row, run_native, self.report, row, self.soak)
            return
        build = {"lint": "sources", "page": "release", "fuzz": "fuzz", "vm": "release"}[kind]
        if build in self.broken:
            return
        say(kind)
        row = Row(kind, build)
        command = {
            "lint": ["python3", "tests/lint/tidy.py", "--build", "build/release"],
            "page": ["/usr/bin/python3", "tests/page/run.py"],  # Debian's, which has the browser's driver
            "fuzz": ["python3", "tests/fuzz/run.py", "--seconds", "900" if self.soak else "15"],
            "vm": ["tests/vm/vm", "run"],
        }[kind]
        env = dict(os.environ, FULMAR_BUILD="build/release")
        begun = time.time()
        self.timed(row, run_counting, self.report, row, command, env)
        if kind == "vm":
            self.report.told = told_by_scenarios(begun)

    def run(self):
        kinds = [k for k in KINDS if k in self.chosen and self.has_sources(k)]
        self.report.absent = [k for k in KINDS if k in self.chosen and k not in kinds]
        if self.explicit:
            for kind in self.report.absent:
                row = Row(kind, "-")
                self.report.rows.append(row)
                self.report.fail(row, "asked for by name, but this tree has no such tests")
        try:
            self.run_builds(kinds)
            for kind in kinds:
                self.run_kind(kind)
        except KeyboardInterrupt:
            row = Row("interrupted", "-")
            self.report.rows.append(row)
            self.report.fail(row, "stopped from the keyboard")
        self.report.print()
        passed, failed, skipped = self.report.total()
        return 0 if failed == 0 and passed + skipped > 0 else 1


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" ".join(KINDS))
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--soak", action="store_true", help="longer: more seeds, longer fuzzing")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        if kind not in KINDS:
            parser.error(f"no kind {kind}; there are {' '.join(KINDS)}")
    return Session(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
