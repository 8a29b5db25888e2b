"""Names as operands: which part of W_f^{(2)} is a label and which an index is decided by what is declared."""

from __future__ import annotations

from dataclasses import dataclass, field

from derive.axes import did_you_mean

from .errors import LatexError
from .grammar import FACTOR, Grammar
from .scope import Declared, label_of, stem_of
from .tokens import GREEK, Token
from .tree import At, Binary, Call, Constant, Letter, Minus, Name, Node, Number, Power

ELEMENTWISE = frozenset(
    "exp log sin cos tan sinh cosh tanh arctan atan sqrt erf sigmoid softplus abs sgn sign floor".split()
)
WHOLE = frozenset("det logdet tr trace diag vec softmax logsumexp mean var sum expm inner max min relu".split())
KNOWN = ELEMENTWISE | WHOLE
ALIASES = {"ln": "log", "sgn": "sign", "trace": "tr", "Tr": "tr", "ReLU": "relu", "Var": "var", "arctan": "atan",
           "Softmax": "softmax", "LSE": "logsumexp", "lse": "logsumexp", "Diag": "diag", "sigm": "sigmoid",
           "Softplus": "softplus", "logistic": "sigmoid", "Sigmoid": "sigmoid"}  # fmt: skip


@dataclass
class Attached:
    """What is attached to a name: subscript, superscript, primes, in tokens."""

    sub: list[Token] = field(default_factory=list)
    sup: list[Token] = field(default_factory=list)
    primes: int = 0
    place: int = 0  # of the superscript, to return to it if it is a power
    label: str = ""


def inside(group: list[Token]) -> list[Token] | None:
    """What stands in the brackets of a superscript (i) or [l]; None if there are none around all of it."""
    if len(group) < 3 or (group[0].text, group[-1].text) not in (("(", ")"), ("[", "]")):
        return None
    return group[1:-1]


