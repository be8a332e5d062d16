"""What is measured on, and the processes that take part. Everything started here ends here."""

import contextlib
import json
import os
import pathlib
import platform
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time

NQN = "nqn.2026-11.io.fulmar:bench"
NAMESPACE = "1GiB"


class BenchError(Exception):
    """A program that did not do its part."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def on_cpu(cpu, realtime):
    def prepare():
        os.sched_setaffinity(0, {cpu})
        if realtime:
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))

    return prepare


class Process:
    """A child, stopped by its pid."""

    def __init__(self, command, cpu, log, realtime=False):
        self.log = open(log, "ab")
        self.popen = subprocess.Popen(
            [str(c) for c in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self.log,
            preexec_fn=on_cpu(cpu, realtime),
        )

    @property
    def pid(self):
        return self.popen.pid

    def line(self):
        return self.popen.stdout.readline().decode()

    def stop(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(15)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.popen.stdout.close()
        self.log.close()


class Target(Process):
    """A running fulmard."""

    def __init__(self, machine, *, limits=None, memory=None, wrapper=()):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=machine.work))
        config = {
            "admin": {"unix_socket": str(self.folder / "admin.sock")},
            "state_dir": str(self.folder),
            "cores": {"data": 1, "cpus": [machine.target_cpu]},
            "listeners": [{"transport": "tcp", "address": "127.0.0.1", "port": self.port}],
            "devices": [{"name": "ram0", "type": "ram", "size": NAMESPACE, "block_size": 4096}],
            "subsystems": [
                {"nqn": NQN, "allow_any_host": True, "namespaces": [{"nsid": 1, "device": "ram0"}]}
            ],
        }
        config.update(
            {key: value for key, value in (("limits", limits), ("memory", memory)) if value}
        )
        file = self.folder / "fulmard.json"
        file.write_text(json.dumps(config, indent=2))
        self.began = time.monotonic()
        super().__init__(
            [*wrapper, machine.program("fulmard"), "--config", file],
            machine.target_cpu,
            machine.work / "fulmard.log",
            machine.options.realtime,
        )

    def first_accept_s(self, patience_s=10):
        """Seconds from exec until a connection was accepted and its ICReq answered."""
        request = struct.pack("<BBBBIHBBI112x", 0, 0, 128, 0, 128, 0, 0, 0, 0)
        while time.monotonic() - self.began < patience_s:
            if self.popen.poll() is not None:
                raise BenchError(f"fulmard ended with code {self.popen.returncode}")
            with contextlib.suppress(OSError), socket.create_connection(
                ("127.0.0.1", self.port), timeout=patience_s
            ) as s:
                s.sendall(request)
                if s.recv(1) == b"\x01":
                    return time.monotonic() - self.began
            time.sleep(0.001)
        raise BenchError("fulmard does not accept connections")

    def cpu_seconds(self):
        """Of all threads, to the nanosecond; /proc/PID/stat counts in hundredths of a second."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task")
        return sum(int((t / "schedstat").read_text().split()[0]) for t in tasks.iterdir()) / 1e9

    def resident_kib(self):
        """VmRSS + HugetlbPages."""
        kib = 0
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(("VmRSS:", "HugetlbPages:")):
                kib += int(line.split()[1])
        return kib

    def arguments(self):
        return ["--port", str(self.port), "--nqn", NQN]


class Machine:
    """The two CPUs, the programs, and a folder for logs and state."""

    def __init__(self, options):
        cpus = sorted(os.sched_getaffinity(0))
        self.options = options
        self.target_cpu = cpus[0] if options.target_cpu is None else options.target_cpu
        self.load_cpu = cpus[-1] if options.load_cpu is None else options.load_cpu
        if self.target_cpu == self.load_cpu:
            raise SystemExit("bench: two CPUs are needed, one for each side")
        for name in ("fulmard", "fulmar", "fulmar-ceiling"):
            if not self.program(name).exists():
                raise SystemExit(f"bench: {self.program(name)} is missing: ./dev build release")
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="fulmar-bench-"))
        self._target = None
        self._ceiling = None
        self._ceiling_port = None

    def program(self, name):
        return (self.options.bin / name).resolve()

    def run(self, command, timeout_s):
        """A program of the load side; its JSON."""
        done = subprocess.run(
            [str(c) for c in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            preexec_fn=on_cpu(self.load_cpu, self.options.realtime),
        )
        if done.returncode != 0:
            raise BenchError(
                f"{pathlib.Path(command[0]).name} failed ({done.returncode}): "
                f"{done.stderr.decode().strip()[-500:]}"
            )
        return json.loads(done.stdout)

    def target(self):
        """The target of the speed rows, its namespace written once. Queues take 128 commands."""
        if self._target is None:
            self._target = Target(self, limits={"queue_depth": 256})
            self._target.first_accept_s()
            self.fill(self._target)
        return self._target

    def fill(self, target):
        done = subprocess.run(
            [str(self.program("fulmar")), "write", "--pattern", "1", *target.arguments()],
            capture_output=True,
            timeout=300,
            preexec_fn=on_cpu(self.load_cpu, self.options.realtime),
        )
        if done.returncode != 0:
            raise BenchError(f"cannot fill the namespace: {done.stderr.decode().strip()}")

    def load(self, target, *arguments, seconds=None, warmup=0.3):
        seconds = seconds or self.options.seconds
        return self.run(
            [
                self.program("fulmar"),
                "perf",
                *target.arguments(),
                "--target-pid",
                target.pid,
                "--seconds",
                seconds,
                "--warmup",
                min(warmup, seconds),
                "--json",
                "-",
                "--quiet",
                *arguments,
            ],
            timeout_s=seconds + 60,
        )

    def ceiling(self, *arguments):
        if self._ceiling is None:
            self._ceiling = Process(
                [self.program("fulmar-ceiling"), "server"],
                self.target_cpu,
                self.work / "ceiling.log",
                self.options.realtime,
            )
            self._ceiling_port = json.loads(self._ceiling.line())["port"]
        seconds = self.options.seconds
        return self.run(
            [
                self.program("fulmar-ceiling"),
                "client",
                "--port",
                self._ceiling_port,
                "--seconds",
                seconds,
                "--warmup",
                min(0.3, seconds),
                *arguments,
            ],
            timeout_s=seconds + 60,
        )

    def close(self):
        for process in (self._target, self._ceiling):
            if process is not None:
                process.stop()
        shutil.rmtree(self.work, ignore_errors=True)

    def facts(self):
        model = "unknown"
        for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
        return {
            "cpu": model,
            "cpus": os.cpu_count(),
            "kernel": platform.release(),
            "target_cpu": self.target_cpu,
            "load_cpu": self.load_cpu,
            "load_average": round(os.getloadavg()[0], 2),
        }

    def describe(self):
        facts = self.facts()
        busy = "" if facts["load_average"] < 0.5 else " NOT QUIET: numbers will suffer."
        return (
            f"{facts['cpu']}, {facts['cpus']} CPUs, Linux {facts['kernel']}; target on CPU "
            f"{self.target_cpu}, load on CPU {self.load_cpu}; load average "
            f"{facts['load_average']}.{busy}"
        )
