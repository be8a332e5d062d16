"""One boot of the guest: starts QEMU, speaks with the agent inside, and stops that QEMU and no other process."""

import contextlib
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import time

from . import death, qemu
from .channel import Channel, GuestGone
from .console import Console
from .errors import LauncherError
from .guest_requests import GuestRequests
from .kernel import Kernel
from .qmp import Qmp
from .settings import VM, Settings
from .shape import Shape

BOOT_SECONDS = 180
HANG_REPORT_SECONDS = 5
END_SECONDS = 30  # from the end of QEMU's lines to that of QEMU, which may have a core to write
FIRST = -10  # niceness: scenarios measure milliseconds, and a build beside them must not show in these


def _go_first() -> None:
    """Where that is not allowed the guest shares the machine as everybody does."""
    with contextlib.suppress(PermissionError):
        os.nice(FIRST)


class Machine:
    def __init__(
        self, shape: Shape, settings: Settings, kernel: Kernel, initramfs: pathlib.Path, label: str
    ) -> None:
        self.share = settings.logs
        self.share.mkdir(parents=True, exist_ok=True)
        self._said = self.share / f"qemu-{label}.log"
        (self.share / "boot.env").write_text(
            assignments({"VM": VM, "MODULES": kernel.modules, "BUILD": settings.build})
        )
        self._images = settings.cache / f"images-{label}"
        qemu.make_images(shape, self._images)
        with contextlib.ExitStack() as theirs:
            ours, files = self._lines(theirs)
            self._process = subprocess.Popen(
                qemu.command(
                    shape, qemu.Files(kernel, initramfs, self.share, self._images, *files)
                ),
                pass_fds=files,
                stdin=subprocess.DEVNULL,
                stdout=self._said.open("wb"),
                stderr=subprocess.STDOUT,
                preexec_fn=_go_first,
            )
        self.console = Console(ours[0], self.share / f"console-{label}.log")
        self.channel = Channel(ours[1])
        try:
            self.qmp = Qmp(ours[2])
        except LauncherError as problem:
            self.stop()
            said = self._said.read_text(errors="replace")
            raise LauncherError(f"QEMU did not start ({problem}):\n{said}") from None
        self.requests = GuestRequests(shape, self.qmp, self._process.pid)

    def wait_ready(self) -> None:
        """Called once after the start. Raises GuestGone or LauncherError when no agent answers in time."""
        if self.channel.receive(time.monotonic() + BOOT_SECONDS) != "ready":
            raise LauncherError(f"the guest's agent did not answer within {BOOT_SECONDS} s")

    def report_hang(self) -> None:
        """Asks the kernel, through a break on its console, which tasks are blocked; then gives it time to print."""
        with contextlib.suppress(LauncherError, OSError):
            for key in (b"w", b"l"):
                self.qmp.command("chardev-send-break", id="console")
                self.console.send(key)
                time.sleep(HANG_REPORT_SECONDS / 2)

    def wait_end(self) -> None:
        """Until the guest powers itself off (the shell's way out)."""
        self._process.wait()

    def death(self) -> death.Death:
        """Why this guest has ended, or that it has not."""
        try:
            code = self._process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            return death.Death("the guest still runs", False)
        self.console.finish()
        return death.of(code, self.console.tail(1000), self._said.read_text(errors="replace"))

    def stop(self) -> None:
        """Nothing in the guest is worth a shutdown: its disks are thrown away."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if hasattr(self, "console"):
            self.console.finish()
        shutil.rmtree(self._images, ignore_errors=True)

    @staticmethod
    def _lines(theirs: contextlib.ExitStack) -> tuple[list[socket.socket], list[int]]:
        """Three connected socket pairs; QEMU's ends are closed here once it has inherited them."""
        pairs = [socket.socketpair() for _ in range(3)]
        for _, far in pairs:
            theirs.enter_context(far)
        return [near for near, _ in pairs], [far.fileno() for _, far in pairs]


def assignments(variables: dict[str, object], prefix: str = "") -> str:
    """Lines that a shell in the guest sources."""
    return "".join(
        f"{prefix}{name}={shlex.quote(str(value))}\n" for name, value in variables.items()
    )


__all__ = ["GuestGone", "Machine", "assignments"]
