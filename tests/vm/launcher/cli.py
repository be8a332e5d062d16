"""The command line of tests/vm/vm."""

import argparse
import contextlib
import os
import signal
import time

from . import packages, settings, verdict
from .errors import LauncherError
from .runner import Runner
from .scenario import Scenario, for_soak, load_all
from .shell import interactive_shell
from .verdict import Outcome

DEFAULT_SHAPE = "kernel-host-tcp"


def main(arguments: list[str]) -> int:
    signal.signal(signal.SIGTERM, _terminate)
    options = _parser().parse_args(arguments)
    try:
        return options.action(options)
    except LauncherError as problem:
        print(f"vm: {problem}", flush=True)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vm", description="Fulmar's tests inside a QEMU guest (docs/vm.md)."
    )
    parser.add_argument(
        "--target",
        choices=("fulmar", "nvmet"),
        default=os.environ.get("FULMAR_VM_TARGET", "fulmar"),
        help="what serves the namespaces: fulmard, or the guest kernel's own target as a peer",
    )
    actions = parser.add_subparsers(required=True)
    list_action = actions.add_parser(
        "list", help="the scenarios, what they prove, the machine they want"
    )
    list_action.set_defaults(action=_list)
    run_action = actions.add_parser("run", help="run the named scenarios, or all")
    run_action.add_argument("names", nargs="*", metavar="NAME")
    run_action.add_argument(
        "--only",
        choices=("alone", "beside"),
        help="of all: those that need the machine for themselves, or those that run beside other work",
    )
    run_action.set_defaults(action=_run)
    soak_action = actions.add_parser(
        "soak", help="the named scenarios, or all that can, with many more repetitions"
    )
    soak_action.add_argument("names", nargs="*", metavar="NAME")
    soak_action.set_defaults(action=_soak)
    shell_action = actions.add_parser(
        "shell", help="a shell in a guest of that scenario's shape; exit ends the guest"
    )
    shell_action.add_argument("name", nargs="?", default=DEFAULT_SHAPE, metavar="NAME")
    shell_action.set_defaults(action=_shell)
    prepare_action = actions.add_parser(
        "prepare", help="fetch the kernel and build the initramfs, run nothing"
    )
    prepare_action.set_defaults(action=_prepare)
    return parser


def _list(_: argparse.Namespace) -> int:
    for scenario in load_all().values():
        print(f"{scenario.name:32} {scenario.purpose}\n{'':32} [{scenario.shape.describe()}]")
    return 0


def _soak(options: argparse.Namespace) -> int:
    chosen = _chosen(options.names)
    for without in (s for s in chosen if options.names and not s.soak):
        raise LauncherError(f"{without.name} has nothing to repeat: its header has no `soak`")
    options.names = [s.name for s in chosen if s.soak]
    return _run_all(options, [for_soak(s) for s in chosen if s.soak])


def _run(options: argparse.Namespace) -> int:
    scenarios = _chosen(options.names)
    if options.only:
        scenarios = [s for s in scenarios if bool(s.alone) == (options.only == "alone")]
    return _run_all(options, scenarios)


def _run_all(options: argparse.Namespace, scenarios: list[Scenario]) -> int:
    where = settings.load(options.target)
    packages.require()
    _require_build(where, scenarios)
    started = time.monotonic()
    verdicts = []
    if not options.names:
        for left_out in (s for s in scenarios if s.unproven):
            verdicts.append(verdict.Verdict(left_out.name, Outcome.SKIP, 0, left_out.unproven))
            verdicts[-1].show()
        scenarios = [s for s in scenarios if not s.unproven and not s.measures]
    with contextlib.closing(Runner(where).run(scenarios)) as results:
        for result in results:
            result.show()
            verdicts.append(result)
    print(f"logs in {where.logs}; {time.monotonic() - started:.0f} s in all")
    print(verdict.count(verdicts), flush=True)
    return 1 if verdict.failed(verdicts) else 0


def _shell(options: argparse.Namespace) -> int:
    (scenario,) = _chosen([options.name])
    where = settings.load(options.target)
    packages.require()
    interactive_shell(Runner(where), scenario)
    return 0


def _prepare(options: argparse.Namespace) -> int:
    packages.require()
    Runner(settings.load(options.target))
    return 0


def _chosen(names: list[str]) -> list[Scenario]:
    scenarios = load_all()
    unknown = [name for name in names if name not in scenarios]
    if unknown:
        raise LauncherError(f"no such scenario: {' '.join(unknown)}; known: {' '.join(scenarios)}")
    return [scenarios[name] for name in names] if names else list(scenarios.values())


def _require_build(where: settings.Settings, scenarios: list[Scenario]) -> None:
    daemon = where.build / "bin" / "fulmard"
    if where.target == "fulmar" and any(s.needs_target for s in scenarios) and not daemon.is_file():
        raise LauncherError(f"{daemon} is missing: run ./dev build release, or set FULMAR_BUILD")


def _terminate(*_: object) -> None:
    """TERM unwinds like ^C, so that the guest is stopped on the way out."""
    raise KeyboardInterrupt
