"""Runs the fuzz targets of build/fuzz for a while each: `./dev fuzz`, and the kind `fuzz` of tests.

Starts from the kept corpus in tests/fuzz/corpus/<name>/; what it finds on top goes to
build/fuzz/corpus/<name>/, crashing inputs to build/fuzz/artifacts/. A finding that is worth keeping
is copied into the kept corpus by hand.
"""

import argparse
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build/fuzz"


def run(target, seconds):
    """Returns (name, passed, what to print)."""
    name = target.name.removeprefix("fuzz_")
    found = BUILD / "corpus" / name
    found.mkdir(parents=True, exist_ok=True)
    artifacts = BUILD / "artifacts"
    artifacts.mkdir(exist_ok=True)
    command = [str(target), f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=2048",
               f"-artifact_prefix={artifacts}/{name}-", "-print_final_stats=1", str(found)]
    kept = ROOT / "tests/fuzz/corpus" / name
    if kept.is_dir():
        command.append(str(kept))
    dictionary = ROOT / "tests/fuzz" / f"{name}.dict"
    if dictionary.exists():
        command.append(f"-dict={dictionary}")
    done = subprocess.run(command, cwd=ROOT, text=True, errors="replace", capture_output=True,
                          stdin=subprocess.DEVNULL, check=False)
    stats = [line.split()[-1] for line in done.stderr.splitlines()
             if line.startswith("stat::number_of_executed_units")]
    if done.returncode == 0 and stats and int(stats[0]) > 0:
        return name, True, f"{stats[0]} inputs in {seconds} s"
    tail = "\n".join(done.stderr.splitlines()[-60:])
    again = f"again: {target} <the artifact named above>"
    return name, False, f"exit status {done.returncode}\n{tail}\n{again}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=15)
    parser.add_argument("--only", default="", help="one target's name")
    arguments = parser.parse_args()
    targets = sorted(t for t in (BUILD / "fuzz").glob("fuzz_*")
                     if arguments.only in ("", t.name.removeprefix("fuzz_")))
    passed = failed = 0
    # One target per core: each is a single thread.
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, good, text in pool.map(lambda t: run(t, arguments.seconds), targets):
            print(f"{'PASS' if good else 'FAIL'} fuzz {name}: {text}", flush=True)
            passed += good
            failed += not good
    if not targets:
        print(f"FAIL fuzz: no target {arguments.only} in {BUILD.relative_to(ROOT)}/fuzz")
        failed = 1
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 0 if failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
