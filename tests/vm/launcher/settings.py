"""Where things are. Every path is found at run time; none is written into a file."""

import os
import pathlib
from dataclasses import dataclass

TREE = pathlib.Path(__file__).resolve().parents[3]
VM = TREE / "tests" / "vm"


@dataclass(frozen=True)
class Settings:
    cache: pathlib.Path  # kernel, initramfs, disk images, logs
    build: pathlib.Path  # holds bin/fulmard and bin/fulmar
    target: str  # what serves the namespaces: "fulmar", or "nvmet" (the guest kernel's own)

    @property
    def logs(self) -> pathlib.Path:
        return self.cache / "logs"


def load(target: str) -> Settings:
    return Settings(
        cache=_from_environment("FULMAR_CACHE", "build/vm"),
        build=_from_environment("FULMAR_BUILD", "build/release"),
        target=target,
    )


def _from_environment(name: str, default: str) -> pathlib.Path:
    """A relative path counts from the top of the tree, wherever the caller stands."""
    return (TREE / (os.environ.get(name) or default)).resolve()
