"""Runs the kinds of test and counts cases: `./dev test` once the packages are there.

Builds and tests run side by side (runner/schedule.py). It prints what starts and ends, and at the
end every failure with its evidence, every skip with its reason, a table of minutes, and as its last
line `N passed, N failed, N skipped`. A case is a GoogleTest case, a lint check, a guest scenario or
a fuzz target. A kind that reports no count has failed, and so has a whole run that takes too long.
The output of each job is in build/test-logs/. More: docs/testing.md.
"""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from runner.plan import KINDS, PRESETS, QUICK, QUICK_KINDS, ROOT, Plan, has_sources  # noqa: E402
from runner.report import Report  # noqa: E402
from runner.schedule import Scheduler  # noqa: E402

BUDGET_MINUTES = 75  # of a whole run with nothing cached, on two processors
LOGS = ROOT / "build/test-logs"
GIB_EACH = 2  # of memory, for each processor that compiles or tests


def processors():
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    return max(1, min(os.cpu_count() or 1, memory // GIB_EACH))


def interrupt(*_):
    """TERM unwinds like ^C, so that nothing is left running."""
    raise KeyboardInterrupt


def run(arguments):
    started = time.monotonic()
    count = processors()
    report = Report(count)
    setup_seconds = float(os.environ.get("FULMAR_SETUP_SECONDS", "0"))
    if setup_seconds > 1:
        report.spend("setup", "packages", setup_seconds)
    chosen = arguments.kinds or (QUICK_KINDS if arguments.quick else KINDS)
    kinds = [kind for kind in KINDS if kind in chosen and has_sources(kind)]
    report.absent = [kind for kind in KINDS if kind in chosen and kind not in kinds]
    if arguments.kinds:
        for kind in report.absent:
            report.fail(kind, "-", "asked for by name, but this tree has no such tests")
    presets = arguments.preset or (["release"] if arguments.quick else PRESETS)
    if arguments.quick:
        report.left_out = what_quick_leaves_out(kinds, presets)
    plan = Plan(report, kinds, presets, count, explicit=bool(arguments.kinds or arguments.quick),
                soak=arguments.soak, quick=arguments.quick)

    def elapsed():
        return setup_seconds + time.monotonic() - started

    def say(text):
        print(f"== {elapsed() / 60:5.1f} {text}", flush=True)

    shutil.rmtree(LOGS, ignore_errors=True)
    try:
        Scheduler(count, LOGS, say).run(plan.jobs())
        report.check_that_all_counted()
    except KeyboardInterrupt:
        report.fail("interrupted", "-", "stopped from outside")
    whole = not (arguments.kinds or arguments.preset or arguments.soak or arguments.quick)
    if whole or arguments.budget:
        report.check_budget(elapsed(), arguments.budget or BUDGET_MINUTES)
    report.print(elapsed())
    passed, failed, skipped = report.total()
    return 0 if failed == 0 and passed + skipped > 0 else 1


def what_quick_leaves_out(kinds, presets):
    kinds_left = [kind for kind in KINDS if kind not in kinds]
    presets_left = [preset for preset in PRESETS if preset not in presets]
    parts = [f"only {QUICK[kind][1]}" for kind in kinds if kind in QUICK]
    if presets_left:
        parts.append(f"the builds {' '.join(presets_left)}")
    if kinds_left:
        parts.append(f"the kinds {' '.join(kinds_left)}")
    return parts


def main():
    parser = argparse.ArgumentParser(prog="./dev test", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" ".join(KINDS))
    parser.add_argument("--preset", action="append", choices=PRESETS)
    parser.add_argument("--soak", action="store_true", help="longer: more seeds, longer fuzzing")
    parser.add_argument("--quick", action="store_true",
                        help="a few minutes: one build, and of each kind what is fast")
    parser.add_argument("--budget", type=float, metavar="MINUTES",
                        help=f"fail when it takes longer ({BUDGET_MINUTES} for a whole run)")
    arguments = parser.parse_args()
    for kind in arguments.kinds:
        if kind not in KINDS:
            parser.error(f"no kind {kind}; there are {' '.join(KINDS)}")
    if arguments.soak and arguments.quick:
        parser.error("--soak is longer and --quick is shorter: one of them")
    signal.signal(signal.SIGTERM, interrupt)
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
