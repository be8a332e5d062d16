"""`vm shell`: the terminal becomes the console of a guest."""

import os
import select
import sys
import termios
import threading
import tty

from .machine import Machine
from .runner import Runner
from .scenario import Scenario


def interactive_shell(runner: Runner, scenario: Scenario) -> None:
    machine = runner.boot(scenario)
    runner.prepare_job(scenario)
    try:
        machine.console.echo_to(sys.stdout.fileno())
        machine.channel.send(f"shell {scenario.name}")
        ended = threading.Event()
        threading.Thread(target=_wait, args=(machine, ended), daemon=True).start()
        _feed(machine, ended)
    finally:
        machine.stop()


def _wait(machine: Machine, ended: threading.Event) -> None:
    machine.wait_end()
    ended.set()


def _feed(machine: Machine, ended: threading.Event) -> None:
    """Keys to the guest until it ends; ^C and friends belong to the guest."""
    keyboard = sys.stdin.fileno()
    saved = termios.tcgetattr(keyboard) if os.isatty(keyboard) else None
    if saved:
        tty.setraw(keyboard)
    try:
        while not ended.is_set():
            if select.select([keyboard], [], [], 0.2)[0]:
                keys = os.read(keyboard, 1024)
                if not keys:
                    ended.wait()
                machine.console.send(keys)
    except BrokenPipeError:
        pass
    finally:
        if saved:
            termios.tcsetattr(keyboard, termios.TCSADRAIN, saved)
