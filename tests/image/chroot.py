"""Runs the Dockerfile's steps, or any command, on a fresh Debian 12 without a container engine.

    python3 tests/image/chroot.py                      every step, then the entry point
    python3 tests/image/chroot.py --fresh './dev test unit'    one command in a copy of the tree

Needs root, debootstrap and a Debian mirror, and takes minutes: it is no part of `./dev test`. A
clean minimal Debian is unpacked once into build/image/base; each stage works on a copy of it. The
machine's own apt settings are lent to the copies, as an engine lends its network. docs/docker.md
has the results.
"""

import argparse
import json
import pathlib
import shlex
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/lint"))

from checks_tree import Image  # noqa: E402  (needs the path above)
from framework import list_files  # noqa: E402

FOLDER = ROOT / "build/image"
PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, **options)


def fresh_root(name):
    """A copy of the minimal Debian that was unpacked once."""
    base = FOLDER / "base"
    if not base.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        unfinished = FOLDER / "base.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        print("== unpacking a minimal Debian 12", flush=True)
        run("debootstrap", "--variant=minbase", "bookworm", unfinished, stdout=subprocess.DEVNULL)
        (unfinished / "etc/apt/sources.list").unlink(missing_ok=True)
        for part in ("sources.list", "sources.list.d", "apt.conf.d"):
            if pathlib.Path("/etc/apt", part).exists():
                run("cp", "-a", f"/etc/apt/{part}", unfinished / "etc/apt/")
        unfinished.rename(base)
    root = FOLDER / name
    shutil.rmtree(root, ignore_errors=True)
    run("cp", "-a", "--reflink=auto", base, root)
    return root


def inside(root, command, user="root", folder="/"):
    """Runs a shell command in the root, with /proc, /sys and /dev that vanish when it ends."""
    account = [] if user == "root" else ["--userspec", user]
    script = (f"mount -t proc proc {root}/proc && mount --rbind /sys {root}/sys && "
              f"mount --rbind /dev {root}/dev && cp -L /etc/resolv.conf {root}/etc/resolv.conf; "
              f"exec chroot {shlex.join(account)} {root} /usr/bin/env -i {PATH} HOME=/tmp "
              f"TERM=dumb sh -c {shlex.quote(f'cd {folder} && {command}')}")
    return subprocess.run(["unshare", "--mount", "--fork", "sh", "-c", script],
                          stdin=subprocess.DEVNULL, check=False).returncode


class Stage:
    def __init__(self, number):
        self.root = fresh_root(f"stage-{number}")
        self.user = "root"
        self.folder = "/"

    def copy(self, rest, stages):
        options = [w for w in rest.split() if w.startswith("--")]
        *sources, target = [w for w in rest.split() if not w.startswith("--")]
        into = self.root / str(pathlib.PurePosixPath(self.folder) / target).lstrip("/")
        many = len(sources) > 1 or target.endswith("/")
        (into if many else into.parent).mkdir(parents=True, exist_ok=True)
        origin = ROOT
        for option in options:
            if option.startswith("--from="):
                origin = stages[option.removeprefix("--from=")].root
        for source in sources:
            found = origin / source.lstrip("/")
            if found.is_dir():
                run("cp", "-a", f"{found}/.", f"{into}/" if into.exists() else into)
            else:
                run("cp", "-a", found, into)
        for option in options:
            if option.startswith("--chown="):
                name = str(into.relative_to(self.root))
                inside(self.root, f"chown -R {option.removeprefix('--chown=')} /{name}")

    def step(self, instruction, rest, stages):
        if instruction == "WORKDIR":
            self.folder = rest
            (self.root / rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif instruction == "USER":
            self.user = rest
        elif instruction == "COPY":
            self.copy(rest, stages)
        elif instruction == "RUN":
            status = inside(self.root, rest, self.user, self.folder)
            if status != 0:
                sys.exit(f"FAIL: RUN {rest}: exit status {status}")


def build_image():
    stages, stage, entry = {}, None, []
    for line, instruction, rest in Image.instructions((ROOT / "Dockerfile").read_text()):
        start = time.monotonic()
        print(f"== {line}: {instruction} {rest}", flush=True)
        if instruction == "FROM":
            stage = Stage(len(stages))
            stages[rest.split(" AS ")[-1]] = stage
        elif instruction == "ENTRYPOINT":
            entry = json.loads(rest)
        else:
            stage.step(instruction, rest, stages)
        print(f"   {time.monotonic() - start:.1f} s", flush=True)
    return stage, entry


def try_image(stage, entry):
    """As the image's user: does the daemon accept its configuration, does the tool load?"""
    for words in ([*entry, "--check-config"], ["fulmar", "--help"]):
        command = shlex.join(words)
        print(f"== as {stage.user}: {command}", flush=True)
        if inside(stage.root, command, stage.user, stage.folder) != 0:
            sys.exit(f"FAIL: {command}")
    for root in (FOLDER / "base", stage.root):
        size = run("du", "-sm", root, capture_output=True, text=True).stdout.split()[0]
        print(f"{root.name}: {size} MiB")
    print("the image builds and starts")


def run_fresh(command):
    root = fresh_root("fresh")
    tree = root / "src"
    for name in list_files(ROOT):
        source = ROOT / name
        if source.exists():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, tree / name)
    start = time.monotonic()
    status = inside(root, command, folder="/src")
    print(f"exit status {status} after {(time.monotonic() - start) / 60:.1f} minutes")
    return status


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fresh", metavar="COMMAND", help="run this in a copy of the tree instead")
    arguments = parser.parse_args()
    if arguments.fresh:
        return run_fresh(arguments.fresh)
    try_image(*build_image())
    return 0


if __name__ == "__main__":
    sys.exit(main())
