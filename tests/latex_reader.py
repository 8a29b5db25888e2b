"""Reads printed LaTeX back and evaluates it with NumPy: a reader of its own, which shares no code with the printers.

Every letter in scope is one dimension of every array, out of DIMENSIONS; a sum takes a free one and gives it back.
"""

import re
from math import prod

import numpy as np
from scipy import special

DIMENSIONS = 24
TOKEN = re.compile(r"\\(?:begin|end)\{cases\}|@[a-zA-Z0-9 ]+!|\\[A-Za-z]+|\\.|\d+(?:\.\d+)?|\S")
DROPPED = re.compile(r"\\(?:big|Big|bigg)[lr](?![a-zA-Z])|\\[,;!]|\\q?quad(?![a-z])|\\limits(?![a-z])")
ACCENTS = {r"\hat", r"\bar", r"\tilde", r"\dot", r"\widehat", r"\overline", r"\widetilde", r"\mathbf", r"\boldsymbol"}
GREEK = {"\\" + name for name in (
    "alpha beta gamma delta varepsilon epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon "
    "varphi phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Pi Phi Psi Omega ell"
).split()}  # fmt: skip
RELATIONS = {"=": np.equal, r"\ne": np.not_equal, "<": np.less, ">": np.greater, r"\le": np.less_equal,
             r"\ge": np.greater_equal}  # fmt: skip
FUNCTIONS = {
    r"\exp": np.exp, r"\log": np.log, r"\tanh": np.tanh, r"\sinh": np.sinh, r"\cosh": np.cosh, r"\sin": np.sin,
    r"\cos": np.cos, r"\tan": np.tan, r"\arctan": np.arctan, r"\max": np.maximum, r"\min": np.minimum,
    r"\coth": lambda x: 1 / np.tanh(x), "@sech!": lambda x: 1 / np.cosh(x), "@erf!": special.erf,
    "@erfc!": special.erfc, "@sgn!": np.sign, "@sg!": lambda x: x,
    "@softplus!": lambda x: np.logaddexp(0, x), "@sigmoid!": special.expit,
    r"\sigma": special.expit, r"\Gamma": special.gamma, "@gamma!": special.gamma, r"\psi": special.digamma,
    "@digamma!": special.digamma, "@lgamma!": special.gammaln, "@log1p!": np.log1p, "@expm1!": np.expm1,
    "@asinh!": np.arcsinh, "@arsinh!": np.arcsinh, r"\arcsin": np.arcsin, "@atan2!": np.arctan2,
}  # fmt: skip
REDUCED = {r"\sum": "sum", r"\prod": "prod", r"\max": "max", r"\min": "min", "@arg max!": "argmax",
           "@arg min!": "argmin"}  # fmt: skip
OPEN, CLOSE = {"(", "[", r"\lfloor", r"\lceil", r"\lvert"}, {")", "]", r"\rfloor", r"\rceil", r"\rvert", "}"}
FENCES = {r"\lfloor": (r"\rfloor", np.floor), r"\lceil": (r"\rceil", np.ceil), r"\lvert": (r"\rvert", np.abs)}


def _spectral(a, function):
    """X f(Λ) X⁻¹, by complex numbers."""
    values, vectors = np.linalg.eig(a)
    return ((vectors * function(values.astype(complex))[..., None, :]) @ np.linalg.inv(vectors)).real


def _slope(a, function, derivative):
    """Daleckii and Krein: divided differences in the eigenvectors; of a symmetric matrix along (E + Eᵀ)/2."""
    values, vectors = np.linalg.eig(a)
    values = values.astype(complex)
    one, two = values[..., :, None], values[..., None, :]
    same = np.eye(a.shape[-1], dtype=bool)
    quotient = np.where(same, derivative(one), (function(one) - function(two)) / np.where(same, 1, one - two))
    inverse = np.linalg.inv(vectors)
    found = np.einsum("...ik,...kr,...kl,...cl,...lj->...ijrc", vectors, inverse, quotient, vectors, inverse).real
    even = function is not np.exp
    return (found + found.swapaxes(-1, -2)) / 2 if even else found


