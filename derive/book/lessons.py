"""What the book tells besides formulas: the laws of matrix functions, and what is said about training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from sympy.core.relational import Relational

from derive.api.laws import matrix_laws, verified
from derive.notation.html import HtmlPage, boxed, document
from derive.notation.mathml import mathml
from derive.notation.pages import LINE
from derive.notation.prose import escaped
from derive.notation.story import Heading, story
from derive.notation.style import LATEX
from derive.notation.view import view_of
from derive.notation.wide import fitted, too_wide
from derive.statements import STATEMENTS, Statement
from derive.statements.writing import latex

from .checks import SEED, TRIALS, Checked
from .order import TITLE

if TYPE_CHECKING:
    from .making import Entry


@dataclass(frozen=True)
class Section:
    """One law or statement, in HTML and in LaTeX, with the laws of its steps and its largest error, if it has one."""

    title: str
    html: str
    tex: str
    laws: tuple[tuple[str, str], ...]
    passed: bool
    worst: float


@dataclass(frozen=True)
class Lesson:
    """A page of sections: how it opens, and what makes them."""

    title: str
    opening: str
    checked: str
    sections: Callable[[], Iterator[Section]]

    def told(self, sections: list[Section]) -> str:
        """What was checked, with seed and worst error."""
        verdict = "All passed" if all(section.passed for section in sections) else "Not all passed"
        return self.checked.format(verdict=verdict, worst=f"{max(section.worst for section in sections):.0e}")


def _laws() -> Iterator[Section]:
    for law in matrix_laws():
        blocks = story(law.derivation, law.traced, "full", law.summary)
        report = verified(law, TRIALS, SEED)
        laws = tuple((step.law, step.why) for equation in law.derivation.equations for step in equation.steps)
        html = HtmlPage(view_of(law.derivation, law.traced, LATEX, "index"), below=1).page(blocks)
        yield Section(law.title, html, _tex_of(law, blocks[1:]), laws, bool(report.passed), float(report.worst))


def _tex_of(law: Any, blocks: list[Any]) -> str:
    from .tex import SectionPage

    title = law.title[:1].upper() + law.title[1:]
    kept = [block for block in blocks if not isinstance(block, Heading) or block.level > 1]
    page = SectionPage(view_of(law.derivation, law.traced, LATEX, "index"))
    return rf"\section{{{escaped(title)}}}" + "\n\n" + page.page(kept)


def _statements() -> Iterator[Section]:
    for make in STATEMENTS:
        made = make()
        made.verify(seed=SEED)  # raises where a step does not hold
        words = [" ".join(part.split()) for part in (make.__doc__ or "").strip().split("\n", 1)]
        laws = tuple((step.law, step.why) for step in made.steps)
        yield Section(made.name, _statement_html(made, words), _statement_tex(made, words), laws, True, 0.0)


def _given(made: Statement) -> tuple[list[str], list[str]]:
    """What a statement's names stand for, and its conditions: what fits into a line of text, and what is too wide."""
    every = [latex(part) for part in [*made.named, *made.conditions]]
    return [part for part in every if not too_wide(part)], [part for part in every if too_wide(part)]


def _sides(step: Any) -> tuple[str, str, str]:
    sign = r"\Leftrightarrow" if isinstance(step.before, Relational) else "="
    return latex(step.before), sign, latex(step.after)


def _statement_html(made: Statement, words: list[str]) -> str:
    parts = [f"<h2>{escape(made.name[:1].upper() + made.name[1:])}</h2>"]
    parts += [f"<p>{escape(part, quote=False)}</p>" for part in words if part]
    parts += boxed([f'<div class="wide">{mathml(made.said(), True)}</div>'], "Statement")
    if made.named or made.conditions:
        short, wide = _given(made)
        told = ", ".join(mathml(part) for part in short)
        parts.append(f"<p>It holds for {told}{', where' if short and wide else '' if wide else '.'}</p>")
        parts += boxed([f'<div class="wide">{mathml(part, True)}</div>' for part in wide], "Names") if wide else []
    cells = []
    for step in made.steps:
        before, sign, after = _sides(step)
        why = f": {escape(step.why, quote=False)}" if step.why else ""
        cells.append(f'<div class="wide">{mathml(before, True)}</div>')
        if after != before:  # else SymPy has worked it out while it was written down
            cells.append(f'<div class="expr alone"><div>{mathml(f"{sign} {after}", True)}</div></div>')
        cells.append(f'<div class="law"><b>{escape(step.law)}</b>{why}</div>')
    return "\n".join([*parts, *boxed(cells, made.name)]) + "\n"


