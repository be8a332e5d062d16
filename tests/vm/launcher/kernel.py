"""Fetches a Debian kernel package and unpacks it into the cache; nothing is installed.

6.12 is preferred, because its host has TLS and in-band authentication for nvme-tcp; 6.1 is what Debian 12 started
with and works too. A kernel that is already in the cache is used without asking the network.
"""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass

from .errors import LauncherError

PREFERRED = re.compile(r"linux-image-(6\.12\.\d+)\+deb12-amd64-unsigned")
FALLBACK = re.compile(r"linux-image-(6\.1\.0-\d+)-amd64-unsigned")


@dataclass(frozen=True)
class Kernel:
    root: pathlib.Path  # the unpacked package
    release: str  # what uname -r prints in the guest

    @property
    def image(self) -> pathlib.Path:
        return self.root / "boot" / f"vmlinuz-{self.release}"

    @property
    def modules(self) -> pathlib.Path:
        return self.root / "lib" / "modules"


def ensure(cache: pathlib.Path) -> Kernel:
    store = cache / "kernel"
    package = os.environ.get("FULMAR_VM_KERNEL") or _newest_cached(store) or _newest_offered()
    if not (store / package).is_dir():
        _fetch(package, store)
    return _open(store / package)


def newest(names: list[str]) -> str | None:
    """The newest preferred package among `names`, else the newest fallback."""
    for pattern in (PREFERRED, FALLBACK):
        matches = [m for m in map(pattern.fullmatch, names) if m]
        if matches:
            return max(matches, key=lambda m: _version_key(m[1]))[0]
    return None


def _version_key(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _newest_cached(store: pathlib.Path) -> str | None:
    return newest([entry.name for entry in store.iterdir()]) if store.is_dir() else None


def _newest_offered() -> str:
    listing = subprocess.run(
        ["apt-cache", "pkgnames", "linux-image-6.1"], capture_output=True, text=True, check=True
    )
    package = newest(listing.stdout.split())
    if package is None:
        raise LauncherError(
            "apt-cache knows no Debian 12 kernel package: run apt-get update, then try again"
        )
    return package


def _fetch(package: str, store: pathlib.Path) -> None:
    """Unpacks beside the final place and renames, so that an interrupted run leaves nothing half done."""
    store.mkdir(parents=True, exist_ok=True)
    print(f"fetching {package} (about 110 MB, once)", flush=True)
    with tempfile.TemporaryDirectory(dir=store, prefix=".fetch-") as scratch:
        fetched = subprocess.run(
            ["apt-get", "download", package],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
        archives = list(pathlib.Path(scratch).glob("*.deb"))
        if fetched.returncode != 0 or not archives:
            raise LauncherError(f"apt-get download {package} failed:\n{fetched.stderr.strip()}")
        root = pathlib.Path(scratch) / "root"
        subprocess.run(["dpkg", "-x", str(archives[0]), str(root)], check=True)
        shutil.rmtree(root / "usr" / "share", ignore_errors=True)
        release = _open(root).release
        subprocess.run([_depmod(), "-b", str(root), release], check=True)
        root.rename(store / package)


def _open(root: pathlib.Path) -> Kernel:
    (release,) = [entry.name for entry in (root / "lib" / "modules").iterdir()]
    return Kernel(root=root, release=release)


def _depmod() -> str:
    """An unprivileged user's PATH has no sbin."""
    return shutil.which("depmod", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or "depmod"