class Names(Grammar):
    """Operands that begin with a name."""

    def long_name(self) -> tuple[str, int] | None:
        """A declared name of several letters, as PE or pos, written in italics; and how many letters it has."""
        run = ""
        for token in self.tokens[self.place : self.place + 12]:
            if token.kind != "letter" or (run and not token.tight):
                break
            run += token.text
        for count in range(len(run), 1, -1):
            word = run[:count]
            if not any(key == word or key.startswith(f"{word}_") for key in self.scope.names):
                continue
            if all(letter in self.scope.names for letter in word):
                raise LatexError(f"two readings: the name {word}, or a product of its letters; write "
                                 f"\\mathrm{{{word}}}",
                                 self.now.column)  # fmt: skip
            return word, count
        return None

    @staticmethod
    def brackets(group: list[Token]) -> bool:
        return inside(group) is not None

    def name(self) -> Node | None:
        """A name with its labels and indices, or None if no name stands here."""
        found = self.long_name() or stem_of(self.tokens[self.place : self.place + 40])
        if found is None:
            return None
        stem, start = found[0], self.now
        self.place += found[1]
        if (constant := self.constant(stem, start)) is not None:
            return constant
        attached = self.attached()
        for label in self.labels(attached):
            key = "_".join([stem, *label])
            if key in self.scope.names:
                return self.known(key, start, attached, label)
        return self.unknown(stem, start, attached)

    def constant(self, stem: str, start: Token) -> Node | None:
        if stem in self.scope.names or self.labelled(stem):
            return None
        if stem == "1" or (stem == "pi" and start.text == "pi"):
            return Constant(start.column, {"1": "ones"}.get(stem, stem))
        if stem == "e" and not self.sees("_"):
            return Constant(start.column, "e")
        if stem == "I" and not self.sees("_", "(") and "I" not in self.letters:
            return Constant(start.column, "identity")
        return None

    def labelled(self, stem: str) -> bool:
        """Whether the name is declared with some label: e_t beside Euler's e."""
        return any(key.startswith(f"{stem}_") for key in self.scope.names) and self.sees("_", "^")

    def attached(self) -> Attached:
        found = Attached()
        while True:
            if self.sees("_") and not found.sub:
                self.next()
                found.sub = self.group("an index or a label after _")
            elif self.sees("'") and not found.primes:
                while self.accepts("'"):
                    found.primes += 1
            elif self.sees("^") and not found.sup and self.is_label():
                found.place = self.place
                self.next()
                found.sup = self.group("a label after ^")
            else:
                return found

    def is_label(self) -> bool:
        """Whether the superscript is a label or an index in brackets, a star: no power."""
        place = self.place + 1
        ahead = self.tokens[place]
        if ahead.text in ("*", "star") and ahead.kind == "symbol":
            return True
        return ahead.text == "{" and self.tokens[min(place + 1, len(self.tokens) - 1)].text in ("(", "[", "*", "star")

    def labels(self, attached: Attached) -> list[tuple[str, ...]]:
        """Readings of what is attached as labels, the longest first: W_{f,2}, W_f, W_2, W."""
        sub = label_of(attached.sub)
        sup = label_of(inside(attached.sup) or attached.sup)
        prime = ("'" * attached.primes,) if attached.primes else ()
        options = [[part for part in (s, p) if part] for s, p in ((sub, sup), (sub, None), (None, sup), (None, None))]
        found = [(*option, *prime) for option in options] + [tuple(option) for option in options]
        return list(dict.fromkeys(found))

    def known(self, key: str, start: Token, attached: Attached, label: tuple[str, ...]) -> Node:
        """A declared name: what is attached beyond its label are indices, or the parameter of a function."""
        declared = self.scope.names[key]
        sub = attached.sub if attached.sub and label_of(attached.sub) not in label else []
        sup = attached.sup if attached.sup and label_of(inside(attached.sup) or attached.sup) not in label else []
        primes = 0 if any("'" in part for part in label) else attached.primes
        node = Name(start.column, key, declared.name)
        if declared.kind == "index":
            return Letter(start.column, declared.name)
        if declared.kind == "function":
            return self.application(key, start, sub, primes)
        if declared.flags[:1] == ("called",) and self.sees("("):
            self.same_arguments(declared)
        if primes:
            raise LatexError(f"{declared.name}' is not declared: declare it, or write ^\\top", start.column)
        indices: list[Node] = []
        if sup:
            inner = inside(sup)
            if inner is None:
                raise LatexError(f"{declared.name}^{{{label_of(sup)}}} is not declared", start.column)
            indices += self.indices(inner, declared.rank)
        if sub:
            indices += self.indices(sub, declared.rank - len(indices))
        if declared.rank and not indices and (called := self.called(declared.rank)) is not None:
            indices = called
        if len(indices) > declared.rank:
            raise LatexError(
                f"{declared.name} has {declared.rank} {'axis' if declared.rank == 1 else 'axes'}, "
                f"given {len(indices)} indices", start.column,
            )  # fmt: skip
        return At(start.column, node, tuple(indices)) if indices else node

    def same_arguments(self, declared: Declared) -> None:
        """f(x) after f(x) = …: the value that was defined; f of anything else is not worked out."""
        end = self.closing(self.place)
        given = label_of(self.tokens[self.place + 1 : end]) if end is not None else None
        if end is None or given != declared.flags[1]:
            raise LatexError(f"{declared.name} was defined of {declared.flags[1]}; of anything else write it out",
                             self.now.column)  # fmt: skip
        self.place = end + 1

    def indices(self, group: list[Token], most: int) -> list[Node]:
        """The indices in a subscript: between commas, or side by side where as many are wanted."""
        if group and inside(group) is not None and any(t.text == "," for t in group):
            group = group[1:-1]
        parts: list[list[Token]] = [[]]
        depth = 0
        for token in group:
            depth += (token.text in ("{", "(", "[")) - (token.text in ("}", ")", "]"))
            if token.text == "," and token.kind == "symbol" and depth == 0:
                parts.append([])
            else:
                parts[-1].append(token)
        if len(parts) > 1:
            if not all(parts):
                raise LatexError("an index is missing beside the comma", group[0].column)
            return [self.sub(part).whole() for part in parts]
        found = self.sub(group).whole()
        factors = _factors(found)
        if len(factors) > 1 and most > 1:
            if len(factors) != most and any(not isinstance(f, Letter) for f in factors):
                raise LatexError("several readings of these indices: put commas between them", group[0].column)
            return factors
        return factors if len(factors) > 1 and all(isinstance(f, Letter) for f in factors) else [found]

    def called(self, rank: int) -> list[Node] | None:
        """y[n], S(i, j): indices in brackets directly after a name, if all of them are whole numbers."""
        if not (self.sees("[") or (self.sees("(") and self.now.tight)):
            return None
        end = self.closing(self.place)
        if end is None:
            return None
        inner = self.tokens[self.place + 1 : end]
        try:
            found = self.indices(inner, 1) if inner else []
        except LatexError:
            return None
        if len(found) != rank or not all(self.index_like(one) for one in found):
            return None
        self.place = end + 1
        return found

    def closing(self, place: int) -> int | None:
        """Where the bracket at `place` is closed."""
        depth = 0
        for at in range(place, len(self.tokens)):
            text = self.tokens[at].text if self.tokens[at].kind == "symbol" else ""
            depth += (text in ("(", "[", "{", "\\{")) - (text in (")", "]", "}", "\\}"))
            if depth == 0:
                return at
        return None

    def index_like(self, node: Node) -> bool:
        if isinstance(node, Letter):
            declared = self.scope.names.get(node.name)
            return self.scope.length(node.name) is None or node.name in self.letters or declared is not None
        if isinstance(node, Name):
            return self.scope.names[node.key].kind == "size"
        if isinstance(node, Binary):
            return node.operator in "+-*" and self.index_like(node.left) and self.index_like(node.right)
        return isinstance(node, Number) and "." not in node.text

    def application(self, key: str, start: Token, sub: list[Token], primes: int) -> Node:
        """f(x), f_\\theta(x), f'(x) of a declared function, which stays abstract."""
        parameters = [self.sub(sub).whole()] if sub else []
        power = self.power_of_function()
        if not self.sees("(", "["):
            if parameters or power or self.begins_operand():
                raise LatexError(f"the function {key} stands without its argument: write {key}(…)", start.column)
            return Name(start.column, key, key)
        found: Node = Call(start.column, key + "'" * primes, (*parameters, *self.arguments()))
        return found if power is None else Power(start.column, found, power)

    def power_of_function(self) -> Node | None:
        if not self.sees("^"):
            return None
        start = self.next()
        found = self.sub(self.group("a power")).whole()
        if not isinstance(found, Number):
            raise LatexError("only a number may stand as the power of a function; f^{-1} has two readings: the inverse "
                             "function, or 1/f", start.column)  # fmt: skip
        return found

    def arguments(self) -> list[Node]:
        """The arguments in brackets after a function."""
        opening = self.next()
        closing = {"(": ")", "[": "]", "\\{": "\\}"}[opening.text]
        bars, self.bars = self.bars, []
        found = [self.expression()]
        while self.accepts(","):
            found.append(self.expression())
        self.expect(closing, f"for the {opening.text.removeprefix(chr(92))} at column {opening.column + 1}")
        self.bars = bars
        return found

    def unknown(self, stem: str, start: Token, attached: Attached) -> Node:
        """An undeclared name: a function everybody knows, a formula of the catalogue, an index, a scalar in Greek."""
        sub, plain = label_of(attached.sub), ALIASES.get(stem, stem)
        if stem == "sigma" and self.sees("(") and not attached.sub:
            return self.applied("sigmoid", start, attached)
        if plain in KNOWN and not attached.sub and (len(stem) > 1 or self.sees("(")):
            return self.applied(plain, start, attached)
        if len(stem) > 1 and stem not in GREEK and not attached.sub and self.scope.formula(stem) is not None:
            return self.applied(stem, start, attached)
        if attached.sup or attached.primes > (1 if len(stem) == 1 else 0):
            raise self.undeclared(stem, start, attached)
        if sub and self.scope.length(f"{stem}_{sub}") is not None and not attached.sup:
            return Letter(start.column, f"{stem}_{sub}")
        if stem == "delta" and attached.sub and len(both := self.indices(attached.sub, 2)) == 2:
            return Call(start.column, "kronecker", tuple(both))
        if stem in GREEK and (not attached.sub or (sub is not None and (sub.isdigit() or _upright(attached.sub)))):
            return Letter(start.column, stem if not sub else f"{stem}_{sub}")
        if (len(stem) == 1 or stem in ("ell", "pos")) and not attached.sub:
            return Letter(start.column, stem + "'" * attached.primes)
        if len(stem) == 1 and sub is not None and (sub.isdigit() or f"{stem}_{sub}" in self.letters):
            return Letter(start.column, f"{stem}_{sub}")
        raise self.undeclared(stem, start, attached)

    def undeclared(self, stem: str, start: Token, attached: Attached) -> LatexError:
        sub = label_of(attached.sub)
        full = f"{stem}_{sub}" if sub else stem
        known = [one.name for one in self.scope.names.values() if one.name]
        known += [*KNOWN, *self.scope.catalogue] if len(stem) > 2 else []
        kind = f"'{full}: function'" if self.sees("(") else f"'{full}: scalar' or '{stem}: n'"
        near = did_you_mean(stem, known) or f": declare it, as in where={kind}"
        return LatexError(f"{full} is not declared{near}", start.column)

    def applied(self, name: str, start: Token, attached: Attached) -> Node:
        """A known function with its argument, in brackets or not."""
        if attached.primes:
            name += "'" * attached.primes
        power = self.power_of_function()
        if self.sees("(", "[", "\\{"):
            found: Node = Call(start.column, name, tuple(self.arguments()))
            if self.sees("^") and name in ELEMENTWISE and name not in ("sigmoid", "softplus"):
                raise LatexError(f"two readings: the power of {name}(x), or {name} of a power; write \\{name}^2(x) or "
                                 f"more brackets", self.now.column)  # fmt: skip
        else:
            found = Call(start.column, name, (self.bare_argument(name),))
        return found if power is None else Power(start.column, found, power)

    def bare_argument(self, name: str) -> Node:
        """The argument of \\log x: one factor, or numbers and one factor; log a b has two readings."""
        start = self.now
        if not (self.begins_operand() or self.sees("-")):
            raise LatexError(f"{name} stands without its argument", start.column)
        found = self.expression(FACTOR)
        while isinstance(found, Number) and self.now.text == "pi":  # log 2π; more than that needs brackets
            found = Binary(self.now.column, "*", found, self.expression(FACTOR))
        follows = self.now
        function = follows.kind == "command" and follows.text in ("log", "ln", "exp", "sin", "cos", "tanh")
        function = function and not _numeric(found)
        joined = self.sees("cdot", "odot", "/", "times", "*")
        if (self.begins_operand() and not function) or joined:
            raise LatexError(
                f"two readings: does {name} reach over {follows.shown} too? Write {name}( … )", follows.column
            )
        return found


def _upright(group: list[Token]) -> bool:
    """Whether a subscript is a word, \\text{max}, and no product of letters."""
    return all(token.kind == "word" or token.text in ("max", "min") for token in group)


def _factors(node: Node) -> list[Node]:
    if isinstance(node, Binary) and node.operator == "*":
        return [*_factors(node.left), node.right]
    return [node]


def _numeric(node: Node) -> bool:
    if isinstance(node, Binary):
        return node.operator == "*" and _numeric(node.left) and _numeric(node.right)
    if isinstance(node, Minus):
        return _numeric(node.body)
    return isinstance(node, Number) or (isinstance(node, Constant) and node.name == "pi")
