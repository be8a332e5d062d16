"""The parts of the launcher that need no guest: python3 -m unittest discover -s tests/vm -t tests/vm"""

import pathlib
import socket
import subprocess
import tempfile
import time
import unittest

from launcher import channel, cpio, death, initramfs, kernel, qemu, scenario, shape, verdict
from launcher.errors import LauncherError


class Shapes(unittest.TestCase):
    def test_equal_words_make_equal_shapes(self):
        one = shape.Shape().changed(["slots=11,12", "aw-bits=39"])
        two = shape.Shape().changed(["aw-bits=39", "slots=11,12"])
        self.assertEqual(one, two)
        self.assertEqual(one.describe(), "memory=2048 cpus=2 slots=11,12 aw-bits=39")

    def test_an_unknown_setting_is_refused(self):
        with self.assertRaisesRegex(LauncherError, "no such machine setting: slot=11"):
            shape.Shape().changed(["slot=11"])


class Scenarios(unittest.TestCase):
    HEAD = (
        "#!/bin/bash\n# What it proves: much.\n# shape: disk=4G\n# deadline: 9\n# needs: target\n"
    )

    def test_header_and_variant(self):
        text = self.HEAD + "# variant: other REACTORS=3 aw-bits=39\n\n# not: read\n"
        main, other = scenario.parse(pathlib.Path("some.sh"), text)
        self.assertEqual(
            (main.name, main.purpose, main.deadline, main.needs_target),
            ("some", "What it proves: much.", 9, True),
        )
        self.assertEqual(
            (other.name, other.environment, other.shape.aw_bits, other.shape.disk),
            ("other", {"REACTORS": "3"}, 39, "4G"),
        )

    def test_a_soak_repeats_more_and_takes_longer(self):
        text = self.HEAD + "# soak: CYCLES=100 deadline=90\n# variant: other CYCLES=3\n"
        main, other = scenario.parse(pathlib.Path("some.sh"), text)
        self.assertEqual((main.environment, main.deadline), ({}, 9))
        soak = scenario.for_soak(main)
        self.assertEqual((soak.environment, soak.deadline), ({"CYCLES": "100"}, 90))
        self.assertEqual(other.soak, {})

    def test_a_mistyped_header_is_refused(self):
        with self.assertRaisesRegex(LauncherError, "cannot read the header line: dedline: 9"):
            scenario.parse(pathlib.Path("some.sh"), self.HEAD + "# dedline: 9\n")

    def test_all_scenarios_of_the_tree_can_be_read(self):
        found = scenario.load_all()
        self.assertIn("kernel-host-tcp", found)
        self.assertTrue(all(one.purpose for one in found.values()))


class Kernels(unittest.TestCase):
    def test_newest_preferred_then_fallback(self):
        old = ["linux-image-6.1.0-9-amd64-unsigned", "linux-image-6.1.0-56-amd64-unsigned"]
        new = [
            "linux-image-6.12.99+deb12-amd64-unsigned",
            "linux-image-6.12.101+deb12-amd64-unsigned",
            "linux-image-6.12.200+deb12-rt-amd64-unsigned",
            "linux-image-6.12.101+deb12-amd64",
        ]
        self.assertEqual(kernel.newest(old), old[1])
        self.assertEqual(kernel.newest(old + new), new[1])
        self.assertIsNone(kernel.newest(["linux-image-amd64"]))

    def test_modules_load_after_what_they_need(self):
        needs = {
            "a/9p.ko.xz": ["b/9pnet.ko.xz"],
            "b/9pnet.ko.xz": [],
            "c/9pnet-virtio.ko": ["b/9pnet.ko.xz"],
        }
        order = initramfs.load_order(needs, ("9pnet_virtio", "9p", "virtio_pci"))
        self.assertEqual(order, ["b/9pnet.ko.xz", "c/9pnet-virtio.ko", "a/9p.ko.xz"])