MATRIX_FUNCTIONS = {
    "inverse": np.linalg.inv, "inverse_transpose": lambda a: np.swapaxes(np.linalg.inv(a), -1, -2),
    "det": np.linalg.det, "logdet": lambda a: np.linalg.slogdet(a)[1], "cholesky": np.linalg.cholesky,
    "exp": lambda a: _spectral(a, np.exp), "sqrt": lambda a: _spectral(a, np.sqrt),
    "log": lambda a: _spectral(a, np.log),
    "exp_slope": lambda a: _slope(a, np.exp, np.exp), "log_slope": lambda a: _slope(a, np.log, lambda v: 1 / v),
    "sqrt_slope": lambda a: _slope(a, np.sqrt, lambda v: 0.5 / np.sqrt(v)),
}  # fmt: skip
NAMED_FUNCTIONS = {"@exp!": "exp", "@sqrt!": "sqrt", "@log!": "log"}


class Unread(Exception):
    """The reader does not know this: the test fails, for a reader of papers might not either."""


def tokens(source):
    """The tokens of LaTeX mathematics, without spaces and sizes of parentheses."""
    source = re.sub(r"\\operatorname\*?\{([a-zA-Z0-9]+)(?:\\,([a-z]+))?\}",
                    lambda m: f"@{m[1]}{' ' + m[2] if m[2] else ''}!", source)  # fmt: skip
    source = re.sub(r"\\text\{(if |otherwise|true|false)\}", lambda m: f"@{m[1].strip()}!", source)
    return TOKEN.findall(DROPPED.sub(" ", source))


