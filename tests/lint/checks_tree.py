"""Checks of everything that is not C++: documents, scripts, packaging, the service."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import rules
from framework import Check, Skip

TOP = ("src/", "include/", "config/", "tests/", "docs/")


def strings(text, pattern):
    """(line, match) of a pattern in a text, line by line."""
    for number, line in enumerate(text.split("\n"), 1):
        for match in re.finditer(pattern, line):
            yield number, match


class LayerReadmes(Check):
    name = "layer-readmes"
    why = f"each src/<layer>/ opens with a README.md of at most {rules.README_LINES} lines"
    bad = {"src/core/a.cpp": "", "src/mem/a.cpp": "", "src/mem/README.md": "x\n" * 16}
    bad_count = 2
    good = {"src/core/a.cpp": "", "src/core/README.md": "x\n" * 15}

    def run(self, tree):
        for layer in rules.LAYERS:
            path = f"src/{layer}/README.md"
            if path in tree.files:
                lines = len(tree.files[path].splitlines())
                if lines > rules.README_LINES:
                    yield path, lines, f"{lines} lines; say purpose, thread, main types, includes"
            elif any(f.startswith(f"src/{layer}/") for f in tree.files):
                yield path, 1, "missing: purpose, owner thread, main types, what it may include"


class Signposts(Check):
    name = "signposts"
    why = "README.md names every folder, so that a newcomer finds the place for a change"
    bad = {"README.md": "| `src/core` | x |", "src/core/a.cpp": "", "tests/sim/b_test.cpp": ""}
    good = {
        "README.md": "| `src/core/` | x |\n| `tests/sim` | y |",
        "src/core/a.cpp": "",
        "tests/sim/b_test.cpp": "",
    }

    def run(self, tree):
        readme = tree.files.get("README.md", "")
        folders = r"(?:src|tests)/[^/]+(?=/)|(?:config|docs|include)(?=/)"
        found = [re.match(folders, path) for path in tree.files]
        for folder in sorted({match[0] for match in found if match}):
            if not re.search(rf"`{folder}/?`", readme):
                yield "README.md", 1, f"say in the table of folders what `{folder}` is for"


class DocumentedNames(Check):
    name = "documented-names"
    why = "a path or symbol that a document names exists"
    bad = {"docs/ARCHITECTURE.md": "`src/core/gone.cpp`, `no_such_thing()`, [x](docs/no.md).\n"}
    bad_count = 3
    good = {
        "docs/ARCHITECTURE.md": "`src/core/a.cpp` `core/b.hpp` `run_once()` `build/x` `nvme`\n",
        "src/core/a.cpp": "void run_once();",
        "include/fulmar/core/b.hpp": "",
    }
    # Symbols are checked in the walk through the code; other documents speak of other things too.
    WITH_SYMBOLS = ("docs/ARCHITECTURE.md",)

    def run(self, tree):
        documents = [
            p
            for p in tree.files
            if p == "README.md" or re.match(r"(?:docs|src|tests|config)/.*\.md$", p)
        ]
        words = None
        for path in documents:
            text = self.without_blocks(tree.files[path])
            for line, match in strings(text, r"`([^`\n]+)`"):
                if self.is_path(match[1]) and not self.found(tree, path, match[1]):
                    yield path, line, f"`{match[1]}` does not exist"
                symbol = re.fullmatch(r"(?:[\w:]+::)?~?(\w+)(?:\(.*\))?", match[1])
                if symbol and path in self.WITH_SYMBOLS and re.search(r"[_(]|::", match[1]):
                    words = words or self.words_of(tree)
                    if symbol[1] not in words:
                        yield path, line, f"`{match[1]}` is in no source file"
            for line, match in strings(text, r"\]\(([^)#:\s]+)(?:#[^)]*)?\)"):
                if not self.found(tree, path, match[1]):
                    yield path, line, f"the link {match[1]} leads nowhere"

    @staticmethod
    def without_blocks(text):
        return re.sub(r"```.*?```", lambda m: "\n" * m[0].count("\n"), text, flags=re.DOTALL)

    @staticmethod
    def is_path(word):
        """`src/...` is meant as a path; so is `core/x.hpp`. Patterns, options and URLs are not."""
        if re.search(r"[\s<>*{}$…=]|://", word):
            return False
        return word.startswith(TOP) or re.fullmatch(r"\w+(?:/\w+)*/\w+\.[ch]pp", word) is not None

    @staticmethod
    def found(tree, document, word):
        word = re.sub(r":\d+$", "", word.removeprefix("./"))
        folder = str(pathlib.PurePosixPath(document).parent)
        places = [word, f"{folder}/{word}"]
        places += [f"{top}/{word}" for top in ("include", "include/fulmar", "src")]
        if word.startswith("../"):
            places.append(str(pathlib.PurePosixPath(folder).parent / word[3:]))
        return any(tree.exists(p) for p in places)

    @staticmethod
    def words_of(tree):
        text = " ".join(t for p, t in tree.files.items() if p.endswith((".cpp", ".hpp", ".py")))
        return set(re.findall(r"\w+", text))


class Unfinished(Check):
    name = "unfinished"
    why = "what is left to do is an issue, not a mark in the code"
    MARKS = r"\b(?:FIX" + "ME|TO" + r"DO|X{3}|HA" + r"CK)\b"
    bad = {"src/core/a.cpp": "// FIX" + "ME: later\n", "dev": "# TO" + "DO\n"}
    bad_count = 2
    good = {"src/core/a.cpp": "// A todolist.\n"}

    def run(self, tree):
        for path, text in tree.files.items():
            if path != "LICENSE":
                for line, match in strings(text, self.MARKS):
                    yield path, line, f"{match[0]}: do it, or file an issue and say why it may wait"


class RetiredWords(Check):
    name = "retired-words"
    why = "an engineer of the field knows each word without asking (docs/glossary.md)"
    bad = {"src/core/a.cpp": "// The gra" + "veyard.\nint left" + "_alone();\n"}
    bad_count = 2
    good = {"src/core/a.cpp": "// Orphans.\n", "tests/lint/rules.py": '"ros' + 'ter"\n'}

    def run(self, tree):
        for path, text in tree.files.items():
            if path == "LICENSE" or path.startswith("tests/lint/"):
                continue
            for word, instead in rules.RETIRED.items():
                for line, match in strings(text, rf"\b(?:{word})\b"):
                    yield path, line, f"`{match[0]}`: say {instead}"


class MachinePaths(Check):
    name = "machine-paths"
    why = "nothing in the tree knows the machine it was written on"
    bad = {"docs/a.md": "see /wo" + "rk/main and /ro" + "ot/.x/y and /ho" + "me/somebody/x\n"}
    bad_count = 3
    good = {"docs/a.md": "/usr/bin/fulmard src/work/x https://x/home/y\n"}
    PATTERN = r"(?<![\w.)}-])/(?:wo" + r"rk/|ro" + r"ot/\.|ho" + r"me/\w+/)"

    def run(self, tree):
        for path, text in tree.files.items():
            for line, match in strings(text, self.PATTERN):
                yield path, line, f"{match[0]} is one machine's: use a relative path or an option"


class Scripts(Check):
    name = "scripts"
    why = "shell, Python and JSON files are well-formed, and shellcheck has nothing to say"
    bad = {"a.py": "def f(:\n", "config/a.json": "{,}", "b.sh": "if\n"}
    bad_count = 3
    good = {"a.py": "x = 1\n", "config/a.json": "{}", "b.sh": "true\n"}

    def run(self, tree):
        for path, text in tree.files.items():
            first = text.split("\n", 1)[0]
            if path.endswith(".py") or (first.startswith("#!") and "python3" in first):
                try:
                    compile(text, path, "exec")
                except SyntaxError as error:
                    yield path, error.lineno or 1, error.msg
            elif path.endswith(".json"):
                try:
                    json.loads(text)
                except ValueError as error:
                    yield path, getattr(error, "lineno", 1), str(error)
            elif path.endswith(".sh") or re.match(r"#!.*\b(?:ba)?sh$", first):
                yield from self.shell(tree, path, text)

    def shell(self, tree, path, text):
        done = subprocess.run(
            ["bash", "-n"], input=text, text=True, capture_output=True, check=False
        )
        for match in re.finditer(r"line (\d+): (.*)", done.stderr):
            yield path, int(match[1]), match[2]
        if tree.root is None or done.returncode != 0:
            return
        if not shutil.which("shellcheck"):
            self.note("shellcheck is not installed (./dev setup test)")
            return
        # A file without its own #! is read by another: bash, and its variables are used there.
        kind = [] if text.startswith("#!") else ["-s", "bash", "-e", "SC2034"]
        command = ["shellcheck", "-e", "SC1090,SC1091", "-f", "gcc", "-S", "warning", *kind, path]
        done = subprocess.run(command, cwd=tree.root, text=True, capture_output=True, check=False)
        for match in re.finditer(r"^[^:\n]+:(\d+):\d+: (.*)$", done.stdout, re.MULTILINE):
            yield path, int(match[1]), match[2]


class Format(Check):
    name = "format"
    why = "C++ is laid out by clang-format 14"
    PROGRAM = "clang-format-14"

    def run(self, tree):
        if tree.root is None:
            return
        if not shutil.which(self.PROGRAM):
            raise Skip(f"{self.PROGRAM} is not installed (./dev setup test)")
        files = [p for p in tree.files if p.endswith((".cpp", ".hpp"))]
        if files:
            done = subprocess.run(
                [self.PROGRAM, "--dry-run", *files],
                cwd=tree.root,
                text=True,
                capture_output=True,
                check=False,
            )
            first = {}
            for match in re.finditer(r"^([^:\n]+):(\d+):\d+: warning:", done.stderr, re.MULTILINE):
                first.setdefault(match[1], int(match[2]))
            for path, line in first.items():
                yield path, line, "not laid out as .clang-format says: ./dev format"

    def self_test(self):
        if not shutil.which(self.PROGRAM):
            return ""
        command = [self.PROGRAM, "--dry-run", "--style=Google", "--assume-filename=a.cpp"]
        done = subprocess.run(
            command, input="int  x ;\n", text=True, capture_output=True, check=False
        )
        return "" if "warning:" in done.stderr else "self-test: clang-format did not see bad layout"


class Packages(Check):
    name = "packages"
    why = "docs/dependencies.md says of every package what it is for and why this one"
    LIST, DOCUMENT = "src/cmake/packages.txt", "docs/dependencies.md"
    bad = {LIST: "[build]\nlibfoo-dev  # foo\n[odd]\nlibbar-dev\n", DOCUMENT: "`libbaz-dev`"}
    bad_count = 4
    good = {
        LIST: "# words\n[build]\nlibfoo-dev  # foo\n[runtime]\nlibfoo  # linked\n",
        DOCUMENT: "`libfoo-dev`",
    }

    def run(self, tree):
        section = ""
        for number, line in enumerate(tree.files.get(self.LIST, "").splitlines(), 1):
            head, _, reason = line.partition("#")
            head = head.strip()
            if head.startswith("["):
                section = head.strip("[]")
                if section not in ("build", "test", "cluster", "runtime"):
                    yield self.LIST, number, f"./dev setup knows no section {section}"
            elif head:
                if not reason.strip():
                    yield self.LIST, number, f"{head}: say why behind a #"
                document = tree.files.get(self.DOCUMENT, "")
                if section != "runtime" and f"`{head}`" not in document:
                    yield self.DOCUMENT, 1, f"`{head}` is not described"


class Image(Check):
    name = "image"
    why = "the Dockerfile copies what exists, runs scripts that exist, and does not run as root"
    bad = {
        "Dockerfile": "FROM debian:12\nCOPY gone ./\nRUN ./gone.sh a && \\\n  ./dev build\n"
        "USER root\n",
        "dev": "",
    }
    bad_count = 4
    good = {
        "Dockerfile": "FROM debian:12 AS a\nCOPY dev config ./\nRUN ./dev build\n"
        "FROM debian:12-slim\nCOPY --from=a /x /y\nUSER fulmar\n"
        'ENTRYPOINT ["/usr/bin/fulmard"]\n',
        "dev": "",
        "config/a.json": "{}",
    }

    def run(self, tree):
        if "Dockerfile" not in tree.files:
            return
        user, entry = "root", False
        for line, instruction, rest in self.instructions(tree.files["Dockerfile"]):
            if instruction == "FROM":
                user = "root"
                if not re.match(r"debian:(12|bookworm)", rest):
                    yield "Dockerfile", line, f"{rest}: Debian 12 is what is tested"
            elif instruction == "COPY" and "--from=" not in rest:
                for source in [w for w in rest.split() if not w.startswith("--")][:-1]:
                    if source != "." and not tree.exists(source):
                        yield "Dockerfile", line, f"COPY {source}: no such file"
            elif instruction == "RUN":
                for script in re.findall(r"(?:^|[\s;&|(])\./([\w./-]+)", rest):
                    if not tree.exists(script):
                        yield "Dockerfile", line, f"RUN ./{script}: no such file"
            elif instruction == "USER":
                user = rest
            elif instruction == "ENTRYPOINT":
                entry = True
        if user in ("root", "0"):
            yield "Dockerfile", 1, "the last stage runs as root: end with USER"
        if not entry:
            yield "Dockerfile", 1, "no ENTRYPOINT"

    @staticmethod
    def instructions(text):
        pending, start = "", 0
        for number, line in enumerate(text.splitlines(), 1):
            if line.lstrip().startswith("#"):
                continue
            start = start if pending else number
            pending += line.rstrip("\\") + " "
            if not line.endswith("\\"):
                words = pending.strip().split(None, 1)
                pending = ""
                if len(words) == 2:
                    yield start, words[0].upper(), words[1].strip()


class Service(Check):
    name = "service"
    why = "systemd accepts the unit as `cmake --install` lays it out"
    UNIT = "config/systemd/fulmard.service"

    def run(self, tree):
        if tree.root is None or self.UNIT not in tree.files:
            return
        if not shutil.which("systemd-analyze"):
            raise Skip("systemd-analyze is not installed (./dev setup test)")
        if not (tree.build / "bin/fulmard").exists():
            raise Skip("there is no built fulmard to install; ./dev build first")
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run(
                ["cmake", "--install", str(tree.build), "--prefix", folder],
                check=True,
                capture_output=True,
            )
            for problem in self.verify(f"{folder}/lib/systemd/system/fulmard.service"):
                yield self.UNIT, 1, problem
            for name in ("bin/fulmard", "bin/fulmar", "share/fulmar/fulmard.schema.json"):
                if not pathlib.Path(folder, name).exists():
                    yield self.UNIT, 1, f"cmake --install does not bring {name}"

    @staticmethod
    def verify(path):
        command = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", path]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        return [line for line in done.stderr.splitlines() if "fulmar" in line]

    def self_test(self):
        if not shutil.which("systemd-analyze"):
            return ""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "fulmard.service")
            path.write_text("[Service]\nExecStart=/nowhere/fulmard\nNoSuchKey=1\n")
            found = self.verify(str(path))
        return "" if len(found) >= 2 else f"self-test: systemd-analyze saw only {found}"


class ToolTests(Check):
    name = "tool-tests"
    why = "the test runner's and the guest launcher's own tests pass"
    FOLDERS = {"tests": "runner/tests", "tests/vm": "launcher/tests"}  # top: tests below it

    def run(self, tree):
        if tree.root is None:
            return
        for top, below in self.FOLDERS.items():
            if (tree.root / top / below).exists():
                for name in self.failed(tree.root / top, below):
                    yield f"{top}/{below}", 1, f"{name}: python3 -m unittest discover -s {top}/{below} -t {top}"

    @staticmethod
    def failed(top, below):
        command = [sys.executable, "-B", "-m", "unittest", "discover", "-s", below, "-t", "."]
        done = subprocess.run(command, cwd=top, text=True, capture_output=True, check=False)
        found = re.findall(r"^(?:FAIL|ERROR): (\S+)", done.stderr, re.MULTILINE)
        return found or ([] if done.returncode == 0 else [done.stderr.strip()[-200:]])

    def self_test(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "t").mkdir()
            pathlib.Path(folder, "t/__init__.py").touch()
            pathlib.Path(folder, "t/test_a.py").write_text(
                "import unittest\nclass A(unittest.TestCase):\n"
                "    def test_bad(self):\n        self.fail()\n"
            )
            found = self.failed(folder, "t")
        return "" if found == ["test_bad"] else f"self-test: it saw {found}"


CHECKS = [
    LayerReadmes,
    Signposts,
    DocumentedNames,
    Unfinished,
    RetiredWords,
    MachinePaths,
    Scripts,
    Format,
    Packages,
    Image,
    Service,
    ToolTests,
]
