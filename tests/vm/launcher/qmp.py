"""A small QMP client over a connected socket: commands in, results out, events dropped."""

import json
import socket
import time
from typing import Any

from .errors import LauncherError

ANSWER_SECONDS = 30


class QmpError(LauncherError):
    """QEMU refused a command; the text is QEMU's own."""


class Qmp:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(ANSWER_SECONDS)
        self._stream = connection.makefile("r", encoding="utf-8")
        self._read()  # the greeting
        self.command("qmp_capabilities")

    def command(self, name: str, **arguments: Any) -> Any:
        self._socket.sendall(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self._read()
            if "error" in message:
                raise QmpError(f"{name}: {message['error']['desc']}")
            if "return" in message:
                return message["return"]

    def device_ids(self) -> set[str]:
        """The ids of the devices that were added by name and are still there."""
        return {entry["name"] for entry in self.command("qom-list", path="/machine/peripheral")}

    def wait_gone(self, device: str, seconds: float) -> None:
        """A device leaves some time after the guest let go of it: wait until it has."""
        end = time.monotonic() + seconds
        while device in self.device_ids():
            if time.monotonic() > end:
                raise QmpError(f"{device} is still plugged in after {seconds:g} s")
            time.sleep(0.05)

    def _read(self) -> dict[str, Any]:
        try:
            line = self._stream.readline()
        except TimeoutError:
            raise QmpError(f"QEMU gave no answer within {ANSWER_SECONDS} s") from None
        except OSError:
            line = ""
        if not line:
            raise QmpError("QEMU has gone")
        return json.loads(line)
