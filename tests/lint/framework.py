"""What a check is, and the tree it looks at: the repository, or a few lines of a self-test."""

import ast
import pathlib
import subprocess


class Skip(Exception):
    """The check cannot say anything here; the text says why."""


class Check:
    """A rule. `run(tree)` yields (path, line, remedy).

    `bad` is a small tree in which it must find `bad_count` faults, `good` one in which it must find
    none, so that a rule that has gone blind is noticed.
    """

    name = ""
    why = ""
    bad = {}
    bad_count = 1
    good = {}
    good_compiled = frozenset()

    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)

    def run(self, tree):
        raise NotImplementedError

    def self_test(self):
        """What is wrong with the check itself, or an empty string."""
        found = list(self.run(Tree(dict(self.bad), compiled=set())))
        if len(found) != self.bad_count:
            return f"self-test: found {len(found)} of {self.bad_count} planted faults: {found}"
        found = list(self.run(Tree(dict(self.good), compiled=set(self.good_compiled))))
        if found:
            return f"self-test: found faults in good code: {found}"
        self.notes.clear()
        return ""


class Tree:
    """Text files by path. `root` is set for the real one only."""

    def __init__(self, files, root=None, build=None, compiled=None):
        self.files = files
        self.root = root
        self.build = build
        self._compiled = compiled

    @staticmethod
    def load(root, build):
        files = {}
        for name in list_files(root):
            try:
                files[name] = (root / name).read_text(encoding="utf-8")
            except (UnicodeDecodeError, OSError):
                continue  # a corpus file, or one that was deleted
        return Tree(files, root, build)

    def compiled(self):
        if self.root is None:
            return self._compiled
        from checks_code import compiled_files  # the one check that needs a build

        return compiled_files(self.build, self.root)

    def exists(self, path):
        """A file, or a folder that holds one."""
        path = path.rstrip("/")
        return (
            path in self.files
            or any(f.startswith(path + "/") for f in self.files)
            or (self.root is not None and (self.root / path).exists())
        )

    def python_functions(self, path):
        """(name, first line, number of lines) of every function of a Python file."""
        for node in ast.walk(ast.parse(self.files[path])):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                yield node.name, node.lineno, node.end_lineno - node.lineno + 1

    def earlier_versions(self, path):
        """The file as last committed and as committed before that; none outside a repository."""
        if self.root is None:
            return
        for revision in ("HEAD", "HEAD^"):
            shown = subprocess.run(
                ["git", "show", f"{revision}:{path}"],
                cwd=self.root,
                text=True,
                capture_output=True,
                check=False,
            )
            if shown.returncode == 0:
                yield shown.stdout


def list_files(root):
    """What git would keep; without git (an unpacked archive) everything but build folders."""
    try:
        shown = subprocess.run(
            ["git", "ls-files", "-co", "--exclude-standard", "-z"],
            cwd=root,
            text=True,
            capture_output=True,
            check=False,
        )
        if shown.returncode == 0:
            return sorted(set(shown.stdout.split("\0")) - {""})
    except FileNotFoundError:
        pass
    return sorted(
        str(p.relative_to(root))
        for p in pathlib.Path(root).rglob("*")
        if p.is_file() and not {"build", ".git", "__pycache__"} & set(p.parts)
    )
