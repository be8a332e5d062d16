"""Two builds side by side: every speed row of the benchmark, alternating, in one sitting.

Three sides take turns: the build before, the build after, and the build after once more. The
difference of the last two, which are equal, is what this machine cannot tell apart. A row has
become worse when it lost more than 2 % and more than that. One load generator drives all three.
A side's value is the mean of the best third of its runs: what else a machine does only takes away.
"""

import argparse
import copy
import json
import os
import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from runner import size, speed  # noqa: E402
from runner.machine import Machine  # noqa: E402

TOLERATED = 0.02
SIDES = ["before", "after", "again"]


def arguments():
    parser = argparse.ArgumentParser(
        prog="tests/bench/compare.py", description=__doc__.split("\n\n")[0]
    )
    parser.add_argument("before", type=pathlib.Path, help="folder with fulmard of the build before")
    parser.add_argument("after", type=pathlib.Path, help="folder with fulmard, fulmar and fulmar-ceiling of the other")
    parser.add_argument("--rows", help="only these, separated by commas")
    parser.add_argument("--runs", type=int, default=9, help="of each side and row (default: 9)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of one run (default: 2)")
    parser.add_argument("--json", type=pathlib.Path, help="where the result goes, too")
    return parser.parse_args()


class Side(Machine):
    """One fulmard; the load comes from the build after, for all."""

    def __init__(self, options, folder):
        self._folder = folder
        options = copy.copy(options)
        options.bin, options.target_cpu, options.load_cpu, options.realtime = options.after, None, None, False
        super().__init__(options)

    def program(self, name):
        return ((self._folder if name == "fulmard" else self.options.after) / name).resolve()

    def renew(self):
        if self._target is not None:
            self._target.stop()
            self._target = None


def compare(row, sides, runs):
    values = {name: [] for name in sides}
    shape = ["--block-size", row.block, "--queue-depth", row.depth, "--connections", row.connections]
    for side in sides.values():
        side.renew()
    for turn in range(runs):
        names = SIDES[turn % 3:] + SIDES[: turn % 3]
        for name in names:
            answer = sides[name].load(sides[name].target(), "--mix", row.kind, *shape)
            values[name].append(row.fulmar_value(answer))
    return {name: best_third(all_of, row.unit == "µs") for name, all_of in values.items()}


def best_third(values, lower_is_better):
    ordered = sorted(values, reverse=not lower_is_better)
    return statistics.mean(ordered[: -(-len(ordered) // 3)])


def verdict(values_of, lower_is_better):
    change = values_of["after"] / values_of["before"] - 1
    spread = abs(values_of["again"] / values_of["after"] - 1)
    loss = change if lower_is_better else -change
    return change, spread, loss <= max(TOLERATED, spread)


def main():
    options = arguments()
    names = options.rows.split(",") if options.rows else [row.name for row in speed.ROWS]
    if unknown := set(names) - {row.name for row in speed.ROWS}:
        sys.exit(f"compare: no speed row {', '.join(sorted(unknown))}")
    rows = [row for row in speed.ROWS if row.name in names]
    sides = {name: Side(options, options.before if name == "before" else options.after) for name in SIDES}
    print(sides["after"].describe(), flush=True)
    print(f"{'row':<18} {'before':>12} {'after':>12} {'again':>12}  {'change':>8} {'spread':>8}")
    results, good = [], True
    try:
        for row in rows:
            values_of = compare(row, sides, options.runs)
            change, spread, held = verdict(values_of, row.unit == "µs")
            good = good and held
            print(f"{row.name:<18} " + " ".join(f"{values_of[name]:12.2f}" for name in SIDES)
                  + f"  {change:+8.1%} {spread:8.1%} {row.unit}{'' if held else '  WORSE'}", flush=True)
            results.append({"name": row.name, "unit": row.unit, **values_of, "held": held})
        counts = {name: size.InstructionsPerIo().values(sides[name]) for name in ("before", "after")}
        for name, values in counts.items():
            print(f"instructions per I/O, {name}: {json.dumps(values)}", flush=True)
    finally:
        for side in sides.values():
            side.close()
    if options.json:
        options.json.write_text(json.dumps({"rows": results, "instructions": counts}, indent=2))
    print("no row has become worse" if good else "a row has become worse")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
