"""Lines of a formula: definitions, equations, declarations; each line may use what stands above it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from .errors import LatexError
from .functions import ALIASES, KNOWN
from .grammar import Cursor
from .letters import uses, walk
from .names import worded
from .operands import Operands
from .scope import SQUARE, Scope, difference_of, label_of, stem_of
from .tokens import GREEK, Token, tokens
from .tree import Marked, Name, Node, Relation

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
    inverse: bool = False  # S^{-1} = …


@dataclass(frozen=True)
class Line:
    """One line: its sides between equality signs, and the new name on the left, if there is one."""

    sides: tuple[Node, ...]
    column: int
    target: Target | None = None
    letters: tuple[str, ...] = ()
    tokens: tuple[Token, ...] = field(default=(), repr=False)
    replaced: str | None = None  # the declared name that gets a new value, m ← …; "" if it is none

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node of its sides, in the order written."""
        return tuple(node for side in self.sides for node in walk(side))


def lines_of(text: str) -> list[list[Token]]:
    """The statements of a text, as tokens; alignment and punctuation between them are dropped."""
    found = _unwrapped(list(tokens(text)[:-1]))
    parts: list[list[Token]] = [[]]
    depth, told = 0, 0  # told: where the definitions begin that the text gives after their use, behind "where"
    for place, token in enumerate(found):
        opens = token.kind == "begin" or (token.kind == "symbol" and token.text in ("(", "[", "{", "\\{", "langle"))
        closes = token.kind == "end" or (token.kind == "symbol" and token.text in (")", "]", "}", "\\}", "rangle"))
        depth += opens - closes
        if depth == 0 and token.text == "," and _grouped(found[place - 1 : place + 2]):
            raise LatexError("a comma within a number: write it without", token.column)
        if depth == 0 and _separates(token, found[place + 1 :]):
            parts.append([])
            told = told or (len(parts) - 1) * (token.kind == "word" and token.text.lower() in AFTERWARDS)
        elif depth or (token.kind != "newline" and (token.kind, token.text) != ("symbol", "&")):
            parts[-1].append(token)
        elif token.text == "&" and parts[-1] and _is_operand(parts[-1][-1]) and _is_operand(found[place + 1 :][:1]):
            raise LatexError("& stands between two operands: put each equation on a line of its own", token.column)
    kept = [_plain(part) for part in (*parts[told:], *parts[:told])]
    return [part for part in kept if part]


def _grouped(around: list[Token]) -> bool:
    """Whether a comma stands as in 1,000."""
    numbers = [t for t in around if t.kind == "number"]
    return len(numbers) == 2 and around[1].tight and around[2].tight and len(around[2].text.split(".")[0]) == 3


def _is_operand(token: Token | list[Token]) -> bool:
    """Whether a symbol is a letter, a number or a command, and no sign."""
    one = token if isinstance(token, Token) else token[0] if token else Token("stop", "", 0)
    return one.kind in ("letter", "number", "command")


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


def in_order(parts: list[list[Token]], scope: Scope) -> list[list[Token]]:
    """The lines so that definitions stand before their use: z = f(r), r = x - y."""
    if len(parts) == 1 or any(top_level(part, "assign") for part in parts[:-1]):  # steps of an algorithm
        return parts
    new: dict[str, int] = {}
    for place, part in enumerate(parts):
        signs = top_level(part)
        target = _target(part[: signs[0]], part[signs[0] :], scope) if signs else None
        if target is not None and target.stem not in scope.names:
            new[target.stem] = -1 if target.stem in new else place
    needs = [{place for stem, place in new.items() if place not in (-1, at) and _mentions(part, stem, scope)}
             for at, part in enumerate(parts)]  # fmt: skip
    if all(place < at for at, needed in enumerate(needs) for place in needed):
        return parts
    order: list[int] = []
    while len(order) < len(parts):
        ready = [at for at in range(len(parts)) if at not in order and needs[at] <= set(order)]
        if not ready:
            return parts
        order.append(ready[0])
    return [parts[at] for at in order]


def _mentions(part: list[Token], stem: str, scope: Scope) -> bool:
    """Whether a name stands to the right of the equality sign; one that is a length, too, with its index."""
    signs = top_level(part)
    for at in range(signs[0] + 1 if signs else 0, len(part)):
        found = stem_of(part[at : at + 8])
        if found is not None and found[0] == stem:
            after = part[at + found[1] : at + found[1] + 1]
            if scope.length(stem) is None or (after and after[0].text == "_"):
                return True
    return False


