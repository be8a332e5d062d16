"""The line channel to the agent in the guest (its second serial port)."""

import socket
import time


class GuestGone(Exception):
    """QEMU has ended: the guest panicked or powered off."""


class Channel:
    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._pending = b""

    def send(self, line: str) -> None:
        try:
            self._socket.sendall(line.encode() + b"\n")
        except OSError:
            raise GuestGone from None

    def receive(self, until: float) -> str | None:
        """The next line from the guest, or None when the monotonic time `until` has come."""
        while b"\n" not in self._pending:
            self._socket.settimeout(max(until - time.monotonic(), 0.001))
            try:
                data = self._socket.recv(4096)
            except TimeoutError:
                return None
            except OSError:
                raise GuestGone from None
            if not data:
                raise GuestGone
            self._pending += data
        line, self._pending = self._pending.split(b"\n", 1)
        return line.decode(errors="replace").strip()
