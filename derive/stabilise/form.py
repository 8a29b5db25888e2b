"""The stabiliser: traversal of a poly, and what its atoms look like; the laws themselves stand in tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from derive.rewrite import Law, Record, exhaust
from derive.terms import UNIT, ZERO, Algebra, Atom, Head, Letter, Poly, Power, Reader, absolute

Factors = tuple[tuple[Atom, Power], ...]
Change = Callable[[Atom, Power, dict[Atom, Power]], Poly | None]
ODD, EVEN = frozenset({"tanh", "sin"}), frozenset({"logcosh", "cosh", "cos"})
Pair = tuple[Power, Poly, Poly]  # k, u, v of k (eᵘ + eᵛ)


def is_comparison(head: Head) -> bool:
    """[u > v]."""
    return head.kind == "test" and head.payload == "gt"


@dataclass
class Stabiliser:
    """Applies laws within one algebra.

    `early`: before differentiation, when only what the author wrote is there. `within`: open intervals that tensors are
    assumed to lie in. `exact`: nothing is summed, so each entry is held to its own condition. `divided`: what the
    formula itself divides by.
    """

    reader: Reader
    laws: tuple[Law, ...]
    early: bool = False
    within: Mapping[int, tuple[float, float]] = field(default_factory=dict)
    exact: bool = False
    divided: frozenset[int] = frozenset()
    shifted: dict[int, tuple[Poly, Head] | None] = field(default_factory=dict)  # S: (m, S′), S = exp(m)·S′
    scaled: set[int] = field(default_factory=set)  # these S′, of which no exp(−m) may be drawn out
    near: set[int] = field(default_factory=set)  # tests of what is near 0, beside which nothing is looked for
    safe: dict[int, Poly] = field(default_factory=dict)  # definitions that were looked into
    entered: dict[int, tuple[Poly, ...] | None] = field(default_factory=dict)  # functions: safe arguments
    known: dict[int, frozenset[str]] = field(default_factory=dict)  # heads: their traits
    seen: tuple[Poly | None, frozenset[str]] = (None, frozenset())  # the traits of the last poly

    @property
    def algebra(self) -> Algebra:
        return self.reader.algebra

    def stable(self, poly: Poly, record: Record | None = None) -> Poly:
        """The poly in its safe form."""
        result: Poly = exhaust(self.laws, self, poly, record)
        return result

    def traits(self, poly: Poly) -> frozenset[str]:
        """The functions in a poly and in all that it is made of; `root` for broken powers: most laws need not look."""
        if poly is not self.seen[0]:
            parts = [self.traits_of(atom[0]) for (factors, _), _ in poly for atom, _ in factors]
            broken = any(not isinstance(p, int) for (factors, _), _ in poly for _, p in factors)
            self.seen = poly, frozenset({"root"} if broken else ()).union(*parts)
        return self.seen[1]

    def traits_of(self, head: int) -> frozenset[str]:
        """The functions in what a head is made of."""
        if head not in self.known:
            made = self.algebra.heads[head]
            self.known[head] = frozenset((made.label,) if made.kind == "op" else ())
            below = [self.traits_of(a[0]) for arg in made.args for (f, _), _ in arg for a, _ in f]
            broken = any(not isinstance(p, int) for arg in made.args for (f, _), _ in arg for _, p in f)
            self.known[head] = self.known[head].union({"root"} if broken else (), *below)
        return self.known[head]

    # Traversal: a law changes one atom (to a power) into a poly; the rest of the term stays beside it.

    def each(self, poly: Poly, wanted: Callable[[Head, Power], bool], change: Change) -> Poly:
        """Each term with its first wanted atom changed; `change` may take further factors out of the rest."""
        heads, algebra = self.algebra.heads, self.algebra
        kept, made = [], []
        for term, coefficient in poly:
            value = None
            if any(wanted(heads[atom[0]], power) for atom, power in term[0]):
                value = self._changed(coefficient, *algebra.opened(term), wanted, change)
            if value is None:
                kept.append((term, coefficient))
            else:
                made.append(value)
        return algebra.add(tuple(kept), *made) if made else poly

    def _changed(self, coefficient: Power, factors: dict[Atom, Power], bound: frozenset[Letter],
                 wanted: Callable[[Head, Power], bool], change: Change) -> Poly | None:  # fmt: skip
        """A term with its first wanted atom changed."""
        for atom, power in factors.items():
            if not wanted(self.algebra.heads[atom[0]], power):
                continue
            rest = dict(factors)
            value = change(atom, power, rest)
            if value is not None:
                rest.pop(atom, None)
                raws = self.algebra.raws(value)
                return self.algebra.poly(self.algebra.product((coefficient, rest, bound), raw) for raw in raws)
        return None

    def inside(self, poly: Poly) -> Poly:
        """The laws within the arguments of functions; before differentiation, within sums without a name too."""

        def wanted(head: Head, power: Power) -> bool:
            return (
                head.kind == "op" or is_comparison(head) or (self.early and head.kind == "name" and head.role == "auto")
            )

        def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
            head = self.algebra.heads[atom[0]]
            if head.id in self.near:
                return None
            if head.id not in self.entered:
                self.entered[head.id] = None
                safe = tuple(self.stable(a) for a in head.args)
                self.entered[head.id] = None if safe == head.args else safe
            made = self._rebuilt(head, atom[1], self.entered[head.id])
            return None if made is None else self.reader.raised(made, power)

        return self.each(poly, wanted, change)

    def _rebuilt(self, head: Head, letters: tuple[Letter, ...], safe: tuple[Poly, ...] | None) -> Poly | None:
        """A function, or a sum, of these arguments."""
        if safe is None:
            return None
        over = tuple(self.algebra.fresh(a) for a in head.over)
        names = dict(zip((*head.slots, *head.over), (*letters, *over), strict=True))
        given = [self.algebra.relabelled(a, names) for a in safe]
        if head.kind == "name":
            return given[0]
        if head.kind == "test":
            yes, no = self.exceeds(*map(self.reader.flat, given))
            return yes if head.label == "yes" else no
        if head.label == "exp":
            return self.reader.exp_of(given[0])
        return self.algebra.op(head.label, *(self.reader.flat(a) for a in given), over=over, positive=head.positive,
                               payload=head.payload)  # fmt: skip

    # What an atom looks like.

    def is_call(self, atom: Atom, *labels: str) -> bool:
        """Whether the atom is one of these functions."""
        head = self.algebra.heads[atom[0]]
        return head.kind == "op" and head.label in labels

    def argument(self, atom: Atom) -> Poly:
        """u of f(u)."""
        return self.algebra.arguments(self.algebra.heads[atom[0]], atom[1])[0]

    def definition(self, atom: Atom) -> Poly | None:
        """The definition of a name at its letters."""
        return self.argument(atom) if self.algebra.heads[atom[0]].kind == "name" else None

    def safe_definition(self, atom: Atom) -> Poly | None:
        """The definition of a name at its letters, in its safe form."""
        head = self.algebra.heads[atom[0]]
        if head.kind != "name":
            return None
        if head.id not in self.safe:
            self.safe[head.id] = head.definition  # while it is being looked into
            self.safe[head.id] = self.stable(head.definition)
        return self.at(head, atom[1], self.safe[head.id])

    def call(self, atom: Atom, label: str) -> Poly | None:
        """u where the atom is f(u), or a name for it."""
        if self.is_call(atom, label):
            return self.argument(atom)
        body = self.safe_definition(atom)
        only = self.lone(body) if body is not None else None
        return self.call(only, label) if only is not None and only != atom else None

    def scaled_call(self, atom: Atom, label: str) -> tuple[Power, Poly] | None:
        """(c, u) where the atom is a name for c f(u), c a number; (1, u) where it is f(u)."""
        if self.is_call(atom, label):
            return 1, self.argument(atom)
        body = self.safe_definition(atom) or ZERO
        only = self.lone(((body[0][0], 1),)) if len(body) == 1 else None
        u = self.call(only, label) if only is not None and only != atom else None
        return None if u is None else (body[0][1], u)

    def lone(self, poly: Poly) -> Atom | None:
        """The atom that is all of the poly."""
        if len(poly) != 1 or poly[0][1] != 1 or poly[0][0][1] or len(poly[0][0][0]) != 1:
            return None
        atom, power = poly[0][0][0][0]
        return atom if power == 1 else None

    def applied(self, label: str, argument: Poly) -> Poly:
        """f(u); of an odd or even function, f(−u) by f(u)."""
        flip = label in ODD | EVEN and argument and argument[0][1] < 0
        made = self.reader.apply(label, self.algebra.scaled(argument, -1) if flip else argument)
        return self.algebra.scaled(made, -1) if flip and label in ODD else made

    def logged(self, atom: Atom) -> Atom | None:
        """a where the atom is log(a) for a single atom a."""
        return self.lone(self.argument(atom)) if self.is_call(atom, "log") else None

    def exponent(self, factors: Factors) -> Poly | None:
        """The sum of the exponents of the exponentials among the factors; None where there are none."""
        polys = [self.algebra.scaled(self.argument(a), p) for a, p in factors if self.is_call(a, "exp")]
        return self.algebra.add(*polys) if polys else None

    @staticmethod
    def is_number(poly: Poly) -> bool:
        return all(term == UNIT for term, _ in poly)

    def all_exp(self, factors: Factors) -> bool:
        return all(self.is_call(atom, "exp") for atom, _ in factors)

    def opened(self, poly: Poly) -> Poly:
        """Names of single terms with an exponential written out."""

        def wanted(head: Head, power: Power) -> bool:
            return head.kind == "name" and len(head.definition) == 1

        def change(atom: Atom, power: Power, _: dict[Atom, Power]) -> Poly | None:
            body = self.opened(self.argument(atom))
            shown = not body[0][0][1] and self.exponent(body[0][0][0]) is not None
            return self.reader.raised(body, power) if shown else None

        while (shown := self.each(poly, wanted, change)) != poly:
            poly = shown
        return poly

    def tests(self, factors: Factors) -> frozenset[Atom]:
        """The conditions among factors; windows are none."""
        heads = self.algebra.heads
        return frozenset(a for a, _ in factors if heads[a[0]].kind == "test" and heads[a[0]].label != "window")

    def cases(self, poly: Poly) -> list[tuple[Atom, Poly]] | None:
        """[c] a + [¬c] b as (c, a), (¬c, b)."""
        found: dict[Atom, list[Poly]] = {}
        for (factors, bound), coefficient in poly:
            tests = self.tests(factors)
            if bound or len(tests) != 1:
                return None
            (test,) = tests
            rest = self.algebra.term(coefficient, {a: p for a, p in factors if a != test}, ())
            found.setdefault(test, []).append(rest)
        opposite = [(self.algebra.heads[head].opposite, letters) for head, letters in found]
        if len(found) != 2 or opposite[0] not in found:
            return None
        return [(test, self.algebra.add(*parts)) for test, parts in found.items()]

    def two_exponentials(self, atom: Atom) -> Pair | None:
        """(k, u, v) where the name stands for k (eᵘ + eᵛ); the larger of constants comes last."""
        body = self.definition(atom)
        return None if body is None else self.two_terms(body, 1)

    def two_terms(self, body: Poly, sign: int) -> Pair | None:
        """(k, u, v) of k eᵘ ± k eᵛ."""
        if len(body) != 2:
            return None
        body = self.opened(body)
        if len(body) != 2 or body[0][1] != sign * body[1][1] or any(bound for (_, bound), _ in body):
            return None
        exponents = [self._as_exponent(factors) for (factors, _), _ in body]
        if None in exponents or exponents == [ZERO, ZERO] or (sign > 0 and body[0][1] < 0):
            return None
        (one, two), k = exponents, body[0][1]
        assert one is not None and two is not None
        return (k, one, two) if one != ZERO else (sign * k, two, one)

    def one_and_tanh(self, atom: Atom) -> tuple[Power, Poly, int] | None:
        """(k, u, 1) where the name stands for k (1 + tanh u), (k, u, 2) for k (1 − tanh² u); k > 0."""
        body = dict(self.definition(atom) or ZERO)
        k = body.pop(UNIT, 0)
        if k <= 0 or len(body) != 1:
            return None
        (((factors, bound), by),) = body.items()
        u = self.call(factors[0][0], "tanh") if len(factors) == 1 and not bound and absolute(by) == k else None
        if u is None or factors[0][1] not in (1, 2) or (factors[0][1] == 2 and by > 0):
            return None
        return k, u if by > 0 or factors[0][1] == 2 else self.algebra.scaled(u, -1), int(factors[0][1])

    def _as_exponent(self, factors: Factors) -> Poly | None:
        """u where a product is eᵘ: exponentials, and powers of sums 1 + eʷ, which are exp(softplus(w))."""
        parts = [ZERO]
        for atom, power in factors:
            if self.is_call(atom, "exp"):
                parts.append(self.algebra.scaled(self.argument(atom), power))
                continue
            grown = self.two_exponentials(atom)
            if grown is None or grown[0] != 1 or grown[2] != ZERO:
                return None
            parts.append(self.algebra.scaled(self.reader.apply("softplus", grown[1]), power))
        return self.algebra.add(*parts)

    # Signs, with what is assumed.

    def is_positive(self, poly: Poly) -> bool:
        """Provably > 0, also by what is assumed: every term nonnegative, one positive; or 1 − p where p < 1."""
        if self.algebra.is_positive(poly) or (len(poly) > 0 and all(map(self._positive_term, poly))):
            return True
        if (cases := self.cases(poly)) is not None:
            return all(self.is_positive(value) for _, value in cases)
        rest = tuple(term for term in poly if term[0] != UNIT)
        if len(rest) != 1 or dict(poly).get(UNIT, 0) < 1 or rest[0][1] != -1:
            return False
        only = self.lone(((rest[0][0], 1),))
        return only is not None and self.within.get(only[0], (0.0, 2.0))[1] <= 1

    def _positive_term(self, term: tuple[tuple[Factors, tuple[Letter, ...]], Power]) -> bool:
        (factors, _), coefficient = term
        return coefficient > 0 and all(
            self.is_positive_atom(atom) or (power < 0 and self._is_sum_of_weights(atom)) for atom, power in factors
        )

    def _is_sum_of_weights(self, atom: Atom) -> bool:
        """A name for what is not negative: where it is divided by, it is positive."""
        return all(
            c > 0 and all(self.algebra.heads[a[0]].kind in ("test", "delta") or self.is_positive_atom(a) for a, _ in f)
            for (f, _), c in self.definition(atom) or ((UNIT, 0),)
        )

    def is_positive_atom(self, atom: Atom) -> bool:
        head = self.algebra.heads[atom[0]]
        if head.positive or self.within.get(head.id, (-1.0, 0.0))[0] >= 0:
            return True
        return head.kind == "name" and head.role == "auto" and self.is_positive(head.definition)

    def exceeds(self, left: Poly, right: Poly) -> tuple[Poly, Poly]:
        """[left > right] and its complement."""
        bodies, letters = self.algebra.closed_over((left, right))
        slots = tuple(sorted({a for p in bodies for a in self.algebra.free(p)}))
        spaces = tuple(self.algebra.letter_space[a] for a in slots)
        yes, no = self.reader.tests(("gt", bodies), spaces, "gt", args=bodies, slots=slots, of="")
        return self.algebra.atom(yes, letters), self.algebra.atom(no, letters)

    def at(self, head: Head, letters: tuple[Letter, ...], poly: Poly) -> Poly:
        """A poly over a head's slots, at these letters."""
        return self.algebra.relabelled(poly, dict(zip(head.slots, letters, strict=True)))