def read_line(part: list[Token], scope: Scope) -> Line:
    """The sides of a line; a new name alone on the left makes it a definition."""
    part, assigned = _assigned(part)
    signs = top_level(part)
    target = _target(part[: signs[0]], part[signs[0] :], scope) if signs else None
    if target is None:
        left, indices = part[: signs[0]] if assigned else [], _indices_left(part, signs, scope)
        part = part[signs[0] + 1 :] if assigned else part  # w ← w − η g is the formula of the new value
        inner = Operands(part, scope, indices | _limits(part))
        found = inner.expression()
        inner.end()
        if assigned:
            _no_stray(found, indices, scope)
        sides = found.items if isinstance(found, Relation) else (found,)
        if isinstance(found, Relation) and set(found.signs) != {"="}:
            raise LatexError("a comparison is no formula: expected an expression or an equation", found.column)
        return Line(sides, part[0].column, tokens=tuple(part), replaced=_replaced(left, scope) if assigned else None)
    rest = part[signs[0] + 1 :]
    if not rest:
        raise LatexError("nothing stands to the right of =", part[signs[0]].column)
    letters = tuple(_letters(target, scope))
    inner = Operands(rest, scope, {*letters, *_limits(rest)})
    inner.closed = True
    found = inner.expression()
    inner.end()
    sides = found.items if isinstance(found, Relation) else (found,)
    if target.inverse:
        sides = tuple(Marked(side.column, "inverse", side) for side in sides)
    return Line(sides, part[0].column, target, letters, tuple(part))


def _assigned(part: list[Token]) -> tuple[list[Token], bool]:
    """:= and \\leftarrow as =, and whether there was one."""
    places = top_level(part, "assign")
    if len(places) != 1 or top_level(part):
        return part, False
    (place,) = places
    return [*part[:place], Token("symbol", "=", part[place].column), *part[place + 1 :]], True


def _replaced(left: list[Token], scope: Scope) -> str:
    """The key of the declared name that stands alone on the left."""
    found = Operands(left, scope).whole()
    return found.key if isinstance(found, Name) else ""


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
    below = [t for at, t in enumerate(left) if t.text in GREEK and any(s.text == "_" for s in left[:at])]
    return {t.text for t in (*left, *below) if (t.kind == "letter" or t in below) and t.text not in scope.names}


def _letters(target: Target, scope: Scope) -> Iterator[str]:
    """Letters on the left; an argument that is a declared array stands for itself."""
    for token in (*target.sub, *target.sup, *target.arguments):
        known = scope.names.get(token.text) if token in target.arguments else None
        greek = token.text in GREEK and token.text not in scope.names and token not in target.arguments
        if (token.kind == "letter" or greek) and (known is None or known.kind == "index"):
            yield token.text


def _target(left: list[Token], rest: list[Token], scope: Scope) -> Target | None:
    """A new name alone on the left: \\hat{y}_i, L_\\delta(a), f(x), S(i, j), y[n], S^{-1}."""
    cursor = Operands(left, scope)
    prefix, named = _prefixed(left, scope)
    fresh = difference_of(named) if "Delta" not in scope.names else None
    found = (None if prefix else cursor.long_name()) or fresh or _new_word(named, scope) or stem_of(named)
    if found is None or (prefix and found[0] in scope.names):
        return None
    stem, start = f"{prefix}{found[0]}", left[0]
    cursor.place = found[1] + len(left) - len(named)
    made = _attached(cursor, scope, stem)
    if made is None:
        return None
    sub, sup, inverse = made
    arguments: list[Token] = []
    if cursor.sees("(", "["):
        end = cursor.closing(cursor.place)
        if end is None:
            return None
        arguments, cursor.place = cursor.tokens[cursor.place + 1 : end], end + 1
    if arguments and cursor.accepts("_"):  # S_\lambda(x)_i
        arguments = [*arguments, Token("symbol", ",", cursor.now.column), *cursor.group("an index")]
    if cursor.now.kind != "stop" or (prefix and _is_declared(found[0], sub, sup, arguments, scope)):
        return None
    if not _moved_on(sub, rest, scope) and _is_declared(stem, sub, sup, arguments, scope):
        return None
    return Target(stem, start.column, tuple(sub), tuple(sup), tuple(arguments), inverse)


