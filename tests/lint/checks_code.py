"""Checks of the C++ sources. Each yields (path, line, what to do instead)."""

import json
import pathlib
import re

import cpp
import rules
from framework import Check, Skip

CPP = (".cpp", ".hpp")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.MULTILINE)


def layer_of(path):
    """The layer that a file of src/ or include/fulmar/ belongs to, or None."""
    match = re.match(r"(?:src|include/fulmar)/([^/]+)/", path)
    return match.group(1) if match and match.group(1) in rules.LAYERS else None


def product_files(tree):
    return [p for p in tree.files if p.endswith(CPP) and layer_of(p)]


def all_cpp(tree):
    return [p for p in tree.files if p.endswith(CPP)]


def includes(text):
    for match in INCLUDE.finditer(cpp.strip(text)):
        yield cpp.line_of(text, match.start()), match.group(1), match.group(2)


class Layers(Check):
    name = "layers"
    why = "includes go strictly down the table in tests/lint/rules.py"
    bad = {
        "include/fulmar/core/a.hpp": "",
        "include/fulmar/backend/secret.hpp": "",
        "src/core/b.cpp": "#include <fulmar/backend/secret.hpp>\n",
        "src/base/c.cpp": "#include <fulmar/core/a.hpp>\n",
        "src/transport/rdma/d.hpp": "",
        "src/transport/tcp/d.cpp": '#include "rdma/d.hpp"\n',
        "src/nvme/e.cpp": '#include "../core/e.hpp"\n',
        "src/mem/f.cpp": "#include <fulmar/mem/nowhere.hpp>\n",
    }
    bad_count = 5
    good = {
        "include/fulmar/backend/device.hpp": "",
        "src/core/x.hpp": "",
        "src/core/b.cpp": '#include "x.hpp"\n#include <fulmar/backend/device.hpp>\n',
    }

    def run(self, tree):
        for path in product_files(tree):
            for line, mark, target in includes(tree.files[path]):
                problem = self.problem(tree, path, mark, target)
                if problem:
                    yield path, line, problem

    @staticmethod
    def problem(tree, path, mark, target):
        layer = layer_of(path)
        match = re.match(r"fulmar/([^/]+)/(.+)$", target)
        if match:
            other, rest = match.groups()
            if f"include/{target}" not in tree.files:
                return f"{target} does not exist in include/"
            allowed = rules.LAYERS[layer]
            if other != layer and other not in allowed and f"{other}/{rest}" not in allowed:
                return f"{layer} may not include {target}: move the code, or the table"
            return None
        if mark == "<":
            return None
        folder = pathlib.PurePosixPath(path).parent
        places = [f"{folder}/{target}", f"src/{layer}/{target}"]
        generated = target == f"{layer}_assets.hpp"
        sibling = re.match(r"src/transport/(\w+)/", path)
        if sibling and re.match(r"(tcp|rdma|loopback)/", target) and sibling[1] not in target:
            return f"one transport may not include another: {target}"
        if ".." in target or not (generated or any(p in tree.files for p in places)):
            return f'no private header "{target}" in this folder; public ones are <fulmar/...>'
        return None


class PublicHeaders(Check):
    name = "public-headers"
    why = "include/ has what another layer includes; the rest belongs beside its sources"
    ALLOW = "tests/lint/public_headers.txt"
    bad = {
        "include/fulmar/core/own.hpp": "",
        "include/fulmar/core/part.hpp": "",
        "include/fulmar/core/seen.hpp": "#include <fulmar/core/part.hpp>\n",
        "src/core/a.cpp": "#include <fulmar/core/own.hpp>\n",
        "src/admin/a.cpp": "#include <fulmar/core/seen.hpp>\n",
        ALLOW: "core/seen.hpp  # admin includes it by now\ncore/gone.hpp  # was part of seen.hpp\n",
    }
    bad_count = 4
    good = {
        "include/fulmar/core/part.hpp": "",
        "include/fulmar/core/seen.hpp": "#include <fulmar/core/part.hpp>\n",
        "src/admin/a.cpp": "#include <fulmar/core/seen.hpp>\n",
        ALLOW: "# a list\ncore/part.hpp  # seen.hpp has one by value\n",
    }

    @staticmethod
    def included_elsewhere(tree):
        """Public headers that a file of another layer includes."""
        found = set()
        for path in product_files(tree):
            for _, _, target in includes(tree.files[path]):
                match = re.match(r"fulmar/([^/]+)/", target)
                if match and match[1] != layer_of(path):
                    found.add(target.removeprefix("fulmar/"))
        return found

    def run(self, tree):
        needed = self.included_elsewhere(tree)
        allowed = {}
        for number, line in enumerate(tree.files.get(self.ALLOW, "").splitlines(), 1):
            match = re.match(r"([^\s#]+)\s+#\s*\S+", line)
            if match:
                allowed[match[1]] = number
        for path in product_files(tree):
            header = path.removeprefix("include/fulmar/")
            if header == path or header in needed or header in allowed:
                continue
            yield path, 1, f"no other layer includes it: move it to src/, or say why in {self.ALLOW}"
        for header, number in allowed.items():
            if header in needed or f"include/fulmar/{header}" not in tree.files:
                yield self.ALLOW, number, f"{header} needs no reason any more: remove the line"