class Reader:
    """Recursive descent; `ranks` says which names are tensors, and of how many axes."""

    def __init__(self, source, ranks):
        self.tokens, self.place, self.ranks, self.source = tokens(source), 0, ranks, source

    @property
    def next(self):
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *wanted):
        if self.next and (not wanted or self.next in wanted):
            self.place += 1
            return self.tokens[self.place - 1]
        return ""

    def expect(self, *wanted):
        if not (found := self.take(*wanted)):
            raise Unread(f"expected {wanted} before {self.tokens[self.place :][:8]} in {self.source}")
        return found

    def whole(self):
        """Sides of a chain of equations, or one expression."""
        sides = [self.side()]
        while self.take("="):
            sides.append(self.side())
        if self.next:
            raise Unread(f"left over {self.tokens[self.place :][:8]} in {self.source}")
        return sides

    def side(self):
        mark = self.place
        if self.take(r"\frac") and self.take("{") and self.take(r"\partial"):
            self.place = mark + 1
            above, below = self.group_text(), self.group_text()
            return ("derivative", above, below)
        self.place = mark
        return self.sum()

    def group_text(self):
        self.expect("{")
        depth, found = 1, []
        while depth:
            token = self.take()
            if not token:
                raise Unread(f"a group without end in {self.source}")
            depth += (token == "{") - (token == "}")
            found.append(token)
        return " ".join(found[:-1])

    def group(self, read):
        """What stands in braces, or the one token that stands for itself."""
        if self.take("{"):
            found = read()
            self.expect("}")
            return found
        token = self.take()
        inner = Reader(token, self.ranks)
        return inner.sum()

    # Sums, products, powers.

    def sum(self):
        terms = [(-1 if self.take("-") else 1, self.term())]
        while sign := self.take("+", "-"):
            terms.append((1 if sign == "+" else -1, self.term()))
        return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else ("add", terms)

    def term(self):
        left = self.product()
        while self.take(r"\bmod"):
            left = ("mod", left, self.product())
        return left

    def product(self):
        above, below = [], []
        while True:
            while self.next == "{" and self.tokens[self.place + 1 : self.place + 2] == ["}"]:
                self.place += 2
            if self.take(r"\cdot", r"\times"):
                continue
            if self.take("/"):
                below.append(self.power())
                continue
            if not self.starts():
                break
            above.append(self.power())
        if not above:
            raise Unread(f"nothing before {self.tokens[self.place :][:8]} in {self.source}")
        return above[0] if len(above) == 1 and not below else ("mul", above, below)

    def starts(self):
        stops = {"", "+", "-", "=", ",", "&", r"\\", "/", r"\bmod", ":", r"\land", r"\lor", "@if!", "@otherwise!"}
        return self.next not in stops | CLOSE | set(RELATIONS) and not self.next.startswith(r"\end")

    def power(self):
        base = self.atom()
        while self.take("^"):
            base = ("power", base, self.group(self.sum))
        return base

    def known_name(self):
        """Whether a tensor's name stands here, such as σ^{(2)}, and no function."""
        mark = self.place
        try:
            return self.marked() in self.ranks
        except Unread:
            return False
        finally:
            self.place = mark

    def atom(self):
        token = self.next
        if (token in FUNCTIONS or token == "e") and self.known_name():
            return self.named()
        if (
            token in ("(", r"\log", r"\det", "@chol!", *NAMED_FUNCTIONS)
            and (found := self.matrix_function()) is not None
        ):
            return found
        if token in REDUCED and (token not in FUNCTIONS or self.tokens[self.place + 1] == "_"):
            return self.reduction()
        if token in FUNCTIONS:
            return self.function()
        if re.fullmatch(r"\d.*", token):
            return ("number", float(self.take()) if "." in token else int(self.take()))
        if self.take("("):
            inside = self.sum()
            self.expect(")")
            if inside[0] in ("argmax", "argmin") and self.take("_"):
                return (*inside, self.group_text().replace(" ", "") if self.next == "{" else self.take())
            return inside
        if token in FENCES:
            self.take()
            inside = self.sum()
            self.expect(FENCES[token][0])
            return ("call", FENCES[token][1], [inside])
        if self.take(r"\frac", r"\tfrac"):
            return ("mul", [self.group(self.sum)], [self.group(self.sum)])
        if self.take(r"\sqrt"):
            return ("call", np.sqrt, [self.group(self.sum)])
        if self.take(r"\begin{cases}"):
            return self.cases()
        if self.take(r"\infty"):
            return ("number", np.inf)
        if token == r"\mathbf" and self.tokens[self.place + 1 : self.place + 5] == ["{", "1", "}", "["]:
            self.place += 5
            inside = self.condition()
            self.expect("]")
            return ("bracket", inside)
        if token == "e" and self.tokens[self.place + 1 : self.place + 2] == ["^"]:
            self.place += 2
            return ("call", np.exp, [self.group(self.sum)])
        return self.named()

    # Functions of matrices: (A^{-1})_{i j}, log |det A|; the matrix is a tensor's, or [entry]_{i j}.

    def matrix_function(self):
        """A function of a matrix, if one stands here."""
        mark = self.place
        try:
            if self.take(r"\log"):
                self.expect(r"\lvert")
                self.expect(r"\det")
                operand = self.matrix()
                self.expect(r"\rvert")
                return ("logdet", operand)
            if self.take(r"\det"):
                return ("det", self.matrix())
            if self.take("("):
                operand = self.matrix()
                self.expect("^")
                kind = {"- 1": "inverse", r"- \top": "inverse_transpose"}.get(self.group_text())
                self.expect(")")
                self.expect("_")
                return (kind, operand, self.indices(2)) if kind else None
            if self.take("@chol!"):
                self.expect("(")
                operand = self.matrix()
                self.expect(")")
                self.expect("_")
                return ("cholesky", operand, self.indices(2))
            for opening, name in NAMED_FUNCTIONS.items():
                if self.take(opening):
                    slope = self.take("'")
                    self.expect("(")
                    operand = self.matrix()
                    self.expect(")")
                    self.expect("_")
                    return (f"{name}_slope", operand, self.indices(4)) if slope else (name, operand, self.indices(2))
            self.place = mark
        except Unread:
            self.place = mark
        return None

    def matrix(self):
        """A tensor without its last two indices, or an entry in brackets with its two letters below."""
        if self.take("["):
            inside = self.sum()
            self.expect("]")
            letters, _, _ = self.below()
            return ("bracketed", inside, letters)
        if self.take("@sym!"):
            return ("sym", self.matrix())
        mark = self.place
        if self.take("("):
            found = self.matrix()
            if self.take(")"):
                return found
            self.place = mark
            raise Unread(f"no matrix in {self.source}")
        name = self.marked()
        rank = self.ranks.get(name, 0)
        if rank < 2:
            raise Unread(f"{name} is no matrix in {self.source}")
        batch = self.indices(rank - 2) if rank > 2 and self.take("_") else []
        return ("named", name, batch)

    def function(self):
        name = self.take()
        if name == r"\log" and self.next == r"\Gamma":
            name = "@lgamma!"
            self.take()
        exponent = self.group(self.sum) if self.take("^") else None
        if self.take("("):
            arguments = [self.sum()]
            while self.take(","):
                arguments.append(self.sum())
            self.expect(")")
        else:
            arguments = [self.product()]
        call = ("call", FUNCTIONS[name], arguments)
        return call if exponent is None else ("power", call, exponent)

    def cases(self):
        rows, last = [], None
        while last is None:
            value = self.sum()
            self.expect("&")
            if self.take("@otherwise!"):
                last = value
            else:
                self.expect("@if!")
                rows.append((self.condition(), value))
                self.expect(r"\\")
        self.expect(r"\end{cases}")
        return ("cases", rows, last)

    # Conditions.

    def condition(self):
        parts = [self.conjunction()]
        while self.take(r"\lor"):
            parts.append(self.conjunction())
        return parts[0] if len(parts) == 1 else ("or", parts)

    def conjunction(self):
        parts = [self.relation()]
        while self.take(r"\land"):
            parts.append(self.relation())
        return parts[0] if len(parts) == 1 else ("and", parts)

    def relation(self):
        if self.take(r"\lnot"):
            return ("not", self.relation())
        mark = self.place
        if self.take("("):
            try:
                inside = self.condition()
                if inside[0] in ("and", "or", "relation", "not") and self.take(")"):
                    return inside
            except Unread:
                pass
            self.place = mark
        sides, signs = [self.sum()], []
        while self.next in RELATIONS:
            signs.append(self.take())
            sides.append(self.sum())
        return ("relation", sides, signs) if signs else sides[0]

    # Reductions.

    def reduction(self):
        kind = REDUCED[self.take()]
        letters, conditions, last = self.below()
        return (kind, letters, conditions, self.product(), last)

    def below(self):
        """The letters under a Σ, the conditions on them, and their last values where those are stated."""
        self.expect("_")
        if not self.take("{"):
            return [self.letter()], [], {}
        stacked = bool(self.take(r"\substack"))
        if stacked:
            self.expect("{")
        letters, conditions, last = [], [], {}
        mark = self.place
        while self.next.isdigit() and (ranged := self.range()):
            letters.append(ranged[0])
            last[ranged[0]] = ranged[1]
            mark = self.place
            if not self.take(r"\\"):
                break
        if not last:
            letters.append(self.letter())
            while self.take(","):
                letters.append(self.letter())
            if self.take("="):
                self.sum()
                self.expect("}")
                self.expect("^")
                return letters, [], {letters[0]: self.group(self.sum)}
            if self.next in RELATIONS:  # the condition names its letter: m ≤ n
                self.place, letters = mark, letters[:1]
                conditions.append(self.condition())
        elif self.next != "}":
            conditions.append(self.condition())
        while self.take(r"\\", ":", ","):
            conditions.append(self.condition())
        self.expect("}")
        if stacked:
            self.expect("}")
        return letters, conditions, last

    def range(self):
        """`0 ≤ r ≤ R − 1`, a letter's first and last value; None for another condition."""
        mark = self.place
        found = self.condition()
        plain = found[0] == "relation" and found[2] == [r"\le", r"\le"] and found[1][1][0] == "letter"
        if plain and found[1][0][0] == "number":
            return found[1][1][1], found[1][2]
        self.place = mark
        return None

    # Names.

    def nucleus(self):
        token = self.take()
        if token in ACCENTS:
            self.expect("{")
            inner = self.nucleus()
            self.expect("}")
            return f"{token}{{{inner}}}"
        if token in (r"\mathrm", r"\mathcal"):
            return token + "{" + self.group_text().replace(" ", "") + "}"
        if not (re.fullmatch("[a-zA-Z]", token) or token in GREEK):
            raise Unread(f"no name: {token!r} before {self.tokens[self.place :][:8]} in {self.source}")
        return token

    def marked(self):
        """A name with the number or word that sets it apart: w^{(1)}."""
        name = self.nucleus()
        if self.tokens[self.place : self.place + 3] == ["^", "{", "("]:
            self.take()
            name += "^" + self.group_text().replace(" ", "")
        return name + self.primes()

    def primes(self):
        count = 0
        while self.take("'"):
            count += 1
        return "'" * count

    def letter(self):
        """An index: c', o_1, \\mathrm{head}."""
        name = self.nucleus()
        if self.take("_"):
            name += "_" + (self.group_text().replace(" ", "") if self.next == "{" else self.take())
        return name + self.primes()

    def named(self):
        if self.tokens[self.place : self.place + 2] == [r"\delta", "_"] and r"\delta" not in self.ranks:
            self.take()
            self.expect("_")
            return ("delta", *self.indices(2))
        mark = self.place
        name = self.marked()
        rank = self.ranks.get(name)
        if rank and rank > 0 and self.take("_"):
            return ("entry", name, self.indices(rank))
        if rank == 0:
            return ("entry", name, [])
        self.place = mark
        return ("letter", self.letter())

    def indices(self, rank):
        """The indices of an entry: letters side by side, or expressions with commas between."""
        if not self.take("{"):
            return [("letter", self.letter())]
        found = []
        if rank == 1:
            found = [self.sum()]
        elif self._has_comma():
            found = [self.sum()]
            while self.take(","):
                found.append(self.sum())
        else:
            while self.next != "}":
                found.append(("letter", self.letter()))
        self.expect("}")
        if len(found) != rank:
            raise Unread(f"{len(found)} indices for {rank} axes in {self.source}")
        return found

    def _has_comma(self):
        depth, place = 0, self.place
        while depth >= 0:
            token = self.tokens[place]
            if token == "," and depth == 0:
                return True
            depth += (token in OPEN or token == "{") - (token in CLOSE)
            place += 1
        return False


