"""Drives the kernel's nvmet through configfs from a fulmard configuration file.

RAM devices become null_blk devices with memory behind them; a "disk" is one of the kernel's, by its path. As with
Fulmar, a namespace's UUID follows from NQN and NSID, so that it survives a restart.
"""

import json
import pathlib
import sys
import uuid

NVMET = pathlib.Path("/sys/kernel/config/nvmet")
NULL_BLOCK = pathlib.Path("/sys/kernel/config/nullb")
FILES = pathlib.Path("/run/nvmet-peer")  # one file per file device: its path
UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def load(config_path: str) -> None:
    config = json.loads(pathlib.Path(config_path).read_text())
    for device in config["devices"]:
        if device["type"] == "ram":
            add_ram_device(device["name"], device["size"])
        elif device["type"] == "disk":
            _add_disk(device["name"], device["path"])
        else:
            _add_file_device(device["name"], device["path"], device["size"])
    for subsystem in config["subsystems"]:
        _add_subsystem(subsystem["nqn"])
        for namespace in subsystem["namespaces"]:
            add_namespace(subsystem["nqn"], namespace["nsid"], namespace["device"])
    for number, listener in enumerate(config["listeners"], start=1):
        _add_port(number, listener, [subsystem["nqn"] for subsystem in config["subsystems"]])


def clear() -> None:
    for link in NVMET.glob("ports/*/subsystems/*"):
        link.unlink()
    for port in NVMET.glob("ports/*"):
        port.rmdir()
    for namespace in NVMET.glob("subsystems/*/namespaces/*"):
        _set(namespace, enable=0)
        namespace.rmdir()
    for subsystem in NVMET.glob("subsystems/*"):
        subsystem.rmdir()
    for device in [*NULL_BLOCK.iterdir(), *FILES.glob("*")]:
        if device.name != "features":
            remove_device(device.name)


def add_ram_device(name: str, size: str) -> None:
    device = NULL_BLOCK / name
    device.mkdir()
    _set(device, size=_bytes(size) >> 20, memory_backed=1, discard=1, power=1)


def remove_device(name: str) -> None:
    if (NULL_BLOCK / name).is_dir():
        _set(NULL_BLOCK / name, power=0)
        (NULL_BLOCK / name).rmdir()
    else:
        (FILES / name).unlink()


def add_namespace(nqn: str, nsid: int | str, device: str) -> None:
    namespace = NVMET / "subsystems" / nqn / "namespaces" / str(nsid)
    namespace.mkdir()
    identity = uuid.uuid5(uuid.NAMESPACE_URL, f"{nqn}/{nsid}")
    file = FILES / device
    path = file.read_text() if file.is_file() else f"/dev/{device}"
    _set(namespace, device_path=path, device_uuid=identity, device_nguid=identity, enable=1)


def remove_namespace(nqn: str, nsid: str) -> None:
    namespace = NVMET / "subsystems" / nqn / "namespaces" / nsid
    _set(namespace, enable=0)
    namespace.rmdir()


def _add_file_device(name: str, path: str, size: str) -> None:
    with open(path, "ab") as file:
        file.truncate(_bytes(size))
    _add_disk(name, path)


def _add_disk(name: str, path: str) -> None:
    FILES.mkdir(exist_ok=True)
    (FILES / name).write_text(path)


def _add_subsystem(nqn: str) -> None:
    subsystem = NVMET / "subsystems" / nqn
    subsystem.mkdir()
    _set(subsystem, attr_allow_any_host=1, attr_serial="FULMAR-PEER")


def _add_port(number: int, listener: dict, nqns: list[str]) -> None:
    port = NVMET / "ports" / str(number)
    port.mkdir()
    family = "ipv6" if ":" in listener["address"] else "ipv4"
    _set(
        port,
        addr_trtype=listener["transport"],
        addr_adrfam=family,
        addr_traddr=listener["address"],
        addr_trsvcid=listener["port"],
    )
    for nqn in nqns:
        (port / "subsystems" / nqn).symlink_to(NVMET / "subsystems" / nqn)


def _bytes(size: str) -> int:
    return int(size[:-3]) * UNITS[size[-3:]]


def _set(folder: pathlib.Path, **attributes: object) -> None:
    for name, value in attributes.items():
        (folder / name).write_text(str(value))


COMMANDS = {
    "load": load,
    "clear": clear,
    "add-ram-device": add_ram_device,
    "remove-device": remove_device,
    "add-namespace": add_namespace,
    "remove-namespace": remove_namespace,
}

if __name__ == "__main__":
    COMMANDS[sys.argv[1]](*sys.argv[2:])