class ThirdParty(Check):
    name = "third-party"
    why = "each library ends at the layer that wraps it"
    bad = {"src/core/a.cpp": "#include <nlohmann/json.hpp>\n"}
    good = {"src/admin/a.cpp": "#include <nlohmann/json.hpp>\n// #include <rte_eal.h>\n"}

    def run(self, tree):
        for path in product_files(tree):
            for line, _, target in includes(tree.files[path]):
                for pattern, layers, reason in rules.THIRD_PARTY:
                    if re.match(pattern, target) and layer_of(path) not in layers:
                        yield path, line, f"{target} does not belong in {layer_of(path)}: {reason}"


class TypeWords(Check):
    name = "type-words"
    why = "no backend or transport is known by its name outside its folder and the factory"
    bad = {
        "src/core/a.cpp": 'bool f() { return spec.type == "pcie" || spec.transport != "rdma"; }\n',
        "src/backend/file/b.cpp": 'const char* type() { return "ram"; }\n',
        "src/cli/c.cpp": 'check(IsMember({"file"}));\n',
    }
    bad_count = 4
    good = {
        "src/core/a.cpp": '// "pcie"\nauto a = json["file"]; auto b = "a file";\n#include "tcp"\n',
        "src/backend/file/b.cpp": 'const char* type() { return "file"; }\n',
        "include/fulmar/backend/pcie_device.hpp": 'const char* type() { return "pcie"; }\n',
        "src/app/device_factory.cpp": 'bool f() { return spec.type == "ram"; }\n',
    }

    def run(self, tree):
        for path in product_files(tree):
            text = tree.files[path]
            own = re.match(r"(?:src|include/fulmar)/(?:backend|transport)/([a-z]+)", path)
            for match in cpp.TOKEN.finditer(text):
                word = match.group(0).strip('"')
                if match.group(0) != f'"{word}"' or word not in rules.TYPE_WORDS:
                    continue
                is_key = text[: match.start()].endswith("[") and text[match.end()] == "]"
                is_own = own is not None and own.group(1) == word
                if is_key or is_own or path in rules.TYPE_WORD_PLACES:
                    continue
                if cpp.is_include(text, match.start()):
                    continue
                yield path, cpp.line_of(text, match.start()), (
                    f'"{word}" is one type\'s name: ask the table of fields (core/fields), or the '
                    "device or transport, what it can do"
                )
        for path in rules.TYPE_WORD_PLACES if tree.root is not None else ():
            if not re.search(rf'"(?:{"|".join(rules.TYPE_WORDS)})"', tree.files.get(path, "")):
                yield "tests/lint/rules.py", 1, f"TYPE_WORD_PLACES: {path} has no such word any more"


OWNED_AT_ONCE = re.compile(r"unique_ptr<[^;{}()]*\(\s*\Z")


