"""Why a guest has ended, in one line: a failure on another machine may leave nothing else to read."""

import re
import signal
from dataclasses import dataclass

# The kernel patches its own code by way of breakpoints, and now and then the emulator executes one that is gone already.
EMULATOR_OOPS = "Oops: int3"
# Signals by which QEMU ends of its own fault. SIGKILL is not among them: that is the machine, out of memory.
EMULATOR_SIGNALS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE")
LAST_WORDS = re.compile(r"(Oops: |BUG: |kernel BUG at |general protection fault|Kernel panic - )")
PLACE = re.compile(r"RIP: \S*?:?([A-Za-z_][\w.]*\+0x[0-9a-f]+)")


@dataclass(frozen=True)
class Death:
    reason: str
    of_emulator: bool  # nobody in the guest has done that


def of(code: int, console: str, said: str) -> Death:
    """`code` is QEMU's end as subprocess tells it, `console` what the guest printed, `said` what QEMU printed."""
    last = said.strip().splitlines()[-1:]
    tail = f": {last[0]}" if last else ""
    if code < 0:
        name = signal.Signals(-code).name
        return Death(f"the guest died: QEMU ended by {name}{tail}", name in EMULATOR_SIGNALS)
    lines = console.splitlines()
    for at, line in enumerate(lines):
        if LAST_WORDS.search(line):
            place = next(filter(None, map(PLACE.search, lines[at : at + 20])), None)
            where = f" at {place[1]}" if place else ""
            return Death(f"the guest's kernel died: {_message(line)}{where}", EMULATOR_OOPS in line)
    return Death(f"the guest died: QEMU ended with code {code}{tail}", False)


def _message(line: str) -> str:
    """Without the kernel's time stamp."""
    return re.sub(r"^\[[^\]]*\]\s*", "", line).strip()
