"""Which jobs a run consists of, and what they do."""

import os
import pathlib
import re
import time

from . import native
from .report import Outcome, tail
from .schedule import Job, Lane

ROOT = pathlib.Path(__file__).resolve().parents[2]
KINDS = ["lint", "unit", "model", "sim", "conformance", "e2e", "cluster", "page", "fuzz", "vm"]
NATIVE = ["unit", "model", "sim", "conformance", "e2e", "cluster"]
# The thread sanitizer watches what crosses threads; the other kinds add minutes and no news. The
# simulator has one thread, and tells the sanitizer of each switch between its fibers: no race can
# show there. A soak runs it all the same.
TSAN_KINDS = ["unit", "e2e"]
TSAN_SOAK_KINDS = [*TSAN_KINDS, "sim"]
PRESETS = ["release", "asan", "tsan"]
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$")
BUILD_NICENESS = 10  # tests first: they have deadlines

# Single-threaded, with a clock of their own and no ports: their cases are dealt to all processors.
SHARDED = ["model", "sim"]
REAL_TIME = ["conformance", "e2e", "cluster"]
# Of the jobs that may start, the longest first, so that none is left over for one processor.
ORDER = {"vm": 0, "e2e": 1, "conformance": 2, "cluster": 3, "page": 4, "model": 5, "sim": 6, "unit": 7,
         "lint": 8, "fuzz": 9}

# What `--quick` runs of a kind, and what it says about that.
QUICK_KINDS = ["lint", "unit", "model", "sim", "conformance", "e2e"]
QUICK = {
    "model": ({"FULMAR_QUICK": "1"}, "model: every world with one operation less"),
    "sim": ({"FULMAR_SIM_SEEDS": "20"}, "sim: 20 seeds of each churn"),
}
SOAK_SIM_SEEDS = "100000"
FUZZ_SECONDS, SOAK_FUZZ_SECONDS = 15, 900


def has_sources(kind):
    if kind in ("lint", "page", "vm"):
        return (ROOT / {"lint": "tests/lint/tidy.py", "page": "tests/page/run.py",
                        "vm": "tests/vm/vm"}[kind]).exists()
    if kind == "fuzz":
        return any((ROOT / "tests/fuzz").glob("*_fuzz.cpp"))
    return any((ROOT / "tests" / kind).rglob("*_test.cpp"))


