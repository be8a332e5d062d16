"""What came of a run: counts, failures, skips, and where the minutes went."""

import collections
import dataclasses
import threading

EVIDENCE_LINES = 60


@dataclasses.dataclass
class Row:
    """One line of the table: a kind in a build, or a build itself (counted only when it fails)."""

    kind: str
    build: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    wall: float = 0.0  # seconds, of all its jobs together
    processor: float = 0.0


@dataclasses.dataclass
class Outcome:
    """Of one job: what its row gains. A failure is (what, evidence); `records` are (name, value)."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    skips: list[str] = dataclasses.field(default_factory=list)
    records: list[tuple[str, str]] = dataclasses.field(default_factory=list)

    def fail(self, what, evidence=""):
        self.failed += 1
        self.failures.append((what, evidence))

    def skip(self, what):
        self.skipped += 1
        self.skips.append(what)

    def line(self):
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


class Report:
    """Jobs add to it from threads of their own."""

    def __init__(self, processors):
        self.rows = []
        self.failures = []
        self.evidence = []  # (of what, text)
        self.skips = []
        self.absent = []
        self.left_out = []  # what this run does not prove, although a longer one does
        self.told = []  # what guest scenarios have said for this table
        self.shown = collections.defaultdict(list)  # what cases have recorded about themselves
        self._processors = processors
        self._lock = threading.Lock()

    def row(self, kind, build):
        """The one of that kind in that build."""
        for row in self.rows:
            if (row.kind, row.build) == (kind, build):
                return row
        self.rows.append(Row(kind, build))
        return self.rows[-1]

    def add(self, kind, build, outcome):
        with self._lock:
            row = self.row(kind, build)
            row.passed += outcome.passed
            row.failed += outcome.failed
            row.skipped += outcome.skipped
            for what, evidence in outcome.failures:
                self.failures.append(f"{kind} ({build}): {what}")
                if evidence:
                    self.evidence.append((self.failures[-1], evidence))
            self.skips += [f"{kind} ({build}): {what}" for what in outcome.skips]
            for name, value in outcome.records:
                self.shown[kind, build, name].append(value)

    def fail(self, kind, build, what, evidence=""):
        outcome = Outcome()
        outcome.fail(what, evidence)
        self.add(kind, build, outcome)

    def spend(self, kind, build, wall, processor=0.0):
        with self._lock:
            row = self.row(kind, build)
            row.wall += wall
            row.processor += processor

    def total(self):
        return tuple(sum(getattr(r, f) for r in self.rows) for f in ("passed", "failed", "skipped"))

    def check_that_all_counted(self):
        """A kind that ran and found no case has proved nothing."""
        for row in list(self.rows):
            if row.kind not in ("setup", "build") and not row.passed + row.failed + row.skipped:
                self.fail(row.kind, row.build, "counted no case at all")

    def check_budget(self, elapsed, minutes):
        if elapsed > minutes * 60:
            self.fail("budget", "-", f"the run took {elapsed / 60:.1f} minutes, and may "
                      f"take {minutes}: make it shorter (docs/testing.md)")

    def print(self, elapsed):
        print()
        for what, text in self.evidence:
            print(f"---- {what}\n{text}\n")
        for text, times in collections.Counter(self.skips).items():
            print(f"SKIP {text}" + (f" ({times} cases)" if times > 1 else ""))
        for text in self.failures:
            print(f"FAIL {text}")
        self._print_what_is_shown()
        for kind in self.absent:
            print(f"none {kind}: this tree has no such tests yet")
        for text in self.left_out:
            print(f"left out: {text}")
        self._print_table(elapsed)
        print("{} passed, {} failed, {} skipped".format(*self.total()), flush=True)

    def _print_what_is_shown(self):
        for (kind, build, name), values in self.shown.items():
            if all(value.isdigit() for value in values):
                print(f"shown {kind} ({build}): {sum(map(int, values)):,} {name}")
            else:
                print(f"shown {kind} ({build}): {len(values)} {name}: {', '.join(values)}")
        for text in self.told:
            print(f"shown {text}")

    def _print_table(self, elapsed):
        print(f"\n{'kind':<13} {'build':<9} {'passed':>7} {'failed':>7} {'skipped':>8}  minutes"
              "  of processor")
        groups = collections.Counter()
        for row in self.rows:
            counts = f"{row.passed:>7} {row.failed:>7} {row.skipped:>8}"
            if row.kind in ("setup", "build") and not row.failed:
                counts = " " * 24
            print(f"{row.kind:<13} {row.build:<9} {counts} {row.wall / 60:>8.1f}"
                  f" {row.processor / 60:>13.1f}")
            group = {"setup": "setup", "build": "builds", "vm": "guest"}.get(row.kind, "native")
            groups[group] += row.processor
        parts = [f"{name} {seconds / 60:.1f}" for name, seconds in groups.items()]
        busy = sum(groups.values()) / (max(elapsed, 1) * self._processors)
        print(f"minutes of processor: {', '.join(parts)}, together {sum(groups.values()) / 60:.1f}"
              f" ({busy:.0%} of {self._processors} processors)")
        print(f"minutes: {elapsed / 60:.1f} from the first to the last")


def tail(text):
    return "\n".join(text.rstrip().splitlines()[-EVIDENCE_LINES:])