class Archives(unittest.TestCase):
    def test_busybox_reads_what_we_write(self):
        archive = cpio.Archive()
        archive.directory("d")
        archive.file("d/f", b"content", executable=True)
        archive.link("l", "d/f")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["busybox", "cpio", "-i"],
                input=archive.finish(),
                cwd=folder,
                check=True,
                stderr=subprocess.DEVNULL,
            )
            self.assertEqual((pathlib.Path(folder) / "l").read_bytes(), b"content")


class CommandLine(unittest.TestCase):
    def test_each_slot_has_its_port_and_its_card(self):
        files = qemu.Files(
            kernel.Kernel(pathlib.Path("/k"), "6.12"),
            pathlib.Path("/i"),
            pathlib.Path("/s,h"),
            pathlib.Path("/img"),
            3,
            4,
            5,
        )
        words = " ".join(
            qemu.command(shape.Shape().changed(["slots=11,12", "aw-bits=39", "hugepages=7"]), files)
        )
        for part in (
            "id=rp12,slot=12",
            "drive=drive11,serial=DRIVE11,bus=rp11",
            "aw-bits=39",
            "hugepages=7",
            "intel_iommu=on",
            "path=/s,,h",
        ):
            self.assertIn(part, words)

    def test_sizes(self):
        self.assertEqual(
            [qemu.size_bytes(text) for text in ("7", "2K", "3M", "4G")], [7, 2048, 3 << 20, 4 << 30]
        )


class Channels(unittest.TestCase):
    def test_lines_deadline_and_end(self):
        near, far = socket.socketpair()
        self.addCleanup(near.close)
        line = channel.Channel(near)
        far.sendall(b"one\r\ntwo\nth")
        self.assertEqual([line.receive(time.monotonic() + 5) for _ in range(2)], ["one", "two"])
        self.assertIsNone(line.receive(time.monotonic() + 0.01))
        far.close()
        with self.assertRaises(channel.GuestGone):
            line.receive(time.monotonic() + 5)


class Deaths(unittest.TestCase):
    def test_a_crash_of_the_emulator_is_its_own(self):
        found = death.of(-6, "[    9.1] all is well", "qemu: warning: x\nqemu: hw/pci: assertion failed\n")
        self.assertEqual(found.reason, "the guest died: QEMU ended by SIGABRT: qemu: hw/pci: assertion failed")
        self.assertTrue(found.of_emulator)

    def test_a_machine_without_memory_is_not_the_emulators_fault(self):
        self.assertEqual(death.of(-9, "", ""), death.Death("the guest died: QEMU ended by SIGKILL", False))

    def test_the_first_words_of_a_kernel_that_died_and_where(self):
        console = (
            "[   11.9] BUG: kernel NULL pointer dereference, address: 0000000000000008\n"
            "[   12.0] Oops: 0000 [#1] PREEMPT SMP NOPTI\n"
            "[   12.0] RIP: 0010:nvme_timeout+0x4d/0x5e0 [nvme]\n"
            "[   12.1] Kernel panic - not syncing: Fatal exception\n"
        )
        found = death.of(0, console, "")
        self.assertEqual(
            found.reason,
            "the guest's kernel died: BUG: kernel NULL pointer dereference, address: 0000000000000008 at nvme_timeout+0x4d",
        )
        self.assertFalse(found.of_emulator)

    def test_a_stale_breakpoint_is_the_emulators(self):
        self.assertTrue(death.of(0, "[ 3.0] Oops: int3: 0000 [#1] SMP\n", "").of_emulator)

    def test_a_guest_that_ended_in_silence(self):
        self.assertEqual(death.of(0, "", "").reason, "the guest died: QEMU ended with code 0")


class Verdicts(unittest.TestCase):
    def test_count(self):
        results = [verdict.Verdict("a", outcome, 1) for outcome in verdict.Outcome]
        self.assertEqual(verdict.count(results), "1 passed, 1 failed, 1 skipped")
        self.assertTrue(verdict.failed(results))
        self.assertFalse(verdict.failed(results[:1]))
        self.assertEqual(results[0].line(), "PASS a (1.0 s)")


if __name__ == "__main__":
    unittest.main()
