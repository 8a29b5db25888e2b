"""What a reader may ask of a notation: one frozen value, which every printer is given."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from derive.axes import DeriveError, Unsupported, did_you_mean

from .glyphs import Glyph
from .symbols import symbol

KINDS = ("index", "matrix", "differential", "named")
LAYOUTS = ("mixed", "numerator", "denominator")
SAMPLES = ("rows", "columns")
BY_MATRICES = frozenset({"matrix", "differential"})


@dataclass(frozen=True)
class Notation:
    """How mathematics is written: `Notation("matrix", bold=True, symbols={"x": r"\\mathbf{x}"})`.

    kind: "index"; "matrix"; "differential" (dL = tr(Gᵀ X dW), the gradient read off; Magnus and Neudecker 1988);
    "named" (axes by name, X ⊙_i W; Chiang, Rush and Barak, Named Tensor Notation, 2021). What a kind cannot write is
    written in indices, and the text says so. The next two are about matrices:
    layout: "mixed" (a gradient has the shape of its variable, a Jacobian the output's axis first), "denominator" (the
    variable's axis first, always) or "numerator" (the output's axis first, always: ∂L/∂W has the shape of Wᵀ).
    samples: "rows", or "columns": a matrix whose rows are the samples of the first input is written transposed.
    bold: vectors and matrices are bold. from_one: indices start at 1, not at 0. ranges: sums carry theirs.
    symbols: the reader's own symbols, by name of input, intermediate, parameter, size or index, in LaTeX mathematics.
    Raises Unsupported for an unknown kind, DeriveError for another value and for a symbol that is no symbol.
    """

    kind: str = "index"
    layout: str = "mixed"
    samples: str = "rows"
    bold: bool = False
    from_one: bool = False
    ranges: bool = False
    symbols: Mapping[str, str] | Iterable[tuple[str, str]] = ()  # kept as sorted pairs

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            known = ", ".join(map(repr, KINDS))
            raise Unsupported(f"unknown notation {self.kind!r}: expected one of {known}"
                              f"{did_you_mean(str(self.kind), KINDS)}")  # fmt: skip
        for what, value, known_values in (("layout", self.layout, LAYOUTS), ("samples", self.samples, SAMPLES)):
            if value not in known_values:
                raise DeriveError(f"{what}={value!r}: expected {' or '.join(known_values)}"
                                  f"{did_you_mean(str(value), known_values)}")  # fmt: skip
        for what, flag in (("bold", self.bold), ("from_one", self.from_one), ("ranges", self.ranges)):
            if not isinstance(flag, bool):
                raise DeriveError(f"{what}={flag!r}: expected True or False")
        pairs = self.symbols.items() if isinstance(self.symbols, Mapping) else self.symbols
        object.__setattr__(self, "symbols", tuple(sorted(dict(pairs).items())))
        self.own  # noqa: B018  # every symbol is checked now

    @cached_property
    def own(self) -> Mapping[str, Glyph]:
        """The reader's symbols, read."""
        return {name: symbol(name, source) for name, source in dict(self.symbols).items()}

    @property
    def by_matrices(self) -> bool:
        return self.kind in BY_MATRICES

    def of_kind(self, kind: str) -> Notation:
        return replace(self, kind=kind)


PLAIN = Notation()


def chosen(notation: str | Notation) -> Notation:
    """The notation itself, or the plain one of that kind."""
    if isinstance(notation, Notation):
        return notation
    if not isinstance(notation, str):
        raise DeriveError(f"notation={notation!r}: expected a Notation or one of {', '.join(map(repr, KINDS))}")
    return Notation(notation)
