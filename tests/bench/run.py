"""The benchmark: Fulmar beside the loopback ceiling, in one go. `./dev bench` builds, and calls this.

Every speed row alternates the ceiling (a program that exchanges the same bytes with no NVMe in
them) and Fulmar under its own load generator, and takes medians. The target has one core, the load
generator or the ceiling's client the other. Prints a table, writes JSON and an SVG plot.
"""

import argparse
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from runner import changes, hostile, plot, size, speed, table  # noqa: E402
from runner.machine import Machine  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "--json",
        type=pathlib.Path,
        default=ROOT / "build/bench/bench.json",
        help="where the result goes (default: build/bench/bench.json)",
    )
    parser.add_argument("--svg", type=pathlib.Path, help="the plot (default: beside the JSON)")
    parser.add_argument("--rows", help="only these, separated by commas")
    parser.add_argument("--list", action="store_true", help="name the rows and end")
    parser.add_argument("--runs", type=int, help="runs of each side per row (default: 5)")
    parser.add_argument("--seconds", type=float, help="of one run (default: 2)")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke run: 3 short runs per row, spread allowed"
    )
    parser.add_argument(
        "--bin",
        type=pathlib.Path,
        default=ROOT / "build/release/bin",
        help="where the programs are (default: build/release/bin)",
    )
    parser.add_argument("--target-cpu", type=int, help="default: the first CPU that we may use")
    parser.add_argument("--load-cpu", type=int, help="default: the last one")
    parser.add_argument(
        "--realtime",
        action="store_true",
        help="all sides under SCHED_FIFO, for a machine that others use too (root)",
    )
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.3 if options.quick else 2.0)
    return options


def chosen_rows(options):
    rows = speed.ROWS + size.ROWS + changes.ROWS + hostile.ROWS
    if not options.rows:
        return rows
    names = options.rows.split(",")
    unknown = set(names) - {row.name for row in rows}
    if unknown:
        sys.exit(f"bench: no row {', '.join(sorted(unknown))}; --list names them")
    return [row for row in rows if row.name in names]


def main():
    options = arguments()
    rows = chosen_rows(options)
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    machine = Machine(options)
    print(machine.describe(), flush=True)
    results = []
    try:
        for row in rows:
            print(f"{row.name:<20} ", end="", flush=True)
            results.append(row.measure(machine))
            print(table.short(results[-1]), flush=True)
    except KeyboardInterrupt:
        print("\ninterrupted: what follows is what there was", file=sys.stderr)
    finally:
        machine.close()
    print("\n" + table.render(results))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "machine": machine.facts(),
        "runs": options.runs,
        "seconds": options.seconds,
        "quick": options.quick,
        "rows": results,
    }
    options.json.write_text(json.dumps(document, indent=2) + "\n")
    svg = options.svg or options.json.with_suffix(".svg")
    svg.write_text(plot.render(results, machine.facts()))
    print(f"\n{options.json}\n{svg}")
    void = [row["name"] for row in results if row.get("void")]
    broken = [row["name"] for row in results if row["fulmar"] is None]
    if void:
        print(
            f"VOID, since the ceiling itself was not steady: {', '.join(void)}; a quieter machine helps"
        )
    if broken:
        print(f"NOT MEASURED: {', '.join(broken)}")
    return 1 if void or broken else 0


if __name__ == "__main__":
    os.chdir(ROOT)
    sys.exit(main())
