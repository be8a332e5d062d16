"""What a scenario may ask of the world outside: to plug a drive in, to pull the attention button.

The guest sends `ask VERB WORD...` and waits for one line, `ok ...` or `error ...` (guest/lib/outside.sh).
"""

import time
from collections.abc import Callable

from . import qemu
from .errors import LauncherError
from .qmp import Qmp, QmpError
from .shape import Shape

LEAVE_SECONDS = 20


class GuestRequests:
    def __init__(self, shape: Shape, qmp: Qmp) -> None:
        self._qmp = qmp
        self._cards = {slot: qemu.first_card_id(slot) for slot in shape.slots}
        self._plugged = 0
        self._verbs: dict[str, Callable[..., str]] = {"plug": self._plug, "unplug": self._unplug}

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
        self._add_once_free(
            id=card,
            driver="nvme",
            drive=qemu.drive_node(slot),
            serial=serial or qemu.first_serial(slot),
            bus=qemu.port_id(slot),
        )
        self._cards[slot] = card
        return card

    def _add_once_free(self, **device: str) -> None:
        """The former card leaves the list of devices a moment before it lets go of the drive's image."""
        end = time.monotonic() + LEAVE_SECONDS
        while True:
            try:
                self._qmp.command("device_add", **device)
                return
            except QmpError as refusal:
                if "Permission conflict" not in str(refusal) or time.monotonic() > end:
                    raise
            time.sleep(0.05)

    def _unplug(self, slot_text: str) -> str:
        """The attention button: the guest's kernel is asked, and lets the card go when it is ready to."""
        card = self._cards[int(slot_text)]
        self._qmp.command("device_del", id=card)
        return card
