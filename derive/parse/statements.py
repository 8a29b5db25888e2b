"""Lines of a formula: definitions, equations, declarations; each line may use what stands above it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .errors import LatexError
from .functions import ALIASES, KNOWN
from .grammar import Cursor
from .letters import uses
from .names import worded
from .operands import Operands
from .scope import SQUARE, Scope, difference_of, label_of, stem_of
from .tokens import Token, tokens
from .tree import Node, Relation

WRAPPERS = ("align", "aligned", "equation", "gather", "split", "eqnarray", "multline")
AFTERWARDS = ("where", "with")


@dataclass(frozen=True)
class Target:
    """What a definition defines: a new name, the symbols below it, its arguments."""

    stem: str
    column: int
    sub: tuple[Token, ...] = ()
    sup: tuple[Token, ...] = ()
    arguments: tuple[Token, ...] = ()


@dataclass(frozen=True)
class Line:
    """One line: its sides between equality signs, and the new name on the left, if there is one."""

    sides: tuple[Node, ...]
    column: int
    target: Target | None = None
    letters: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = field(default=(), repr=False)


def lines_of(text: str) -> list[list[Token]]:
    """The statements of a text, as tokens; alignment and punctuation between them are dropped."""
    found = _unwrapped(list(tokens(text)[:-1]))
    parts: list[list[Token]] = [[]]
    depth, told = 0, 0  # told: where the definitions begin that the text gives after their use, behind "where"
    for place, token in enumerate(found):
        opens = token.kind == "begin" or (token.kind == "symbol" and token.text in ("(", "[", "{", "\\{", "langle"))
        closes = token.kind == "end" or (token.kind == "symbol" and token.text in (")", "]", "}", "\\}", "rangle"))
        depth += opens - closes
        if depth == 0 and _separates(token, found[place + 1 :]):
            parts.append([])
            told = told or (len(parts) - 1) * (token.kind == "word" and token.text.lower() in AFTERWARDS)
        elif depth or (token.kind != "newline" and (token.kind, token.text) != ("symbol", "&")):
            parts[-1].append(token)
    kept = [_plain(part) for part in (*parts[told:], *parts[:told])]
    return [part for part in kept if part]


def _unwrapped(found: list[Token]) -> list[Token]:
    """Without \\begin{align} … \\end{align} around everything."""
    if found and found[0].kind == "begin" and found[0].text in WRAPPERS:
        if found[-1].kind != "end" or found[-1].text != found[0].text:
            raise LatexError(f"\\begin{{{found[0].text}}} has no \\end{{{found[0].text}}} at the end", found[0].column)
        return _unwrapped(found[1:-1])
    return found


def _separates(token: Token, rest: list[Token]) -> bool:
    if token.kind == "newline":  # a line that begins with + goes on with the one before
        first = next((t for t in rest if t.text != "&"), token)
        return not (first.kind == "symbol" and first.text in ("+", "-", "cdot", "times", "odot"))
    if token.kind == "word":
        return token.text.lower() in ("where", "with", "and", "let", "so that")
    return token.kind == "symbol" and token.text in (",", ";")


def _plain(part: list[Token]) -> list[Token]:
    while part and part[-1].kind == "symbol" and part[-1].text in (".", ","):
        part = part[:-1]
    return part


def top_level(part: list[Token], sign: str = "=") -> list[int]:
    """Where a sign stands outside all brackets."""
    found, depth = [], 0
    for place, token in enumerate(part):
        if token.kind in ("begin", "end"):
            depth += 1 if token.kind == "begin" else -1
        elif token.kind == "symbol":
            depth += (token.text in ("(", "[", "{", "\\{")) - (token.text in (")", "]", "}", "\\}"))
            if token.text == sign and depth == 0:
                found.append(place)
    return found


def read_line(part: list[Token], scope: Scope) -> Line:
    """The sides of a line; a new name alone on the left makes it a definition."""
    part, assigned = _assigned(part)
    signs = top_level(part)
    target = _target(part[: signs[0]], scope) if signs else None
    if target is None:
        indices = _indices_left(part, signs, scope)
        part = part[signs[0] + 1 :] if assigned else part  # w ← w − η g is the formula of the new value
        inner = Operands(part, scope, indices | _limits(part))
        found = inner.expression()
        inner.end()
        if assigned:
            _no_stray(found, indices, scope)
        sides = found.items if isinstance(found, Relation) else (found,)
        if isinstance(found, Relation) and set(found.signs) != {"="}:
            raise LatexError("a comparison is no formula: expected an expression or an equation", found.column)
        return Line(sides, part[0].column, tokens=tuple(part))
    rest = part[signs[0] + 1 :]
    if not rest:
        raise LatexError("nothing stands to the right of =", part[signs[0]].column)
    letters = tuple(_letters(target, scope))
    inner = Operands(rest, scope, {*letters, *_limits(rest)})
    found = inner.expression()
    inner.end()
    sides = found.items if isinstance(found, Relation) else (found,)
    return Line(sides, part[0].column, target, letters, tuple(part))


def _assigned(part: list[Token]) -> tuple[list[Token], bool]:
    """:= and \\leftarrow as =, and whether there was one."""
    places = top_level(part, "assign")
    if len(places) != 1 or top_level(part):
        return part, False
    (place,) = places
    return [*part[:place], Token("symbol", "=", part[place].column), *part[place + 1 :]], True


def _no_stray(found: Node, indices: set[str], scope: Scope) -> None:
    """The letters of a new value are those of what it replaces."""
    for use in uses(found, scope):
        if use.letter not in indices:
            raise LatexError(f"the index {use.letter} stands on the right, but not on the left, and no sum binds it",
                             use.column)  # fmt: skip


def _limits(part: list[Token]) -> set[str]:
    """T_x and N_f as upper limits: lengths that the sum tells."""
    found = set()
    for place, token in enumerate(part):
        if token.text != "^" or part[place - 1].text != "}":
            continue
        group = Cursor(part[place + 1 :], Scope()).group("a limit")
        label = label_of(group[2:]) if len(group) > 2 and group[0].kind == "letter" and group[1].text == "_" else None
        found |= {f"{group[0].text}_{label}"} if label else set()
    return found


def _indices_left(part: list[Token], signs: list[int], scope: Scope) -> set[str]:
    """Letters that stand on the left-hand side of an equation."""
    if not signs:
        return {name for name, one in scope.names.items() if one.kind == "index"}
    left = part[: signs[0]]
    return {t.text for t in left if t.kind == "letter" and t.text not in scope.names}


def _letters(target: Target, scope: Scope) -> Iterator[str]:
    """Letters on the left; an argument that is a declared array stands for itself."""
    for token in (*target.sub, *target.sup, *target.arguments):
        known = scope.names.get(token.text) if token in target.arguments else None
        if token.kind == "letter" and (known is None or known.kind == "index"):
            yield token.text


def _target(left: list[Token], scope: Scope) -> Target | None:
    """A new name alone on the left: \\hat{y}_i, L_\\delta(a), f(x), S(i, j), y[n]."""
    cursor = Operands(left, scope)
    log = len(left) > 1 and left[0].kind == "command" and left[0].text in ("log", "ln")  # \\log p(x) = …
    named = left[1:] if log else left
    fresh = difference_of(named) if "Delta" not in scope.names else None
    found = (None if log else cursor.long_name()) or fresh or _new_word(named, scope) or stem_of(named)
    if found is None or (log and found[0] in scope.names):
        return None
    stem, start = f"log{found[0]}" if log else found[0], left[0]
    cursor.place = found[1] + log
    sub: list[Token] = []
    sup: list[Token] = []
    while cursor.sees("_", "^", "'"):
        if cursor.sees("'") and not sup:
            sup = [cursor.next()]
            continue
        sign = cursor.next().text
        group = cursor.group("an index or a label")
        if sign == "_" and not sub:
            sub = group
        elif sign == "^" and not sup and [t.text for t in group] == ["2"]:
            sup = [Token("word", SQUARE, group[0].column)]  # \\sigma^2 = … defines σ²
        elif sign == "^" and not sup and (cursor.brackets(group) or label_of(group) == "*" or worded(group)):
            sup = group
        else:
            return None
    arguments: list[Token] = []
    if cursor.sees("(", "["):
        end = cursor.closing(cursor.place)
        if end is None:
            return None
        arguments, cursor.place = cursor.tokens[cursor.place + 1 : end], end + 1
    if cursor.now.kind != "stop" or _is_declared(stem, sub, sup, arguments, scope):
        return None
    return Target(stem, start.column, tuple(sub), tuple(sup), tuple(arguments))


def _new_word(left: list[Token], scope: Scope) -> tuple[str, int] | None:
    """PE: several letters side by side, none of them declared, are one new name."""
    run = ""
    for token in left:
        if token.kind != "letter" or (run and not token.tight):
            break
        run += token.text
    fresh = not any(letter in scope.names or scope.length(letter) is not None for letter in run)
    return (run, len(run)) if len(run) > 1 and fresh else None


def _is_declared(stem: str, sub: list[Token], sup: list[Token], arguments: list[Token], scope: Scope) -> bool:
    label = [part for part in (label_of(sub), label_of([t for t in sup if t.text not in "()[]"])) if part]
    if "_".join([stem, *label]) in scope.names:
        return True
    known = scope.names.get(stem)
    if label and label[-1].startswith("'") and not arguments:
        return False  # w' is new where w is declared
    if known is not None and (known.rank > 0 or known.kind == "function" or not label):
        return True  # w_{t+1} is new where w_t is declared, or w is a number
    return bool(arguments) and not sub and len(stem) > 1 and (
        ALIASES.get(stem, stem) in KNOWN or scope.formula(stem) is not None or stem == "sigma"
    )  # fmt: skip
