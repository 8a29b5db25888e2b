"""What no mark lets a line break is laid out narrow: cases in lines, a wide divisor or radicand as a power."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from .lines import broken, latex_width, unmarked

PART = 22.0  # em: a wider divisor or radicand is a power, which a line may break within
CASE = 25.0  # em: a wider case has its condition below its value
TIMES = r"{} \times "
SIZES = (("small", 0.9), ("footnotesize", 0.8), ("scriptsize", 0.7), ("tiny", 0.5))  # of the letters around


def too_wide(source: str) -> bool:
    """Whether a part of a formula should not stand where no line can break."""
    return latex_width(unmarked(source)) > PART


def cases(rows: Sequence[tuple[str, str]], last: str) -> str:
    """{ value, if condition; …; last, otherwise }: side by side, or each condition below its value."""
    told = [(value, rf"\text{{if }} {condition}") for value, condition in rows] + [(last, r"\text{otherwise}")]
    beside = _braced([f"{unmarked(value)} & {unmarked(when)}" for value, when in told])
    if latex_width(beside) <= CASE + 2:
        return beside
    return _braced([r" \\ ".join(_case(value, when)) for value, when in told], r" \\[3pt] ")


def _braced(rows: Sequence[str], between: str = r" \\ ") -> str:
    return r"\begin{cases} " + between.join(rows) + r" \end{cases}"


def _case(value: str, when: str) -> Iterator[str]:
    """A case in one column."""
    together = rf"{unmarked(value)} \quad {unmarked(when)}"
    if latex_width(together) <= CASE:
        yield together
        return
    yield from _lines(value, "", r"\quad ")
    yield from _lines(when, r"\quad ", r"\qquad ")


def _lines(source: str, first: str, shift: str) -> Iterator[str]:
    start, *rest = broken(source, latex_width, CASE - 2, TIMES)
    yield first + start
    yield from (shift + led(line) for line in rest)


def led(line: str) -> str:
    """A continued line: its leading sign spaces like a binary operator."""
    return "{} " + line if line[0] in "+-" else line


def fitted(line: str, room: float) -> str:
    """A line that no break made short enough, in smaller letters."""
    width = latex_width(line)
    if width <= room:
        return line
    size = next((name for name, share in SIZES if width * share <= room), SIZES[-1][0])
    return rf"\mbox{{\{size}$\displaystyle {line}$}}"
