"""The machine that a scenario wants. Scenarios with equal shapes share one boot."""

import dataclasses
from dataclasses import dataclass

from .errors import LauncherError


@dataclass(frozen=True)
class Shape:
    memory: int = 2048  # MiB
    cpus: int = 2
    disk: str = ""  # size of the ext4 disk that holds file namespaces, as "4G"; empty: no such disk
    slots: tuple[int, ...] = ()  # PCIe slots with an NVMe drive in each
    drive_size: str = "256M"
    aw_bits: int = 0  # address width of the IOMMU: 48, 39, or 0 for no IOMMU
    hugepages: int = 0  # of 2 MiB

    def describe(self) -> str:
        default = Shape()
        words = []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name in ("memory", "cpus") or value != getattr(default, field.name):
                text = ",".join(map(str, value)) if isinstance(value, tuple) else value
                words.append(f"{field.name.replace('_', '-')}={text}")
        return " ".join(words)

    def changed(self, words: list[str]) -> "Shape":
        """This shape with settings such as "slots=11,12" or "aw-bits=39" applied."""
        changes = {}
        for word in words:
            name, _, value = word.partition("=")
            key = name.replace("-", "_")
            if key not in _READERS:
                raise LauncherError(f"no such machine setting: {word}; known: {' '.join(known())}")
            changes[key] = _READERS[key](value)
        return dataclasses.replace(self, **changes)


def known() -> list[str]:
    return [name.replace("_", "-") for name in _READERS]


def _slots(value: str) -> tuple[int, ...]:
    return tuple(int(slot) for slot in value.split(",") if slot)


_READERS = {
    "memory": int,
    "cpus": int,
    "disk": str,
    "slots": _slots,
    "drive_size": str,
    "aw_bits": int,
    "hugepages": int,
}