class Plan:
    """`kinds`: that this tree has. `explicit`: they were named, so only they are built."""

    def __init__(self, report, kinds, presets, processors, *, explicit, soak=False, quick=False):
        self.report = report
        self.kinds = kinds
        self.presets = presets
        self.processors = processors
        self.explicit = explicit
        self.soak = soak
        self.quick = quick
        self.broken = set()
        self._ready = {}  # the job after which a build is there

    def jobs(self):
        jobs = self._builds()
        scripts = {"lint": ("sources", Lane.OWN_TIME), "page": ("release", Lane.REAL_TIME),
                   "fuzz": ("fuzz", Lane.OWN_TIME), "vm": ("release", Lane.GUEST)}
        for kind in self.kinds:
            if kind in scripts:
                build, lane = scripts[kind]
                need = self._ready.get("programs" if build == "release" else build)
                jobs.append(self._script(kind, kind, build, lane, (need,) if need else ()))
        if "vm" in self.kinds:  # after the other: one guest at a time
            jobs.append(self._script("vm alone", "vm", "release", Lane.ALONE, ("vm",)))
        return jobs

    # ---- builds ---------------------------------------------------------------------------------

    def _builds(self):
        native_kinds = [kind for kind in self.kinds if kind in NATIVE]
        programs = any(kind in ("page", "vm") for kind in self.kinds)
        jobs = []
        for preset in self.presets:
            wanted = [kind for kind in native_kinds if preset in self._presets_of(kind)]
            if preset == "release" and programs and (wanted or not self.explicit):
                # The guest takes longest; what it needs comes first.
                jobs.append(self._build("release", "programs", ["--programs"]))
            words = None
            if preset == "tsan":
                words = ["--target", "tsan_tests"] if wanted else None
                if "sim" in wanted:
                    words += ["--target", "sim"]
            elif self.explicit:
                words = [w for kind in wanted for w in ("--target", f"tests_{kind}")] or None
            else:
                words = []
            if words is not None:
                jobs.append(self._build(preset, preset, words, wanted))
        if programs and "programs" not in self._ready:
            jobs.append(self._build("release", "programs", ["--programs"]))
        if "fuzz" in self.kinds:
            jobs.append(self._build("fuzz", "fuzz", ["--target", "fuzz_targets"]))
        for job, before in zip(jobs[1:], jobs):  # one after the other, in this order
            job.needs = (before.name,)
        # What compiles is configured, and lint asks that.
        if jobs and jobs[0].name.startswith("build release"):
            self._ready["sources"] = jobs[0].name
        return jobs

    def _build(self, preset, part, words, wanted=()):
        name = f"build {preset}" + ("" if part == preset else f" {part}")
        self._ready[part] = name

        def work(commands):
            if preset in self.broken:
                return "not tried again"
            env = dict(os.environ, FULMAR_JOBS=os.environ.get("FULMAR_JOBS", str(self.processors)))
            status = commands.run(["./dev", "build", preset, *words], ROOT, env,
                                  niceness=BUILD_NICENESS)
            if status == 0 or commands.stopped():
                return "built"
            self.report.fail("build", preset, "does not build", tail(commands.text()))
            self.broken.add(preset)
            return "DOES NOT BUILD"

        def then(job):
            self.report.spend("build", preset, job.wall, job.processor)
            if preset in self.broken:
                return []
            return [new for kind in wanted for new in self._native(kind, preset)]

        return Job(name, Lane.BUILD, work, then=then)

    def _presets_of(self, kind):
        everything = self.soak or list(self.presets) == ["tsan"]  # or it was asked for
        threads = TSAN_SOAK_KINDS if everything else TSAN_KINDS
        return [p for p in self.presets if p != "tsan" or kind in threads]

    # ---- what runs ------------------------------------------------------------------------------

    def _native(self, kind, preset):
        extra = {}
        if self.soak:
            extra = {"FULMAR_SOAK": "1", "FULMAR_SIM_SEEDS": SOAK_SIM_SEEDS}
        elif self.quick:
            extra = QUICK.get(kind, ({}, ""))[0]
        shards = self.processors if kind in SHARDED else 1
        parts = native.parts_of(kind, preset, shards, extra, self.soak)
        if not parts:
            self.report.fail(kind, preset, "ctest has no such entry")
        lane = Lane.REAL_TIME if kind in REAL_TIME else Lane.OWN_TIME
        return [self._part(kind, preset, part, lane) for part in parts]

    def _part(self, kind, preset, part, lane):
        def work(commands):
            outcome = native.run_part(part, commands)
            self.report.add(kind, preset, outcome)
            return outcome.line()

        return Job(f"{part.title()} ({preset})", lane, work, order=ORDER[kind],
                   then=lambda job: self._spend(kind, preset, job))

    def _spend(self, kind, build, job):
        self.report.spend(kind, build, job.wall, job.processor)
        return []

    def _script(self, name, kind, build, lane, needs):
        """A kind that prints the closing line itself."""
        return Job(name, lane, lambda commands: self._run_script(name, kind, build, commands), needs,
                   ORDER[kind], then=lambda job: self._spend(kind, build, job))

    def _run_script(self, name, kind, build, commands):
        if build in self.broken:
            return "not run: its build failed"
        seconds = SOAK_FUZZ_SECONDS if self.soak else FUZZ_SECONDS
        command = {
            "lint": ["python3", "tests/lint/tidy.py", "--build", "build/release"],
            "page": ["/usr/bin/python3", "tests/page/run.py"],  # Debian's, which has the browser's driver
            "fuzz": ["python3", "tests/fuzz/run.py", "--seconds", str(seconds)],
            "vm": ["tests/vm/vm", "run", "--only", "beside"],
            "vm alone": ["tests/vm/vm", "run", "--only", "alone"],
        }[name]
        begun = time.time()
        status = commands.run(command, ROOT, dict(os.environ, FULMAR_BUILD="build/release"))
        if commands.stopped():
            return "stopped"
        outcome = outcome_of_script(status, commands.text())
        self.report.add(kind, build, outcome)
        if kind == "vm":
            self.report.told += told_by_scenarios(begun) + run_again(commands.text())
        return outcome.line()


def outcome_of_script(status, text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    match = COUNTS.match(lines[-1] if lines else "")
    outcome = Outcome()
    if not match:
        outcome.fail(f"ended with {native.ending(status)} and without a count", tail(text))
        return outcome
    outcome.passed, outcome.failed, outcome.skipped = map(int, match.groups())
    if outcome.failed:
        outcome.failures = failed_lines(text)
    elif status != 0:
        outcome.fail(f"{native.ending(status)} although nothing is counted as failed", tail(text))
    outcome.skips = [line.removeprefix("SKIP ") for line in lines if line.startswith("SKIP ")]
    if outcome.skipped and not outcome.skips:
        outcome.skips = [f"{outcome.skipped}, without a word why"]
    if not outcome.passed + outcome.failed + outcome.skipped:
        outcome.fail("counted no case at all", tail(text))
    return outcome


def failed_lines(text):
    """Each line that begins with FAIL, and what is indented or printed below it."""
    found = []
    for line in text.splitlines():
        if line.startswith("FAIL "):
            found.append((line.removeprefix("FAIL "), []))
        elif re.match(r"(PASS|SKIP|AGAIN|boot) ", line) or COUNTS.match(line):
            found.append((None, []))
        elif found:
            found[-1][1].append(line)
    found = [(what, tail("\n".join(below))) for what, below in found if what is not None]
    return found or [("of its own list", tail(text))]


def run_again(text):
    """Scenarios whose guest the emulator killed: they passed or failed in a second one, and readers are to know."""
    return [f"vm {line.strip()}" for line in text.splitlines() if line.startswith("AGAIN ")]


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