class Bans(Check):
    name = "bans"
    why = "what the project does without, and what to use instead (tests/lint/rules.py)"
    bad = {
        "src/core/a.cpp": "void f() { assert(1); auto* p = new int; throw 1; }\n",
        "src/admin/b.cpp": "std::thread t;\n",
        "src/transport/tcp/pdu_reader.cpp": "FULMAR_ASSERT(x);\n",
        "tests/lint/allow.txt": "lock src/core/gone.cpp  # it had a reason once\n",
    }
    bad_count = 6
    good = {
        "src/core/a.cpp": 'static_assert(1); // new int, throw\nauto s = "throw new x";\n'
        "std::function<void()> f;\nstd::unique_ptr<x> p(new x(1));\n",
        "src/admin/b.cpp": "std::function<void()> f; throw 1;\n",
        "tests/lint/allow.txt": "function src/core/a.cpp  # set up once, before the reactors run\n",
    }
    ALLOW = "tests/lint/allow.txt"

    def allowed(self, tree):
        """(ban, path) to the line that allows it."""
        result = {}
        for number, line in enumerate(tree.files.get(self.ALLOW, "").splitlines(), 1):
            match = re.match(r"([\w-]+)\s+(\S+)\s+#\s*\S+", line)
            if match:
                result[match.groups()] = number
        return result

    def run(self, tree):
        allowed, used = self.allowed(tree), set()
        for path in product_files(tree):
            code = cpp.strip(tree.files[path])
            name = path.rsplit("/", 1)[-1]
            for ban, pattern, layers, names, instead in rules.BANS:
                if layer_of(path) not in layers or not re.fullmatch(names, name):
                    continue
                for match in re.finditer(pattern, code, re.MULTILINE):
                    if ban == "new" and OWNED_AT_ONCE.search(code[: match.start()]):
                        continue
                    if (ban, path) in allowed:
                        used.add((ban, path))
                    else:
                        line = cpp.line_of(code, match.end() - len(match[0].lstrip()))
                        yield path, line, f"`{match[0].strip()}` is banned ({ban}): use {instead}"
        for key, line in allowed.items():
            if key not in used:
                yield self.ALLOW, line, f"nothing needs this any more ({' '.join(key)}): remove it"


class FunctionLength(Check):
    name = "function-length"
    why = f"a function has at most {rules.FUNCTION_LINES} lines; exceptions can only shrink"
    BASELINE = "tests/lint/baseline.txt"
    bad = {
        "src/core/a.cpp": "namespace x {\nint f(int a) {\n" + "    a++;\n" * 70 + "}\n}\n",
        "src/core/b.cpp": "x::x() : a_{1}, b_{2} {\n" + "    a++;\n" * 70 + "}\n",
        "tests/lint/c.py": "def f():\n" + "    pass\n" * 80,
        BASELINE: "src/core/gone.cpp f 90\n",
    }
    bad_count = 4
    good = {
        "src/core/a.cpp": "namespace x {\nstruct y {\n"
        + "    int f() { return 1; }\n" * 90
        + "};\nconst int t[] = {\n"
        + "    1,\n" * 90
        + "};\nint g() {\n"
        + "    a++;\n" * 80
        + "}\n}\n",
        BASELINE: "src/core/a.cpp g 82\n",
    }

    def baseline(self, text):
        result = {}
        for number, line in enumerate(text.splitlines(), 1):
            parts = line.split("#")[0].rsplit(None, 1)
            if len(parts) == 2 and parts[1].isdigit():
                result[tuple(parts[0].split(None, 1))] = (int(parts[1]), number)
        return result

    def measured(self, tree):
        for path in all_cpp(tree):
            for name, line, lines in cpp.functions(tree.files[path]):
                yield path, name, line, lines
        for path in tree.files:
            if path.endswith(".py"):
                yield from ((path, *f) for f in tree.python_functions(path))

    def run(self, tree):
        baseline = self.baseline(tree.files.get(self.BASELINE, ""))
        met = set()
        for path, name, line, lines in self.measured(tree):
            known, _ = baseline.get((path, name), (0, 0))
            if lines > rules.FUNCTION_LINES and lines > known:
                yield path, line, f"{name} has {lines} lines: name its steps as functions"
            elif lines > rules.FUNCTION_LINES:
                met.add((path, name))
                if lines < known:
                    yield (
                        self.BASELINE,
                        baseline[path, name][1],
                        f"{name} has shrunk to {lines}: lower its number",
                    )
        for key, (_, number) in baseline.items():
            if key not in met:
                yield self.BASELINE, number, f"{' '.join(key)} is short or gone: remove the line"
        yield from self.grown(tree, baseline)

    def grown(self, tree, baseline):
        """Nobody adds to a baseline that already has lines."""
        for before in tree.earlier_versions(self.BASELINE):
            old = self.baseline(before)
            for key, (lines, number) in baseline.items():
                if old and lines > old.get(key, (0, 0))[0]:
                    yield self.BASELINE, number, f"{' '.join(key)}: the list may only shrink"


