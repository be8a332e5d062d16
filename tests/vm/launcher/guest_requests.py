"""What a scenario may ask of the world outside: to plug a drive in, to press the attention button, how busy it is.

The guest sends `ask VERB WORD...` and waits for one line, `ok ...` or `error ...` (guest/lib/outside.sh).
"""

import os
import pathlib
from collections.abc import Callable

from . import qemu
from .errors import LauncherError
from .qmp import Qmp
from .shape import Shape

LEAVE_SECONDS = 20


class GuestRequests:
    def __init__(self, shape: Shape, qmp: Qmp, process: int) -> None:
        self._qmp = qmp
        self._stat = pathlib.Path(f"/proc/{process}/stat")
        self._cards = {slot: qemu.first_card_id(slot) for slot in shape.slots}
        self._plugged = 0
        self._verbs: dict[str, Callable[..., str]] = {
            "plug": self._plug,
            "unplug": self._unplug,
            "elsewhere": self._elsewhere,
        }

    def answer(self, words: list[str]) -> str:
        verb, *arguments = words or [""]
        if verb not in self._verbs:
            return f"error no such request: {verb}; known: {' '.join(self._verbs)}"
        try:
            return f"ok {self._verbs[verb](*arguments)}".rstrip()
        except (LauncherError, KeyError, TypeError, ValueError) as problem:
            return f"error {verb}: {problem}".replace("\n", " ")

    def _plug(self, slot_text: str, serial: str = "") -> str:
        """Puts a card on the slot's drive. Another serial makes it another drive to whoever looks."""
        slot = int(slot_text)
        self._qmp.wait_gone(self._cards[slot], LEAVE_SECONDS)
        self._plugged += 1
        card = f"card{slot}-{self._plugged}"
        self._qmp.command("device_add", **qemu.card(slot, card, serial))
        self._cards[slot] = card
        return card

    def _elsewhere(self) -> str:
        """Milliseconds of all processors that this machine has spent on others than the guest, and that it has in all."""
        used, idle = _processor_ticks()
        ours = sum(int(word) for word in self._stat.read_text().rpartition(")")[2].split()[11:13])
        each = 1000 // os.sysconf("SC_CLK_TCK")
        return f"{(used - ours) * each} {(used + idle) * each}"

    def _unplug(self, slot_text: str) -> str:
        """The attention button: the guest's kernel is asked, and lets the card go when it is ready to."""
        card = self._cards[int(slot_text)]
        self._qmp.command("device_del", id=card)
        return card


def _processor_ticks() -> tuple[int, int]:
    """Used and idle, since the machine was started."""
    user, nice, system, idle, waiting, *others = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9])
    return user + nice + system + sum(others), idle + waiting
