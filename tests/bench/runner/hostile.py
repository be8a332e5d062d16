"""The row about peers that misbehave: what they cost hosts that behave."""

import os
import re
import subprocess

from .machine import BenchError
from .size import Row

SECONDS, QUICK_SECONDS = 60, 5
MEASURED = re.compile(
    r"honest p99: (\d+) us beside peers that behave, (\d+) us beside those that do not"
)


class Hostile(Row):
    """p99 of three hosts beside thirty peers that misbehave, as a multiple of what it is beside the
    same peers when they behave. An error of theirs is a failure, not a number."""

    name, unit, goal = "hostile", "x", 2.0

    def values(self, machine):
        seconds = QUICK_SECONDS if machine.options.quick else SECONDS
        program = machine.options.bin.parent / "tests" / "hostile"
        if not program.exists():
            raise BenchError(f"{program} is not built: ninja -C build/release hostile")
        done = subprocess.run(
            [program, "--gtest_filter=*p99*"],
            env={**os.environ, "FULMAR_HOSTILE_SECONDS": str(seconds)},
            capture_output=True,
            text=True,
            timeout=4 * seconds + 120,
            check=False,
        )
        found = MEASURED.search(done.stdout)
        if not found:
            raise BenchError(f"{program} has not measured: it ended with {done.returncode}")
        control, beside = (int(one) for one in found.groups())
        return {
            "fulmar": round(beside / control, 2),
            "also_met": done.returncode == 0,
            "remark": f"{beside} µs beside {control} µs, {seconds} s each, "
            + ("no error" if done.returncode == 0 else "WITH ERRORS, or missed"),
        }


ROWS = [Hostile()]