class FileLength(Check):
    name = "file-length"
    why = f"a file has at most {rules.FILE_LINES} lines, and aims at {rules.FILE_LINES_AIM}"
    bad = {"src/core/a.cpp": "\n" * 1001}
    good = {"src/core/a.cpp": "\n" * 999}

    def run(self, tree):
        for path, text in tree.files.items():
            lines = text.count("\n")
            if path.endswith(CPP + (".py", ".cmake", ".sh")) or path == "dev":
                if lines > rules.FILE_LINES:
                    yield path, lines, f"{lines} lines: split it by what its parts do"
                elif lines > rules.FILE_LINES_AIM:
                    self.note(f"{path} has {lines} lines and aims at {rules.FILE_LINES_AIM}")


class Columns(Check):
    name = "columns"
    why = f"a line has at most {rules.COLUMNS} columns, in scripts {rules.SCRIPT_COLUMNS}"
    bad = {"src/core/a.cpp": "x" * 101 + "\n"}
    good = {"src/core/a.cpp": "x" * 100 + "\n// https://" + "x" * 100 + "\n"}

    def run(self, tree):
        for path, text in tree.files.items():
            name = path.rsplit("/", 1)[-1]
            if path.endswith(CPP + (".py", ".cmake", ".sh")) or name in ("dev", "CMakeLists.txt"):
                most = rules.COLUMNS if path.endswith(CPP) else rules.SCRIPT_COLUMNS
                for number, line in enumerate(text.split("\n"), 1):
                    if len(line) > most and "://" not in line:
                        yield path, number, f"{len(line)} columns: break it (./dev format for C++)"


class Opening(Check):
    name = "opening"
    why = "a source file opens with what it is, whose thread it runs on, what it must never do"
    bad = {
        "src/core/a.cpp": "int x;\n",
        "src/core/b.hpp": "// B.\nint x;\n",
        "src/core/c.cpp": "// words\n" * 11,
    }
    bad_count = 3
    good = {"src/core/a.hpp": "// The thing.\n#pragma once\n"}

    def run(self, tree):
        for path in product_files(tree):
            lines = cpp.opening_comment(tree.files[path])
            if not lines and not self.header_opens(tree, path):
                yield path, 1, "open with a comment: what it is, whose thread, what it never does"
            elif len(lines) > rules.OPENING_LINES:
                yield path, 1, f"{len(lines)} lines before the code; {rules.OPENING_LINES} at most"
            if path.endswith(".hpp") and "#pragma once" not in tree.files[path]:
                yield path, 1, "a header needs #pragma once"

    @staticmethod
    def header_opens(tree, path):
        """An implementation whose header of the same name says it all need not repeat it."""
        for suffix in (path[4:-4], path.rsplit("/", 1)[-1][:-4]):
            folder = path.rsplit("/", 1)[0]
            for place in (f"include/fulmar/{suffix}.hpp", f"{folder}/{suffix}.hpp"):
                if path.endswith(".cpp") and cpp.opening_comment(tree.files.get(place, "")):
                    return True
        return False


# What has no thread: what the compiler evaluates, types, and generated operators.
NOT_CALLED = re.compile(
    r"=|\(\*|\b(?:constexpr|consteval|using|static_assert|friend|operator|"
    r"typedef|concept|requires|namespace|return|to_string)\b"
)
# What says it elsewhere or needs no saying: overrides (their base says it), constructors, and what
# only reads a value type.
INHERITED = re.compile(r"\boverride\b|\bexplicit\b|^\s*~?\w+\s*\(\)|[:\s]\w+\s*\(\)\s*:(?!:)")
READS_VALUE = re.compile(r"\)\s*const\b")
# A function declared or defined at namespace scope: its text, its name.
DECLARATION = re.compile(
    r"(?<=[;{}\n])[ \t]*((?:\[\[\w+\]\]|[\w:])[^;{}=]*?" r"\b(\w+)\s*\([^;{}]*\)[^;{}=()]*)(?=;)"
)


