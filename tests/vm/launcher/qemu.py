"""Turns a shape into QEMU's command line. Why each switch is there: docs/vm.md."""

import json
import os
import pathlib
from dataclasses import dataclass

from .kernel import Kernel
from .shape import Shape


@dataclass(frozen=True)
class Files:
    """What one boot uses, and the descriptors of its three serial lines."""

    kernel: Kernel
    initramfs: pathlib.Path
    share: pathlib.Path
    images: pathlib.Path
    console_fd: int
    channel_fd: int
    qmp_fd: int


def command(shape: Shape, files: Files) -> list[str]:
    return [
        # the launcher's death takes this QEMU along, however the launcher dies
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        "qemu-system-x86_64",
        "-no-user-config",
        "-nodefaults",
        "-display",
        "none",
        "-nic",
        "none",
        "-no-reboot",
        "-machine",
        "q35,kernel-irqchip=split",
        *_accelerator(),
        "-smp",
        str(shape.cpus),
        "-m",
        str(shape.memory),
        "-global",
        "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
        *_serial_lines(files),
        *_shared_folder("machine", pathlib.Path("/"), ",readonly=on,multidevs=remap"),
        *_shared_folder("share", files.share, ""),
        *_iommu(shape),
        *_disk(shape, files.images),
        *_slots(shape, files.images),
        "-kernel",
        str(files.kernel.image),
        "-initrd",
        str(files.initramfs),
        "-append",
        _kernel_line(shape),
    ]


def make_images(shape: Shape, folder: pathlib.Path) -> None:
    """Sparse and empty: a boot never sees what another one wrote."""
    sizes = {"disk": shape.disk} if shape.disk else {}
    sizes |= {drive_node(slot): shape.drive_size for slot in shape.slots}
    folder.mkdir(parents=True, exist_ok=True)
    for name, size in sizes.items():
        with (folder / f"{name}.img").open("wb") as image:
            image.truncate(size_bytes(size))


def size_bytes(text: str) -> int:
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1]] if text[-1] in units else int(text)


def drive_node(slot: int) -> str:
    return f"drive{slot}"


def port_id(slot: int) -> str:
    return f"rp{slot}"


def first_card_id(slot: int) -> str:
    return f"card{slot}-0"


def first_serial(slot: int) -> str:
    return f"DRIVE{slot}"


def _accelerator() -> list[str]:
    """Emulation everywhere, so that times and CPU features are the same on every machine; KVM only when asked for.

    Without fast string instructions, which the kernel would copy with and the emulator does byte by byte.
    """
    if os.environ.get("FULMAR_VM_ACCEL", "tcg") == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    return ["-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm"]


def _kernel_line(shape: Shape) -> str:
    words = [
        "console=ttyS0",
        "loglevel=5",
        "log_buf_len=4M",
        "panic=-1",
        "oops=panic",
        "sysrq_always_enabled",
        "mitigations=off",
        "norandmaps",  # what has been translated of a library serves the next process, too
        "tsc=unstable",
        "no_timer_check",
        "trace_clock=local",
    ]
    if shape.aw_bits:
        words.append("intel_iommu=on")
    if shape.hugepages:
        words.append(f"hugepages={shape.hugepages}")
    return " ".join(words)


def _serial_lines(files: Files) -> list[str]:
    return [
        "-chardev",
        f"socket,id=console,fd={files.console_fd}",
        "-serial",
        "chardev:console",
        "-chardev",
        f"socket,id=channel,fd={files.channel_fd}",
        "-serial",
        "chardev:channel",
        "-chardev",
        f"socket,id=qmp,fd={files.qmp_fd}",
        "-mon",
        "chardev=qmp,mode=control",
    ]


def _shared_folder(tag: str, path: pathlib.Path, options: str) -> list[str]:
    escaped = str(path).replace(",", ",,")
    return [
        "-fsdev",
        f"local,id={tag},path={escaped},security_model=none{options}",
        "-device",
        f"virtio-9p-pci,fsdev={tag},mount_tag={tag}",
    ]


def _iommu(shape: Shape) -> list[str]:
    if not shape.aw_bits:
        return []
    return ["-device", f"intel-iommu,intremap=on,caching-mode=on,aw-bits={shape.aw_bits}"]


def _disk(shape: Shape, images: pathlib.Path) -> list[str]:
    """SCSI on virtio, because virtio-blk knows no FUA: here a FUA write and a flush are told apart."""
    if not shape.disk:
        return []
    return [
        *_image("disk", images),
        "-device",
        "virtio-scsi-pci,id=scsi",
        "-device",
        "scsi-hd,bus=scsi.0,drive=disk,dpofua=on,serial=FILES",
    ]


def _slots(shape: Shape, images: pathlib.Path) -> list[str]:
    words = []
    for slot in shape.slots:
        words += [
            "-device",
            f"pcie-root-port,id={port_id(slot)},slot={slot},chassis={slot},bus=pcie.0",
        ]
        words += _image(drive_node(slot), images)
        words += ["-device", ",".join(f"{key}={value}" for key, value in card(slot, first_card_id(slot)).items())]
    return words


def card(slot: int, name: str, serial: str = "") -> dict[str, str]:
    """An NVMe drive in a slot. QEMU lets go of the image of a card that left when nothing in it refers to the card
    any more, which can be much later; so the image may have two cards, of which only one is in the machine."""
    return {
        "driver": "nvme",
        "id": name,
        "drive": drive_node(slot),
        "serial": serial or first_serial(slot),
        "bus": port_id(slot),
        "share-rw": "on",
    }


def _image(node: str, images: pathlib.Path) -> list[str]:
    """A block node of its own, so that the image outlives a card that is pulled. Flushes stop at QEMU: nobody
    cuts this machine's power, and an fsync on the developer's disk would only cost time."""
    return [
        "-blockdev",
        json.dumps(
            {
                "driver": "raw",
                "node-name": node,
                "discard": "unmap",
                "cache": {"direct": False, "no-flush": True},
                "file": {
                    "driver": "file",
                    "filename": str(images / f"{node}.img"),
                    "discard": "unmap",
                    "cache": {"direct": False, "no-flush": True},
                },
            }
        ),
    ]
