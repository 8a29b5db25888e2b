"""How a name is written: Greek by name, accents, numbers; as Unicode and as LaTeX.

`beta` is β, `xhat` and `x_hat` are x̂, `w_1` is w₁ in text and w^{(1)} in LaTeX, where indices stand below.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import lru_cache

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "zeta": "ζ", "eta": "η", "theta": "θ",
    "iota": "ι", "kappa": "κ", "lambda": "λ", "mu": "μ", "nu": "ν", "xi": "ξ", "pi": "π", "rho": "ρ", "sigma": "σ",
    "tau": "τ", "upsilon": "υ", "phi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω",
}  # fmt: skip
COMMAND = {"epsilon": r"\varepsilon", "phi": r"\varphi"}
SHORT = {"eps": "epsilon", "lam": "lambda"}
OPERATOR_LIKE = {"Sigma": r"\Sigma", "Pi": r"\Pi"}  # in text they would read as the operators Σ and Π
ACCENTS = {
    "hat": ("\u0302", r"\hat"),
    "bar": ("\u0304", r"\bar"),
    "tilde": ("\u0303", r"\tilde"),
    "dot": ("\u0307", r"\dot"),
}
WIDE_ACCENTS = {r"\hat": r"\widehat", r"\bar": r"\overline", r"\tilde": r"\widetilde", r"\dot": r"\dot"}
PRIMES = {2: "″", 3: "‴"}
LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


@dataclass(frozen=True)
class Glyph:
    """A written name: its stem with accents, and a mark (a number, a word, primes) that sets it apart."""

    text: str
    latex: str
    mark_text: str = ""
    mark: str = ""  # LaTeX
    primes: int = 0
    of: Glyph | None = None  # x of dx

    @property
    def single(self) -> bool:
        """Whether the stem is one letter, so that such names may stand side by side as indices."""
        return len(unicodedata.normalize("NFC", self.text)) == 1 or not self.latex.startswith(r"\mathrm")

    def in_text(self) -> str:
        return unicodedata.normalize("NFC", self.text) + self.mark_text + PRIMES.get(self.primes, "′" * self.primes)

    def as_index(self) -> str:
        """LaTeX with the mark below: o_1, d', \\varepsilon_1."""
        return self.latex + (f"_{braced(self.mark)}" if self.mark else "") + "'" * self.primes

    def as_tensor(self) -> str:
        """LaTeX with the mark above, so that indices can stand below: w^{(1)}."""
        return self.latex + (f"^{{({self.mark})}}" if self.mark else "") + "'" * self.primes

    def accented(self, accent: str) -> Glyph:
        """The name under one more accent: μ̄ of μ, \\overline{\\mathrm{scores}} of scores."""
        above, command = ACCENTS[accent]
        command = command if self.single else WIDE_ACCENTS[command]
        return replace(self, text=self.text + above, latex=f"{command}{{{self.latex}}}")

    def moved(self) -> Glyph:
        """The differential dx of x."""
        return replace(self, text=f"d{self.text}", latex=rf"\mathrm{{d}}{self.latex}", of=self)

    def bold(self) -> Glyph:
        """The name in bold, as vectors and matrices are written."""
        if self.of is not None:
            return self.of.bold().moved()
        text = "".join(_BOLD_FROM.get(char, char) for char in self.text)
        return replace(self, text=text, latex=_bold_latex(self.latex))

    def primed(self, primes: int) -> Glyph:
        return replace(self, primes=primes)


_BOLD_FROM = {chr(old + k): chr(new + k) for old, new in ((65, 0x1D400), (97, 0x1D41A)) for k in range(26)}
_BOLD_FROM |= {chr(0x3B1 + k): chr(0x1D6C2 + k) for k in range(25)}


def _bold_latex(latex: str) -> str:
    """Bold within accents: \\hat{\\mathbf{x}}; Greek by \\boldsymbol, a word as \\mathbf."""
    over = re.fullmatch(r"(\\(?:hat|bar|tilde|dot|widehat|overline|widetilde))\{(.*)\}", latex)
    if over is not None:
        return f"{over[1]}{{{_bold_latex(over[2])}}}"
    word = re.fullmatch(r"\\mathrm\{(.*)\}", latex)
    if word is not None:
        return rf"\mathbf{{{word[1]}}}"
    return rf"\boldsymbol{{{latex}}}" if latex.startswith("\\") else rf"\mathbf{{{latex}}}"


def braced(latex: str) -> str:
    """`x` for one character, `{xy}` for more."""
    return latex if len(latex) == 1 else f"{{{latex}}}"


def raw(name: str) -> Glyph:
    """The name as it was typed, upright: what is left when every nicer form is taken."""
    return Glyph(name, rf"\mathrm{{{name.replace('_', chr(92) + '_')}}}")


_NUMBERED = re.compile(f"_(\\d+)({'|'.join(ACCENTS)})$")  # e_2hat is ê₂


@lru_cache(maxsize=4096)
def glyph(name: str) -> Glyph:
    """The written form of an identifier."""
    head, *parts = [part for part in _NUMBERED.sub(r"_\1_\2", name).split("_") if part] or [name]
    stem = _stem(head)
    if stem is None:
        if parts and all(part.isdigit() for part in parts):
            return _marked(raw(head), parts)
        if len(parts) == 1 and parts[0] in ACCENTS:
            return raw(head).accented(parts[0])
        return raw(name)
    for place in (0, -1):
        while parts and parts[place] in ACCENTS:
            stem = stem.accented(parts.pop(place))
    return _marked(stem, parts)


def _stem(part: str) -> Glyph | None:
    """One letter, Greek letter, or either with an accent or a number; None for a word."""
    part = SHORT.get(part, part)
    if len(part) == 1:
        return Glyph(part, part)
    if part in GREEK:
        command = rf"\{part}"
        return Glyph(GREEK[part], COMMAND.get(part, command))
    if part in OPERATOR_LIKE:
        return Glyph(part, OPERATOR_LIKE[part])
    if part == "ell":
        return Glyph("ℓ", r"\ell")
    for accent in ACCENTS:
        if part.endswith(accent) and (bare := _stem(part.removesuffix(accent))) is not None and not bare.mark:
            return bare.accented(accent)
    numbered = re.fullmatch(r"([A-Za-z]+?)(\d+)", part)
    if numbered and (bare := _stem(numbered[1])) is not None:
        return _marked(bare, [numbered[2]])
    return None


def _marked(stem: Glyph, parts: list[str]) -> Glyph:
    """The stem with its suffixes: a number as w₁, a word as g_y."""
    if not parts:
        return stem
    shown = "".join(p.translate(LOWERED) if p.isdigit() else f"_{glyph(p).text}" for p in parts)
    latex = ",".join(p if p.isdigit() else glyph(p).as_index() for p in parts)
    return replace(stem, mark_text=stem.mark_text + shown, mark=",".join(filter(None, [stem.mark, latex])))
