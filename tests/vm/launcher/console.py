"""Keeps the guest's serial console: all of it in a file, and its last lines at hand for a failure report."""

import os
import pathlib
import socket
import threading

TAIL_LINES = 40


class Console:
    def __init__(self, connection: socket.socket, log: pathlib.Path) -> None:
        self._socket = connection
        self._log = log
        self._echo: int | None = None
        self._log.parent.mkdir(parents=True, exist_ok=True)
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def echo_to(self, descriptor: int) -> None:
        """From now on the output also goes there (`vm shell`)."""
        self._echo = descriptor

    def tail(self, lines: int = TAIL_LINES) -> str:
        text = self._log.read_text(errors="replace").replace("\r", "")
        return "\n".join(text.splitlines()[-lines:])

    def finish(self) -> None:
        """Called when QEMU has ended: the rest of the output is in the socket and no more will come."""
        self._reader.join(timeout=5)

    def _drain(self) -> None:
        with self._log.open("wb", buffering=0) as log:
            while data := self._receive():
                log.write(data)
                if self._echo is not None:
                    os.write(self._echo, data)

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except OSError:
            return b""