def name_of(source):
    """A parameter's or a length's name as the reader spells it."""
    return Reader(source, {}).letter()


def target(source):
    """The name and the letters of what an equation defines; None for anything else."""
    reader = Reader(source, {})
    try:
        name = reader.marked()
        letters = []
        if reader.take("_"):
            if reader.take("{"):
                while reader.next != "}":
                    letters.append(reader.letter())
                    reader.take(",")
                reader.expect("}")
            else:
                letters.append(reader.letter())
    except Unread:
        return None
    return (name, letters) if not reader.next else None


class Values:
    """What names stand for: arrays, numbers, lengths of letters."""

    def __init__(self):
        self.arrays, self.numbers, self.lengths, self.padded = {}, {}, {}, {}
        self.targets = {}  # the lengths of the letters of the equation at hand
        self.steps, self.outer, self.tensors = {}, set(), {}  # what stands below matrices: its letters and lengths
        self.begins = {}  # of a state: (which index, its place before the first step), and what stands there
        self.counts = set()  # how many steps recurrences have: nothing else may be left without a tilde
        self.origin = 0  # where indices start

    def ranks(self):
        known = {name: np.ndim(array) for name, array in self.arrays.items()}
        return known | {name: np.ndim(self.arrays[of]) for name, of in self.padded.items() if of in self.arrays}

    def over(self, node, letters, sizes=None):
        """The value of a parsed expression for every combination of the letters."""
        sizes = [self.length(letter, node) for letter in letters] if sizes is None else sizes
        self.targets = dict(zip(letters, sizes, strict=True))
        scope = {letter: _along(place, sizes[place]) for place, letter in enumerate(letters)}
        found = np.asarray(self.value(node, scope, len(letters)))
        full = np.broadcast_to(found, (*sizes, *(1,) * (DIMENSIONS - len(sizes))))
        return full.reshape(sizes)

    def length(self, letter, node):
        """How many values a letter takes: by its name, and where two are called so by the array that it indexes."""
        stem = letter.rstrip("'")
        known = self.lengths.get(stem, set())
        found = next(iter(known)) if len(known) == 1 else self._by_use(letter, node)
        if found is None:  # of two letters called alike, the one that indexes an array tells the other's length
            rest = known - {self._by_use(stem + "'" * count, node) for count in range(4)}
            found = next(iter(rest)) if len(rest) == 1 else None
        if found is None:
            raise Unread(f"the letter {letter} has no length")
        return found

    def _by_use(self, letter, node):
        if isinstance(node, (list, tuple)):
            if node and node[0] == "delta" and ("letter", letter) in node[1:]:
                other = node[1] if node[2] == ("letter", letter) else node[2]
                if other[0] == "letter" and other[1] in self.targets:
                    return self.targets[other[1]]
            if node and node[0] == "entry" and node[1] in self.arrays:
                for place, index in enumerate(node[2]):
                    if index == ("letter", letter):
                        return np.shape(self.arrays[node[1]])[place]
            for part in node:
                if (found := self._by_use(letter, part)) is not None:
                    return found
        return None

    def value(self, node, scope, depth):
        return getattr(self, "_" + node[0])(node, scope, depth)

    def _number(self, node, scope, depth):
        return node[1]

    def _letter(self, node, scope, depth):
        name = node[1]
        if name in scope:
            return scope[name] + self.origin
        if name in self.numbers:
            return self.numbers[name]
        constants = {r"\pi": np.pi, r"\mathrm{e}": np.e}
        if name not in constants:
            raise Unread(f"the name {name} means nothing here")
        return constants[name]

    def _entry(self, node, scope, depth):
        name = self.padded.get(node[1], node[1])
        if name not in self.arrays:
            raise Unread(f"the tensor {name} is not known yet")
        array = np.asarray(self.arrays[name])
        indices = [np.asarray(self.value(i, scope, depth)) - self.origin for i in node[2]]
        inside = beside = True  # within every axis; within every axis but that of the steps
        for place, size in enumerate(array.shape):
            number = np.rint(indices[place])
            if not np.allclose(number, indices[place], atol=1e-9):
                raise Unread(f"no integer index in {node}")
            within = (number >= 0) & (number < size)
            inside, beside = inside & within, beside & (within | (size in self.counts))
            indices[place] = np.clip(number, 0, size - 1).astype(int)
        found = array[tuple(indices)] if indices else array
        if np.all(inside):
            return found
        outside = 0 if node[1] in self.padded else np.where(beside, self.beyond(name), np.nan)
        found = np.where(inside, found, outside)
        for (along, first), start in self.begins.get(name, {}).items():
            place = np.asarray(self.value(node[2][along], scope, depth)) - self.origin
            rest = (*indices[:along], *indices[along + 1 :])
            found = np.where((place == first) & beside, start[rest] if rest else start, found)
        return found

    def beyond(self, name):
        """What a name stands for beyond the steps of a recurrence: an adjoint for 0, all else for what is not used."""
        return 0.0 if name.startswith((r"\bar", r"\overline")) else 1.0

    def _operand(self, operand, scope, depth):
        """The matrix of a function, its two axes last."""
        if operand[0] == "sym":
            inner = self._operand(operand[1], scope, depth)
            return (inner + np.swapaxes(inner, -1, -2)) / 2
        if operand[0] == "named":
            array = np.asarray(self.arrays[operand[1]])
            return array[tuple(np.asarray(self.value(i, scope, depth)) - self.origin for i in operand[2])]
        letters = operand[2]
        sizes = [self.length(letter, operand[1]) for letter in letters]
        inner = {**scope, **{a: _along(depth + k, n) for k, (a, n) in enumerate(zip(letters, sizes, strict=True))}}
        value = np.asarray(self.value(operand[1], inner, depth + 2), dtype=float)
        shape = [1] * DIMENSIONS
        shape[depth : depth + 2] = sizes
        value = np.broadcast_to(value, np.broadcast_shapes(value.shape, tuple(shape)))
        value = np.moveaxis(value, [depth, depth + 1], [-2, -1])
        return value.reshape(*value.shape[:depth], 1, 1, *value.shape[depth:])

    def _of_matrix(self, node, scope, depth):
        found = MATRIX_FUNCTIONS[node[0]](self._operand(node[1], scope, depth))
        if len(node) < 3:
            return found
        at = [np.asarray(self.value(i, scope, depth)) - self.origin for i in node[2]]
        full = np.broadcast_arrays(*(np.asarray(a) for a in at))
        if found.ndim == len(at):
            return found[tuple(full)]
        places = [np.arange(n).reshape([-1 if k == p else 1 for p in range(DIMENSIONS)])
                  for k, n in enumerate(found.shape[:-2])]  # fmt: skip
        return found[(*places, *full)]

    _inverse = _inverse_transpose = _det = _logdet = _cholesky = _of_matrix
    _exp = _sqrt = _log = _exp_slope = _sqrt_slope = _log_slope = _of_matrix

    def _add(self, node, scope, depth):
        return sum(sign * self.value(part, scope, depth) for sign, part in node[1])

    def _mul(self, node, scope, depth):
        """A product; where a condition in it is false it is 0, whatever else stands there."""
        holds = True
        above = []
        for part in node[1]:
            if part[0] in ("bracket", "delta"):
                holds = holds & (np.asarray(self.value(part, scope, depth)) != 0)
            else:
                above.append(part)
        values = [np.asarray(self.value(part, scope, depth)) for part in above]
        value = prod(values) if values else 1
        for part in node[2]:
            value = value / self.value(part, scope, depth)
        return value if holds is True else np.where(holds, value, 0)

    def _power(self, node, scope, depth):
        base, exponent = (np.asarray(self.value(part, scope, depth)) for part in node[1:])
        return np.power(base.astype(float), exponent)

    def _mod(self, node, scope, depth):
        return np.mod(self.value(node[1], scope, depth), self.value(node[2], scope, depth))

    def _call(self, node, scope, depth):
        values = [self.value(part, scope, depth) for part in node[2]]
        found = node[1](values[0]) if len(values) == 1 else values[0]
        for other in values[1:]:
            found = node[1](found, other)
        return found

    def _cases(self, node, scope, depth):
        found = self.value(node[2], scope, depth)
        for condition, value in reversed(node[1]):
            found = np.where(self.value(condition, scope, depth), self.value(value, scope, depth), found)
        return found

    def _bracket(self, node, scope, depth):
        return np.where(self.value(node[1], scope, depth), 1, 0)

    def _delta(self, node, scope, depth):
        return np.equal(self.value(node[1], scope, depth), self.value(node[2], scope, depth)).astype(int)

    def _relation(self, node, scope, depth):
        sides = [self.value(side, scope, depth) for side in node[1]]
        holds = True
        for sign, left, right in zip(node[2], sides, sides[1:], strict=False):
            holds = holds & RELATIONS[sign](left, right)
        return holds

    def _and(self, node, scope, depth):
        return np.logical_and.reduce(np.broadcast_arrays(*(self.value(part, scope, depth) for part in node[1])))

    def _or(self, node, scope, depth):
        return np.logical_or.reduce(np.broadcast_arrays(*(self.value(part, scope, depth) for part in node[1])))

    def _not(self, node, scope, depth):
        return np.logical_not(self.value(node[1], scope, depth))

    def _reduced(self, node, scope, depth):
        kind, letters, conditions, body, last = node[:5]
        sizes = [
            int(self.value(last[a], scope, depth)) + 1 - self.origin
            if a in last
            else self.length(a, (body, conditions))
            for a in letters
        ]
        places = range(depth, depth + len(letters))
        inner = {**scope, **{a: _along(p, n) for a, p, n in zip(letters, places, sizes, strict=True)}}
        value = np.asarray(self.value(body, inner, depth + len(letters)), dtype=float)
        holds = True
        for condition in conditions:
            holds = holds & np.asarray(self.value(condition, inner, depth + len(letters)), dtype=bool)
        empty = {"sum": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf, "argmax": -np.inf, "argmin": np.inf}[kind]
        value = value if holds is True else np.where(holds, value, empty)
        value = value.reshape((1,) * (DIMENSIONS - value.ndim) + value.shape) if value.ndim else value
        shape = [1] * DIMENSIONS
        for place, size in zip(places, sizes, strict=True):
            shape[place] = size
        value = np.broadcast_to(value, np.broadcast_shapes(value.shape, tuple(shape)))
        if not kind.startswith("arg"):
            return getattr(np, kind)(value, axis=tuple(places), keepdims=True)
        moved = np.moveaxis(value, list(places), range(-len(letters), 0))
        flat = moved.reshape(*moved.shape[: -len(letters)], -1)
        best = np.unravel_index(getattr(np, kind)(flat, axis=-1), sizes)
        chosen = best[letters.index(node[5])] if len(node) > 5 else best[0]
        for place in places:
            chosen = np.expand_dims(chosen, place)
        return chosen + self.origin

    _sum = _prod = _max = _min = _argmax = _argmin = _reduced


def _along(place, size):
    shape = [1] * DIMENSIONS
    shape[place] = size
    return np.arange(size).reshape(shape)
