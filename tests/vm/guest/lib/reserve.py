"""The kernel's persistent reservations of a disk (linux/pr.h), which none of the guest's tools asks for.

reserve.py DISK register OLD NEW | reserve KEY TYPE | release KEY TYPE | preempt OWN VICTIM TYPE
                | preempt-abort OWN VICTIM TYPE | clear KEY
"""

import fcntl
import struct
import sys

TYPES = {
    "write-exclusive": 1,
    "exclusive-access": 2,
    "write-exclusive-registrants": 3,
    "exclusive-access-registrants": 4,
    "write-exclusive-all": 5,
    "exclusive-access-all": 6,
}


def request(number: int, argument: bytes) -> tuple[int, bytearray]:
    write = 1
    code = write << 30 | len(argument) << 16 | ord("p") << 8 | number
    return code, bytearray(argument)  # what can be changed lets ioctl() return the status


def of(verb: str, words: list[str]) -> tuple[int, bytearray]:
    numbers = [TYPES[word] if word in TYPES else int(word, 0) for word in words]
    if verb == "register":
        return request(200, struct.pack("=QQII", *numbers, 0, 0))
    if verb in ("reserve", "release"):
        return request(201 if verb == "reserve" else 202, struct.pack("=QII", *numbers, 0))
    if verb in ("preempt", "preempt-abort"):
        return request(203 if verb == "preempt" else 204, struct.pack("=QQII", *numbers, 0))
    if verb == "clear":
        return request(205, struct.pack("=QII", *numbers, 0, 0))
    raise SystemExit(__doc__)


def main() -> None:
    with open(sys.argv[1], "rb") as disk:
        status = fcntl.ioctl(disk, *of(sys.argv[2], sys.argv[3:]))
    if status != 0:
        raise SystemExit(f"{' '.join(sys.argv[1:])}: NVMe status {status:#x}")


main()