def _prefixed(left: list[Token], scope: Scope) -> tuple[str, list[Token]]:
    """\\log p(x) = … and \\nabla_\\theta J = … as definitions of names of their own, where p and J are none yet."""
    first = left[0] if left else Token("stop", "", 0)
    if first.kind == "command" and first.text in ("log", "ln") and len(left) > 1:
        return "log", left[1:]
    if first.kind != "command" or first.text != "nabla" or len(left) < 2:
        return "", left
    cursor = Operands(left, scope)
    cursor.next()
    if cursor.accepts("_"):
        cursor.group("the variable of \\nabla")
    return "grad", left[cursor.place :]


def _attached(cursor: Operands, scope: Scope, stem: str) -> tuple[list[Token], list[Token], bool] | None:
    """What is attached to a new name: below, above, and whether it is its inverse that is defined."""
    sub: list[Token] = []
    sup: list[Token] = []
    inverse = False
    while cursor.sees("_", "^", "'"):
        if cursor.sees("'") and not sup:
            sup = [cursor.next()]
            continue
        sign = cursor.next().text
        group = cursor.group("an index or a label")
        texts = [t.text for t in group]
        if sign == "_" and not sub:
            sub = group
        elif sign == "^" and not sup and texts == ["2"]:
            sup = [Token("word", SQUARE, group[0].column)]  # \sigma^2 = … defines σ²
        elif sign == "^" and texts == ["-", "1"] and stem not in scope.names:
            inverse = True  # S^{-1} = … defines S
        elif sign == "^" and not sup and (cursor.brackets(group) or label_of(group) == "*" or worded(group)):
            sup = group
        elif sign == "^" and not sup and (texts in (["+"], ["-"]) or _is_mark(group)):
            sup = [group[0]] if group[0].kind != "symbol" else [Token("word", texts[0], group[0].column)]
        else:
            return None
    return sub, sup, inverse


def _is_mark(group: list[Token]) -> bool:
    """Whether a superscript of a new name can only be a label: V^\\pi, \\delta^V."""
    (token, *more) = group
    return not more and (token.text in GREEK or (token.kind == "letter" and token.text.isupper() and token.text != "T"))


def _moved_on(sub: list[Token], rest: list[Token], scope: Scope) -> bool:
    """H_{k+1} = … of a declared H, where k stands nowhere on the right: the next H."""
    letters = [t.text for t in sub if t.kind == "letter"]
    plus = [t.text for t in sub[1:]] == ["+", "1"] and len(letters) == 1
    return plus and letters[0] not in scope.axes and letters[0] not in {t.text for t in rest}


def _new_word(left: list[Token], scope: Scope) -> tuple[str, int] | None:
    """PE: several letters side by side, none of them declared, are one new name."""
    run = ""
    for token in left:
        if token.kind != "letter" or (run and not token.tight):
            break
        run += token.text
    lengths = [letter for letter in run if scope.length(letter) is not None]
    called = run.isupper() and len(lengths) < len(run) and [t.text for t in left[len(run) : len(run) + 1]] == ["("]
    fresh = not any(letter in scope.names for letter in run) and (not lengths or called)  # BN(x) beside N
    return (run, len(run)) if len(run) > 1 and fresh else None


def _is_declared(stem: str, sub: list[Token], sup: list[Token], arguments: list[Token], scope: Scope) -> bool:
    label = [part for part in (label_of(sub), label_of([t for t in sup if t.text not in "()[]"])) if part]
    if "_".join([stem, *label]) in scope.names:
        return True
    known = scope.names.get(stem)
    if label and label[-1].startswith("'") and not arguments:
        return False  # w' is new where w is declared
    if sup and (_is_mark(sup) or sup[0].text in ("+", "-")):
        return False
    if known is not None and (known.rank > 0 or known.kind == "function" or not label):
        return True  # w_{t+1} is new where w_t is declared, or w is a number
    return bool(arguments) and not sub and len(stem) > 1 and (
        ALIASES.get(stem, stem) in KNOWN or _is_formula(stem, arguments, scope) or stem == "sigma"
    )  # fmt: skip


def _is_formula(stem: str, arguments: list[Token], scope: Scope) -> bool:
    """Whether the catalogue has it with as many arguments; otherwise the text defines its own."""
    formula = scope.formula(stem)
    if formula is None:
        return False
    required = sum(parameter.required for parameter in formula.tensors)
    return required <= 1 + sum(t.text in (",", ";", "|") for t in arguments) <= len(formula.tensors)
