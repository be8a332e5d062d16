"""Lints the repository: `./dev lint`, the kind `lint` of `./dev test`, and the pre-commit hook.

Every rule prints PASS, FAIL with file, line and remedy, or SKIP with the reason. Each carries a
small bad sample that it must catch, so that none goes blind unnoticed. The tables are in rules.py.
"""

import argparse
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import checks_code  # noqa: E402  (needs the path above)
import checks_tree  # noqa: E402
from framework import Skip, Tree  # noqa: E402

SHOWN = 25
ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def run_check(check, tree):
    """Returns (outcome, lines to print)."""
    broken = check.self_test()
    if broken:
        return "FAIL", [f"tests/lint: {broken}"]
    try:
        found = sorted(set(check.run(tree)))
    except Skip as reason:
        return "SKIP", [str(reason)]
    if found:
        return "FAIL", [f"{path}:{line}: {text}" for path, line, text in found]
    return "PASS", []


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--build", default="build/release", help="a build folder to ask")
    parser.add_argument("--quiet", action="store_true", help="print only what needs doing")
    parser.add_argument("--only", default="", help="one rule's name")
    arguments = parser.parse_args()
    tree = Tree.load(ROOT, ROOT / arguments.build)
    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}
    for kind in checks_code.CHECKS + checks_tree.CHECKS:
        check = kind()
        if arguments.only not in ("", check.name):
            continue
        outcome, lines = run_check(check, tree)
        counts[outcome] += 1
        if outcome != "PASS" or not arguments.quiet:
            print(f"{outcome} lint {check.name}: {check.why}")
        shown = len(lines) if arguments.only else SHOWN
        for line in lines[:shown]:
            print(f"    {line}")
        if len(lines) > shown:
            print(f"    ... and {len(lines) - shown} more (all of them: --only {check.name})")
        if not arguments.quiet:
            for note in check.notes:
                print(f"    note: {note}")
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] or not counts["PASS"] else 0


if __name__ == "__main__":
    sys.exit(main())
