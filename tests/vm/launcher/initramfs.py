"""Builds the small initramfs: busybox, guest/init, and the few modules that mount the machine's own root over 9p."""

import gzip
import lzma
import pathlib
import shutil

from .cpio import Archive
from .errors import LauncherError
from .kernel import Kernel
from .settings import VM

MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")  # what is built in is passed over


def build(kernel: Kernel, cache: pathlib.Path) -> pathlib.Path:
    archive = Archive()
    for directory in ("bin", "dev", "proc", "sys", "modules", "machine", "layer", "root"):
        archive.directory(directory)
    archive.character_device("dev/console", 5, 1)
    archive.file("bin/busybox", _busybox().read_bytes(), executable=True)
    archive.link("bin/sh", "busybox")
    archive.file("init", (VM / "guest" / "init").read_bytes(), executable=True)
    order = load_order(_dependencies(kernel), MODULES)
    for path in order:
        archive.file(
            "modules/" + module_name(path) + ".ko", _plain(kernel.modules / kernel.release / path)
        )
    archive.file("modules/order", "".join(module_name(path) + "\n" for path in order).encode())

    target = cache / f"initramfs-{kernel.release}"
    scratch = target.with_suffix(".new")
    scratch.write_bytes(gzip.compress(archive.finish(), compresslevel=1))
    return scratch.replace(target)


def module_name(path: str) -> str:
    return pathlib.PurePath(path).name.split(".ko")[0].replace("-", "_")


def load_order(dependencies: dict[str, list[str]], wanted: tuple[str, ...]) -> list[str]:
    """Paths of `wanted` and of all they need, the needed ones first. What is built in is not in modules.dep."""
    by_name = {module_name(path): path for path in dependencies}
    order: list[str] = []

    def visit(path: str) -> None:
        for needed in dependencies[path]:
            visit(needed)
        if path not in order:
            order.append(path)

    for name in wanted:
        if name in by_name:
            visit(by_name[name])
    return order


def _dependencies(kernel: Kernel) -> dict[str, list[str]]:
    lines = (kernel.modules / kernel.release / "modules.dep").read_text().splitlines()
    return {path: needs.split() for path, needs in (line.split(":") for line in lines)}


def _plain(path: pathlib.Path) -> bytes:
    """busybox insmod reads no compressed modules."""
    data = path.read_bytes()
    return lzma.decompress(data) if path.suffix == ".xz" else data


def _busybox() -> pathlib.Path:
    found = shutil.which("busybox", path="/bin:/usr/bin")
    if not found:
        raise LauncherError("busybox is missing: install busybox-static")
    return pathlib.Path(found)
