"""Just enough C++ to lint it: text without comments and strings, functions, classes, declarations.

Not a compiler: it relies on the layout that .clang-format enforces, and its self-tests are the ones
of the checks that use it.
"""

import dataclasses
import re

TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\ ]{0,16})\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|'
    r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'",
    re.DOTALL,
)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def strip(text):
    """The text with comments, and what is inside strings, blanked; offsets stay what they were."""

    def replace(match):
        token = match.group(0)
        if token.startswith("/"):
            return blank(token)
        if is_include(text, match.start()):
            return token
        return token[0] + blank(token[1:-1]) + token[-1]

    return TOKEN.sub(replace, text)


def is_include(text, offset):
    start = text.rfind("\n", 0, offset) + 1
    return re.match(r"\s*#\s*include\b", text[start:offset]) is not None


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


@dataclasses.dataclass
class Block:
    """A class or function: `head` is its text up to the brace, `start` where that begins."""

    kind: str  # "class" or "function"
    head: str
    start: int
    open: int
    close: int
    depth: int  # number of enclosing classes
    outer: tuple = (0, 0)  # parentheses open around it, and where the statement around it began


def without_parens(text):
    """Every outermost pair of parentheses emptied: `f(a(b))` gives `f()`."""
    previous = None
    while previous != text:
        previous, text = text, re.sub(r"\([^()]*\)", "\0", text)
    return text.replace("\0", "()")


def classify(head):
    """What a brace after this text opens: scope, class, function, initialiser or other."""
    head = re.sub(r"\b(?:public|private|protected)\s*:(?!:)", " ", head)
    head = re.sub(r"^\s*#[^\n]*$", " ", head, flags=re.MULTILINE)
    head = re.sub(r"\[\[.*?\]\]", " ", head, flags=re.DOTALL)
    flat = without_parens(head).strip()
    if re.match(r"(?:inline\s+)?namespace\b|extern\s*\"", flat):
        return "scope"
    if re.search(r"\benum\b", flat) and "()" not in flat:
        return "other"
    if re.search(r"(?:^|[\s>])(?:class|struct|union)\s", flat + " ") and not flat.endswith(")"):
        return "class"
    if "(" not in flat:
        return "other"
    if re.search(r"(?<![=!<>+\-*/%&|^])=(?!=)", flat) and "operator" not in flat:
        return "other"
    # A member initialiser `: a_{1}` opens a brace after a name; the body opens after `)` or `}`.
    after = flat[flat.index(")") + 1 :]
    if re.search(r"(?<!:):(?!:)", after) and re.search(r"[\w>]$", flat):
        return "initialiser"
    return "function"


def without_directives(code):
    """Preprocessor lines blanked, continuations included."""
    return re.sub(r"^[ \t]*#(?:[^\n]*\\\n)*[^\n]*", lambda m: blank(m[0]), code, 0, re.MULTILINE)


def blocks(code):
    """The classes and outermost functions of stripped code, in order."""
    code = without_directives(code)
    found, stack, start, parens = [], [], 0, 0
    for match in re.finditer(r"[{};()]", code):
        token, at = match.group(0), match.start()
        inside_function = any(b.kind == "function" for b in stack)
        if token in "()":
            parens += 1 if token == "(" else -1
        elif token == "{":
            head = code[start:at]
            kind = "other" if inside_function or parens > 0 else classify(head)
            depth = sum(1 for b in stack if b.kind == "class")
            lead = len(head) - len(head.lstrip())
            block = Block(kind, head, start + lead, at, -1, depth, (parens, start))
            stack.append(block)
            start = at + 1
            parens = 0
        elif token == "}" and stack:
            block = stack.pop()
            block.close = at
            parens = block.outer[0]
            if block.kind in ("class", "function"):
                found.append(block)
            # An initialiser, or a brace inside parentheses, belongs to the statement around it.
            start = block.outer[1] if block.kind == "initialiser" or parens > 0 else at + 1
        elif token == ";" and parens <= 0:
            start = at + 1
    return sorted(found, key=lambda b: b.start)


def functions(text):
    """(name, first line, number of lines) of every function with a body."""
    code = strip(text)
    result = []
    for block in blocks(code):
        if block.kind == "function":
            first, last = line_of(code, block.start), line_of(code, block.close)
            result.append((function_name(block.head), first, last - first + 1))
    return result


def function_name(head):
    flat = re.sub(r"\s+", " ", head)
    match = re.search(r"([\w:~]+(?:\s?[^\w\s]{1,2})?)\s*\(", flat)
    name = match.group(1) if match else flat[:40]
    if re.fullmatch(r"TEST(?:_[FP])?|TYPED_TEST(?:_P)?", name):
        arguments = re.search(r"\(([^)]*)\)", flat)
        return name + "(" + (arguments.group(1) if arguments else "") + ")"
    return name


def comment_before(text, offset):
    """The `//` comment lines directly above the statement at this offset."""
    lines = text[: text.rfind("\n", 0, offset) + 1].split("\n")[:-1]
    taken = []
    while lines and (
        lines[-1].lstrip().startswith("//")
        or re.match(r"\s*(?:template\b.*|requires\b.*|\[\[.*\]\])\s*$", lines[-1])
    ):
        taken.append(lines.pop())
    return "\n".join(reversed(taken))


def opening_comment(text):
    taken = []
    for line in text.split("\n"):
        if line.startswith("//"):
            taken.append(line)
        elif taken or line.strip():
            break
    return taken