def _statement_tex(made: Statement, words: list[str]) -> str:
    from .tex import prose

    parts = [rf"\section{{{escaped(made.name[:1].upper() + made.name[1:])}}}", *map(prose, filter(None, words))]
    parts.append(rf"\[ {fitted(made.said(), LINE)} \]")
    if made.named or made.conditions:
        short, wide = _given(made)
        told = ",\n".join(f"${part}$" for part in short)
        parts.append(rf"\noindent It holds for {told}{', where' if short and wide else '' if wide else '.'}")
        parts += [rf"\[ {fitted(part, LINE)} \]" for part in wide]
    for step in made.steps:
        before, sign, after = _sides(step)
        rows = [f"& {fitted(before, LINE)}"]
        rows += [rf"&\quad {sign} {fitted(after, LINE - 3)}"] if after != before else []
        why = f": {escaped(step.why)}" if step.why else ""
        parts.append(rf"\noindent\emph{{{escaped(step.law)}}}{why}")
        parts[-1] += "\n\\begin{align*}\n" + " \\\\*\n".join(rows) + "\n\\end{align*}"
    return "\n\n".join(parts)


LESSONS: Mapping[str, Lesson] = {
    "matrix-laws": Lesson(
        "Laws of matrix functions",
        "A function of a matrix has a defining equation. Differentiated by the product rule, it is an equation for the "
        "function's derivative; here it is solved. The last line of each derivation is the law that the chapter "
        "on functions of matrices uses. A dot marks the derivative along a direction in which the inputs move.",
        f"{{verdict}}: both sides of every line at {TRIALS} random matrices, seed {SEED}; the largest relative error "
        "is {worst}.",
        _laws,
    ),
    "training": Lesson(
        "What is said about training",
        "When descent converges and how fast, what averages over steps and batches do, how large weights should be at "
        "first. Each statement stands with its conditions and the steps that lead to it.",
        f"{{verdict}}: every step is evaluated at random points where the conditions hold, seed {SEED}, to a relative "
        "error of 1e-9; what a solver finds is put into what was to be solved.",
        _statements,
    ),
}


def lesson(name: str, form: str) -> Entry:
    """A lesson's file, as html or for pdf."""
    from .making import Entry
    from .tex import label

    told = LESSONS[name]
    sections = list(told.sections())
    checks = told.told(sections)
    if form == "html":
        parts = [
            '<nav class="path" aria-label="Book"><span><a href="index.html">Contents</a></span></nav>',
            f"<main>\n<h1>{escape(told.title)}</h1>",
            f"<p>{escape(told.opening, quote=False)}</p>\n<p>{escape(checks)}</p>",
            *(section.html for section in sections),
            "</main>",
        ]
        source = document(f"{told.title} · {TITLE}", "\n".join(parts) + "\n")
    else:
        head = rf"\chapter{{{escaped(told.title)}}}\label{{{label(name)}}}"
        source = (
            "\n\n".join([head, escaped(told.opening), escaped(checks), *(section.tex for section in sections)]) + "\n"
        )
    laws = tuple({law: (law, why) for section in sections for law, why in section.laws}.values())
    files = {f"{name}.{'html' if form == 'html' else 'tex'}": source.encode("utf-8")}
    checked = Checked(all(s.passed for s in sections), max(s.worst for s in sections))
    return Entry(files, told.title, laws, checked)


__all__ = ["LESSONS", "lesson"]
