"""Long lines of emitted code, broken as the usual formatters do: after the last bracket that opens at the outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

WIDTH = 120
INDENT = " " * 4
_OPEN, _CLOSE = "([{", ")]}"
_OPERATORS = {"|": 1, "&": 2, "+": 3, "-": 3, "*": 4, "/": 4, "//": 4, "%": 4, "@": 4}  # how tightly they bind
_MODULES = ("np", "math", "special")


def listed(opening: str, items: Sequence[str], closing: str) -> str:
    """The items in brackets; a tuple of one keeps its comma."""
    tail = "," if opening == "(" and closing == ")" and len(items) == 1 else ""
    return f"{opening}{', '.join(items)}{tail}{closing}"


def simple(text: str) -> bool:
    """A name, a number or nothing: formatters set no space around what stands between such."""
    return text.lstrip("-").replace(".", "", 1).isalnum() or text.isidentifier() or not text


def wrapped(line: str, indent: str = "", width: int = WIDTH) -> list[str]:
    """The lines of a statement, none longer than the width where brackets allow it."""
    if len(indent) + len(line) <= width:
        return [indent + line]
    target, equals, value = _assigned(line)
    if equals and target.startswith("(") and len(indent) + len(target) > width - len(" = checked("):
        first, *rest = wrapped(f"_ = {value}", indent, width)
        return [*wrapped(target, indent, len(target) - 1)[:-1], first.replace("_", ")", 1), *rest]
    operands = _operands(value)
    if len(operands) > 2 or (len(operands) == 2 and value.endswith("]")):
        deeper = indent + INDENT
        body = [value] if len(deeper) + len(value) <= width else operands
        return [f"{indent}{target}{equals}(", *(f"{deeper}{part}" for part in body), f"{indent})"]
    groups = [(start, end) for start, end in _groups(line) if end > start + 1]
    if not groups:
        return [indent + line]
    fits = [group for group in groups if len(indent) + group[0] < width]
    start, end = groups[0] if line.startswith("def ") or not fits else fits[-1]
    inner, deeper = line[start + 1 : end], indent + INDENT
    items = _items(inner)
    if _called(line, start) and len(deeper) + len(inner) <= width:
        body = [deeper + inner]
    elif len(items) == 1 and not inner.endswith(",") and not _called(line, start):
        body = wrapped(inner, deeper, width)
    else:
        body = [text for item in items for text in ended(wrapped(item, deeper, width - 1))]
    return [indent + line[: start + 1], *body, indent + line[end:]]


def _assigned(line: str) -> tuple[str, str, str]:
    """What stands left of the last `=` of a statement, the sign, and the value."""
    depth, cut = 0, 0
    for place, char in _code(line):
        depth += (char in _OPEN) - (char in _CLOSE)
        if depth == 0 and line.startswith(" = ", place):
            cut = place
    return (line[:cut], " = ", line[cut + 3 :]) if cut else (line, "", "")


def _operands(value: str) -> list[str]:
    """A value divided before its weakest outer operators, or before the later methods of a chain; else itself."""
    cuts: list[int] = []
    depth, weakest = 0, max(_OPERATORS.values())
    for place, char in _code(value):
        depth += (char in _OPEN) - (char in _CLOSE)
        binds = _OPERATORS.get(value[place + 1 :].split(" ", 1)[0]) if depth == 0 and char == " " else None
        if binds is not None and binds <= weakest:
            cuts, weakest = [*(cuts if binds == weakest else []), place + 1], binds
    if not cuts:
        cuts = [point for start, _ in _groups(value) if (point := _method(value, start))][1:]
    return [value[start:end].strip() for start, end in zip([0, *cuts], [*cuts, len(value)], strict=True)]


def _method(value: str, start: int) -> int:
    """Where the method begins that is called at this bracket; 0 where none is."""
    point = value.rfind(".", 0, start)
    called = value[start] == "(" and point > 0 and value[point + 1 : start].isidentifier()
    return point if called and value[:point] not in _MODULES else 0


def _called(line: str, start: int) -> bool:
    return start > 0 and (line[start - 1].isalnum() or line[start - 1] in "_)]")


def ended(lines: list[str]) -> list[str]:
    """The lines of an item, with its comma."""
    return [*lines[:-1], f"{lines[-1]},"]


def _groups(line: str) -> Iterator[tuple[int, int]]:
    """The outermost brackets, as (place of the opening one, place of the closing one)."""
    depth, start = 0, 0
    for place, char in _code(line):
        if char in _OPEN:
            if depth == 0:
                start = place
            depth += 1
        elif char in _CLOSE:
            depth -= 1
            if depth == 0:
                yield start, place


def _items(inner: str) -> list[str]:
    """The text between brackets, divided at its commas."""
    found, depth, start = [], 0, 0
    for place, char in _code(inner):
        depth += (char in _OPEN) - (char in _CLOSE)
        if char == "," and depth == 0:
            found.append(inner[start:place].strip())
            start = place + 1
    last = inner[start:].strip()
    return [*found, last] if last else found


def _code(text: str) -> Iterator[tuple[int, str]]:
    """The characters outside strings."""
    quote = ""
    for place, char in enumerate(text):
        if quote:
            quote = "" if char == quote and text[place - 1] != "\\" else quote
        elif char in "\"'":
            quote = char
        else:
            yield place, char
