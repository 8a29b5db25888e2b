"""Functions and their arguments: f(x), \\log x, \\tanh^2(x), abstract ones, and letters that are none."""

from __future__ import annotations

from .errors import LatexError
from .grammar import FACTOR, Grammar
from .scope import stem_of
from .tokens import STYLES, Token
from .tree import Binary, Call, Constant, Minus, Name, Node, Number, Power

ELEMENTWISE = frozenset(
    "exp log sin cos tan sinh cosh tanh atan asin acos asinh atanh sech coth csch sqrt erf sigmoid softplus abs sign "
    "floor Γ loggamma digamma sg".split()
)
WHOLE = frozenset(
    "det logdet tr trace diag vec softmax logsumexp mean var sum expm inner max min relu clip factorial binom".split()
)
KNOWN = ELEMENTWISE | WHOLE
ALIASES = {"ln": "log", "sgn": "sign", "trace": "tr", "Tr": "tr", "ReLU": "relu", "Var": "var", "arctan": "atan",
           "arcsin": "asin", "arccos": "acos", "arsinh": "asinh", "arcsinh": "asinh",
           "artanh": "atanh", "arctanh": "atanh",
           "Softmax": "softmax", "LSE": "logsumexp", "lse": "logsumexp", "Diag": "diag", "sigm": "sigmoid",
           "Softplus": "softplus", "logistic": "sigmoid", "Sigmoid": "sigmoid", "stopgrad": "sg",
           "stopgradient": "sg", "detach": "sg", "lgamma": "loggamma", "gammaln": "loggamma"}  # fmt: skip
BRACKETED = ("sigmoid", "softplus", "Γ")  # whose argument is the bracket: a power after it is one of the value
FUNCTIONAL = ("phi", "psi", "Phi", "Psi", "zeta")  # letters that name functions where an argument follows


class Functions(Grammar):
    """Operands that are functions of what follows them."""

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
        while self.accepts(",", ";"):
            found.append(self.expression())
        self.expect(closing, f"for the {opening.text.removeprefix(chr(92))} at column {opening.column + 1}")
        self.bars = bars
        return found

    def no_function(self, stem: str, start: Token) -> None:
        """λ(a + b) is a product; Γ(x), φ(…) and λ(x) are functions, which must be declared."""
        end = self.closing(self.place)
        inner = self.tokens[self.place + 1 : end] if end is not None else []
        alone = stem_of(inner)
        if (
            stem.split("_")[0] in FUNCTIONAL
            or (alone is not None and alone[1] == len(inner))
            or any(t.text in ",;|" for t in inner)
        ):
            raise LatexError(f"two readings: \\{stem} times a bracket, or of it: declare it, as in where='{stem}: "
                             f"function' or '{stem}: scalar'", start.column)  # fmt: skip

    def applied(self, name: str, start: Token, primes: int = 0) -> Node:
        """A known function with its argument, in brackets or not."""
        name += "'" * primes
        power = self.power_of_function()
        if self.sees("(", "[", "\\{"):
            found: Node = Call(start.column, name, tuple(self.arguments()))
            if self.sees("^") and name in ELEMENTWISE and name not in BRACKETED and not self.clear():
                raise LatexError(f"two readings: the power of {name}(x), or {name} of a power; write \\{name}^2(x) or "
                                 f"more brackets", self.now.column)  # fmt: skip
        else:
            found = Call(start.column, name, (self.bare_argument(name),))
        return found if power is None else Power(start.column, found, power, name in ELEMENTWISE)

    def clear(self) -> bool:
        """Whether a superscript after f(x) has one reading: a transpose, or a power entry by entry."""
        first = next(
            (t for t in self.tokens[self.place + 1 : self.place + 4] if t.text not in ("{", *STYLES)), self.now
        )
        return first.text in ("top", "odot", "T")

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


def _numeric(node: Node) -> bool:
    if isinstance(node, Binary):
        return node.operator == "*" and _numeric(node.left) and _numeric(node.right)
    if isinstance(node, Minus):
        return _numeric(node.body)
    return isinstance(node, Number) or (isinstance(node, Constant) and node.name == "pi")