class CalledOn(Check):
    name = "called-on"
    why = "a public class or function says on whose thread it is called (`Called on:`)"
    bad = {
        "include/fulmar/core/a.hpp": "// A.\n/// Does it.\nclass a {\n  public:\n    void f();\n};\n"
        "namespace x {\nvoid g(int a = 1);\n}\n",
    }
    bad_count = 2
    good = {
        "include/fulmar/core/a.hpp": "// A.\n/// Called on: any thread.\nclass a {\n    void f();\n};\n"
        "struct data { int x = f(1); };\nclass later;\nconstexpr int k(int a) { return a; }\n"
        "class b {\n    /// Called on: control reactor.\n    void f();\n};\n"
        "class d final : public a {\n    explicit d(int);\n    void f() override;\n};\n"
        "struct e {\n    int x;\n    [[nodiscard]] int f(int) const noexcept;\n};\n"
        "/// Called on: any thread.\nint h(int);\n",
        "include/fulmar/nvme/a.hpp": "class a { void f(); };\n",
    }

    def run(self, tree):
        for path in tree.files:
            match = re.match(r"include/fulmar/(\w+)/.*\.hpp$", path)
            if match and match[1] in rules.AFFINITY_LAYERS:
                yield from self.header(path, tree.files[path])

    def header(self, path, text):
        code = cpp.strip(text)
        if any("Called on:" in line for line in cpp.opening_comment(text)):
            return
        blocks = cpp.blocks(code)
        for block in blocks:
            if block.kind == "class" and block.depth == 0:
                said = cpp.comment_before(text, block.start) + text[block.start : block.close]
                body = code[block.open + 1 : block.close]
                value = block.head.lstrip().startswith("struct")
                if "Called on:" not in said and self.has_functions(body, value):
                    name = re.sub(r"\s+", " ", block.head).strip()
                    yield path, cpp.line_of(code, block.start), f"{name}: say `Called on: ...`"
        yield from self.free_functions(path, text, code, blocks)

    @staticmethod
    def has_functions(body, value):
        """Does a class body declare something that somebody calls on some thread?"""
        for statement in re.split(r"[;{}]", body):
            flat = cpp.without_parens(re.sub(r"\b(?:public|private|protected):", "", statement))
            if value and re.search(READS_VALUE, flat):
                continue
            if "()" in flat and not NOT_CALLED.search(flat) and not INHERITED.search(flat):
                return True
        return False

    @staticmethod
    def free_functions(path, text, code, blocks):
        for block in blocks:
            start = block.start if block.kind == "class" else block.open
            code = code[:start] + cpp.blank(code[start : block.close + 1]) + code[block.close + 1 :]
            if block.kind == "function":
                code = code[: block.open] + ";" + code[block.open + 1 :]
        for match in re.finditer(DECLARATION, cpp.without_directives(code)):
            if re.search(NOT_CALLED, cpp.without_parens(match[1])):
                continue
            if "Called on:" not in cpp.comment_before(text, match.start(1)):
                yield path, cpp.line_of(code, match.start(1)), f"{match[2]}: say `Called on: ...`"


class Compiled(Check):
    name = "compiled"
    why = "a source file that no build compiles, or a header that nothing includes, only misleads"
    bad = {"src/core/a.cpp": "", "src/core/b.hpp": ""}
    bad_count = 2
    good = {
        "src/core/a.cpp": '#include "b.hpp"\n',
        "src/core/b.hpp": "",
        "tests/fuzz/x_fuzz.cpp": "",
    }
    good_compiled = {"src/core/a.cpp"}

    def run(self, tree):
        compiled = tree.compiled()
        if compiled is None:
            raise Skip("no build to ask; ./dev build first")
        included = " ".join(t for p in all_cpp(tree) for _, _, t in includes(tree.files[p]))
        for path in all_cpp(tree):
            # clang compiles the fuzz targets, in their own build.
            fuzz = path.startswith("tests/fuzz/") and path.endswith("_fuzz.cpp")
            if path.endswith(".cpp") and path not in compiled and not fuzz:
                yield path, 1, "no build compiles it: src/cmake/tests.cmake has the names it finds"
            if path.endswith(".hpp") and path.rsplit("/", 1)[-1] not in included:
                yield path, 1, "nothing includes it: remove it, or use it"


def compiled_files(build, root):
    """Paths relative to the root of what a build's compile_commands.json lists, or None. Of several files put together it lists
    the sum, which includes them."""
    path = pathlib.Path(build) / "compile_commands.json"
    if not path.exists():
        return None
    files = set()
    for entry in json.loads(path.read_text()):
        file = pathlib.Path(entry["directory"], entry["file"]).resolve()
        parts = [file]
        if file.parent.name == "Unity":
            parts = [pathlib.Path(one) for one in re.findall(r'^#include "(.*)"$', file.read_text(), re.M)]
        files |= {str(one.relative_to(root)) for one in parts if one.is_relative_to(root)}
    return files


CHECKS = [
    TypeWords,
    Layers,
    PublicHeaders,
    ThirdParty,
    Bans,
    FunctionLength,
    FileLength,
    Columns,
    Opening,
    CalledOn,
    Compiled,
]
