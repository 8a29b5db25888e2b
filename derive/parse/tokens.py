"""LaTeX as tokens with columns: a closed list of commands, nothing is expanded, nothing is executed."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from derive.axes import did_you_mean

from .errors import LatexError
from .hints import instead_of_character, instead_of_command

LONGEST = 10_000  # characters
MOST_TOKENS = 4_000
LONGEST_NUMBER = 24  # digits
LONGEST_WORD = 40
DEEPEST = 40  # groups within groups

GREEK = frozenset(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi "
    "psi omega "
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega".split()
)
VARIANTS = {"varepsilon": "epsilon", "vartheta": "theta", "varphi": "phi", "varrho": "rho", "varsigma": "sigma",
            "varpi": "pi", "varkappa": "kappa"}  # fmt: skip
ACCENTS = {"hat": "hat", "widehat": "hat", "bar": "bar", "overline": "bar", "tilde": "tilde", "widetilde": "tilde",
           "dot": "dot", "vec": "vec"}  # fmt: skip
STYLES = frozenset("mathbf boldsymbol bm mathcal mathbb mathfrak mathscr mathit mathsf pmb mathds".split())
WORDS = frozenset("mathrm text operatorname textrm textbf textit mathtt texttt textsf mbox".split())
FUNCTIONS = frozenset(
    "exp log ln sin cos tan sinh cosh tanh arctan arcsin arccos coth sqrt erf det tr diag vec sgn sign max min argmax "
    "argmin arg".split()
)
SIZING = frozenset(
    "left right middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr bigm Bigm displaystyle textstyle "
    "scriptstyle limits nolimits quad qquad nonumber notag hfill thinspace hspace mathstrut".split()
)
NOTES = frozenset("label tag footnote footnotemark phantom vphantom hphantom vspace".split())  # dropped
SYMBOLS = {
    "cdot": "cdot", "times": "times", "odot": "odot", "circ": "odot", "otimes": "otimes", "oslash": "oslash",
    "ast": "*",
    "le": "<=", "leq": "<=", "leqslant": "<=", "ge": ">=", "geq": ">=", "geqslant": ">=", "ne": "!=", "neq": "!=",
    "lt": "<", "gt": ">", "in": "in", "lnot": "not", "neg": "not",
    "land": "and", "wedge": "and", "lor": "or", "equiv": "=", "triangleq": "=",
    "doteq": "=",
    "coloneqq": "assign", "leftarrow": "assign", "gets": "assign", "over": "over", "parallel": "norm",
    "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "|": "norm", "lVert": "norm", "rVert": "norm", "Vert": "norm",
    "langle": "langle", "rangle": "rangle", "lfloor": "lfloor", "rfloor": "rfloor", "lceil": "lceil", "rceil": "rceil",
    "{": "\\{", "}": "\\}", "lbrace": "\\{", "rbrace": "\\}", "lbrack": "[", "rbrack": "]", "to": "to",
    "rightarrow": "to", "colon": ":", "prime": "'", "top": "top", "intercal": "top", "star": "star", "dagger": "dagger",
    "infty": "infty", "ldots": "dots", "dots": "dots", "cdots": "dots", "vdots": "dots", "ddots": "dots",
}  # fmt: skip
OTHERS = frozenset(
    "frac dfrac tfrac cfrac binom sum prod int lim nabla partial begin end substack underbrace overbrace boxed ell "
    "mathbbm forall sim propto approx prob Pr mod bmod pmod iint oint infin overset stackrel underset "
    "mapsto".split()
)
KNOWN = GREEK | VARIANTS.keys() | ACCENTS.keys() | STYLES | WORDS | FUNCTIONS | SIZING | NOTES | SYMBOLS.keys() | OTHERS
PROGRAMMING = frozenset(
    "input include write read openin openout def edef gdef let newcommand renewcommand catcode csname expandafter loop "
    "immediate usepackage documentclass directlua special jobname the newwrite everyjob".split()
)
ENVIRONMENTS = frozenset(
    "cases dcases align align* aligned equation equation* gather gather* split eqnarray eqnarray* multline multline* "
    "matrix pmatrix bmatrix vmatrix array smallmatrix".split()
)
UNICODE = {"−": "-", "·": "cdot", "×": "times", "≤": "<=", "≥": ">=", "≠": "!=", "⊙": "odot", "⊗": "otimes", "∈": "in",
           "⊤": "top", "∞": "infty", "‖": "norm", "′": "'"}  # fmt: skip
_PLAIN = re.compile(
    r"(?P<space>[ \t\n~]+)|(?P<letter>[A-Za-z])|(?P<symbol>[-+*/^_{}()\[\]|,&=<>!;:']|\.(?!\d))", re.ASCII
).match
_COMMAND = re.compile(r"\\([A-Za-z]+|.)", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:\.\d+)?|\.\d+", re.ASCII)
_BRACED = re.compile(r"\s*\{([A-Za-z0-9 .,;:!_*+\\'-]*)\}")
_SINGLE = re.compile(r"\s+([A-Za-z])(?![A-Za-z])")
_SKIP = re.compile(r"\s*\[\s*-?[\d.]+\s*(?:pt|em|ex|mm|cm|in)\s*\]")
_NOTE = re.compile(r"\*?\s*\{[^{}]*\}")  # \tag*{4.2}, \label{eq:loss}
_SPACES = re.compile(r"\\[,;:! ]")
_ABOVE = re.compile(r"\s*\{(?:[^{}]|\{[^{}]*\})*\}\s*\{?\s*=\s*\}?")  # \overset{\text{def}}{=}


SHOWN = {"norm": r"\|", "assign": ":=", "and": r"\land", "or": r"\lor", "not": r"\neg", "mod": r"\bmod"}
OPERATORS = frozenset(  # which TeX knows no command for
    "softmax sigmoid relu softplus logsumexp gelu silu swish elu trace mean var layernorm attention".split()
)


class Token(NamedTuple):
    """kind: "letter", "number", "command", "symbol", "word" (\\text{…}), "begin", "end", "newline", "stop"."""

    kind: str
    text: str
    column: int
    tight: bool = False  # whether it touches the token before: f(x), and not f (x)

    @property
    def shown(self) -> str:
        if self.kind == "stop":
            return "the end"
        if self.kind == "symbol":
            return SHOWN.get(self.text, f"\\{self.text}" if self.text.isalpha() else self.text)
        return {"command": f"\\{self.text}", "word": f"\\text{{{self.text}}}", "newline": r"\\"}.get(
            self.kind, self.text
        )


def tokens(text: str, offset: int = 0) -> tuple[Token, ...]:
    """The tokens of a line of LaTeX, a "stop" last. Raises LatexError for what is no mathematics, with its column."""
    if not isinstance(text, str):
        raise LatexError(f"expected LaTeX as text, given {type(text).__name__}")
    if len(text) > LONGEST:
        raise LatexError(f"the text has {len(text)} characters, over {LONGEST}")
    found: list[Token] = []
    place, last = 0, 0
    while place < len(text):
        plain = _PLAIN(text, place)
        kind = plain.lastgroup if plain is not None else ""
        if kind == "space":
            place = plain.end()  # type: ignore[union-attr]
            continue
        tight = place == last and bool(found)
        if plain is not None and (kind == "letter" or kind == "symbol"):
            found.append(Token(kind, plain[0], place + offset, tight))
            place = last = plain.end()
        else:
            token, last = _next(text, place)
            if token is not None:
                found.append(Token(token.kind, token.text, token.column + offset, tight))
            place = last
        if len(found) > MOST_TOKENS:
            raise LatexError(f"the text has over {MOST_TOKENS} symbols")
    found.append(Token("stop", "", len(text) + offset))
    found = _inward(_under(_joined(found)))
    _check_depth(found)
    _check_variants(found)
    return tuple(found)


def _joined(found: list[Token]) -> list[Token]:
    """`:=` as one sign; `\\left\\{ \\begin{array} … \\end{array} \\right.` as cases."""
    made: list[Token] = []
    opened: list[bool] = []  # whether each environment that is open is such an array
    for token in found:
        before = made[-1] if made else token
        behind = (before.kind, before.text)
        if (token.kind, token.text, *behind) == ("symbol", "=", "symbol", ":") and token.tight:
            made[-1] = Token("symbol", "assign", before.column, before.tight)
        elif (token.text, before.text, token.tight) == ("}", "{", True) and _continues(made[:-1]):
            del made[_continues(made[:-1]) :]
        elif token.kind == "begin":
            opened.append(token.text == "array" and behind == ("symbol", "\\{"))
            if opened[-1]:
                made.pop()
            made.append(Token("begin", "cases", before.column) if opened[-1] else token)
        elif token.kind == "end" and opened:
            made.append(Token("end", "cases", token.column) if opened.pop() else token)
        else:
            made.append(token)
    return made


def _continues(made: list[Token]) -> int:
    """Where the break stands after which `{} + …` goes on with the line before; 0 if there is none."""
    place = len(made)
    while place and made[place - 1].text == "&":
        place -= 1
    return place - 1 if place > 1 and made[place - 1].kind == "newline" else 0


def _under(found: list[Token]) -> list[Token]:
    """`\\underset{k}{\\arg\\max}` as `\\arg\\max_{k}`."""
    places = [k for k, t in enumerate(found) if (t.kind, t.text) == ("command", "underset")]
    for place in reversed(places):  # the last first: one may stand within another
        below = _closed(found, place + 1)
        above = _closed(found, below)
        group, sign = found[place + 1 : below], found[below:above]
        if len(group) < 3 or not sign:
            raise LatexError("\\underset: expected two groups in braces", found[place].column)
        sign = sign[1:-1] if sign[0].text == "{" else sign
        found = [*found[:place], *sign, Token("symbol", "_", group[0].column), *group, *found[above:]]
    return found


def _inward(found: list[Token]) -> list[Token]:
    """`\\hat{x_i}` as `\\hat{x}_i`; a power may be meant below the hat, and stays."""
    for place in range(len(found) - 4, -1, -1):
        token = found[place]
        if token.kind != "command" or not (token.text in ACCENTS or token.text in STYLES):
            continue
        if found[place + 1].text != "{":
            continue
        inner = _closed(found, place + 2)
        if found[place + 2].kind == "command" and (found[place + 2].text in ACCENTS or found[place + 2].text in STYLES):
            inner = _closed(found, inner)
        sign, last = found[inner], _closed(found, inner + 1)
        below = sign.text == "_" or (sign.text == "^" and token.text in STYLES)
        if sign.kind == "symbol" and below and found[last : last + 1] and found[last].text == "}":
            closing = Token("symbol", "}", sign.column)
            found = [*found[:inner], closing, *found[inner:last], *found[last + 1 :]]
    return found


def _closed(found: list[Token], place: int) -> int:
    """Behind the group in braces, or the one symbol, that begins at a place."""
    depth = 0
    for at in range(place, len(found)):
        depth += (found[at].text == "{") - (found[at].text == "}") if found[at].kind == "symbol" else 0
        if depth <= 0:
            return at + 1
    return len(found)


def _next(text: str, place: int) -> tuple[Token | None, int]:
    char = text[place]
    if char == "\\":
        return _command(text, place)
    if number := _NUMBER.match(text, place):
        if len(number[0]) > LONGEST_NUMBER:
            raise LatexError(f"a number of {len(number[0])} digits; up to {LONGEST_NUMBER} are read", place)
        return Token("number", number[0], place), number.end()
    if char in UNICODE:
        return Token("symbol", UNICODE[char], place), place + 1
    if (greek := _greek(char)) is not None:
        return Token("command", greek, place), place + 1
    raise LatexError(f"{_named(char)} is not read in a formula{instead_of_character(char)}", place)


def _greek(char: str) -> str | None:
    words = unicodedata.name(char, "").split()
    if len(words) == 4 and words[0] == "GREEK" and words[2] == "LETTER":
        name = words[3].lower().replace("lamda", "lambda")
        name = name if words[1] == "SMALL" else name.capitalize()
        return name if name in GREEK else None
    return None


def _named(char: str) -> str:
    return f"{char!r}" if char.isprintable() else f"the control character U+{ord(char):04X}"


def _command(text: str, place: int) -> tuple[Token | None, int]:
    found = _COMMAND.match(text, place)
    if found is None:
        raise LatexError("a backslash at the end; expected a command", place)
    name, end = found[1], found.end()
    if name == "\\":
        space = _SKIP.match(text, end)  # \\[3pt]
        return Token("newline", "\\[]" if space else "\\", place), space.end() if space else end
    if name in (",", ";", ":", "!", " ", "\n"):
        return None, end
    if name in ("bmod", "mod"):
        return Token("symbol", "mod", place), end
    if name in SIZING:
        return None, _after_size(text, end, name)
    if name in NOTES and (note := _NOTE.match(text, end)):
        return None, note.end()
    if name in SYMBOLS:
        return Token("symbol", SYMBOLS[name], place), end
    if name in ("begin", "end"):
        return _environment(text, place, name, end)
    if name in WORDS:
        return _word(text, place, name, end)
    if name in ("overset", "stackrel") and (sign := _ABOVE.match(text, end)):
        return Token("symbol", "=", place), sign.end()
    if name in KNOWN:
        return Token("command", name, place), end
    if name in PROGRAMMING:
        raise LatexError(f"\\{name} is no mathematics, and is not carried out", place)
    if instead := instead_of_command(name):
        raise LatexError(f"\\{name} {instead}", place)
    if name.lower() in OPERATORS:
        raise LatexError(f"unknown command \\{name}; write \\operatorname{{{name}}}", place)
    raise LatexError(f"unknown command \\{name if name.isprintable() else '?'}{did_you_mean(name, KNOWN)}", place)


def _after_size(text: str, end: int, name: str) -> int:
    """`\\left.` is an invisible bracket; `\\hspace{…}` has an argument."""
    if name in ("left", "right", "middle") and text[end : end + 1] == ".":
        return end + 1
    if name == "hspace" and (argument := _BRACED.match(text, end)):
        return argument.end()
    return end


def _environment(text: str, place: int, name: str, end: int) -> tuple[Token, int]:
    argument = _BRACED.match(text, end)
    if argument is None or argument[1] not in ENVIRONMENTS:
        given = argument[1] if argument else ""
        raise LatexError(f"\\{name}: expected one of {', '.join(sorted(ENVIRONMENTS))}, given {given!r}", place)
    end = argument.end()
    if argument[1] == "array" and name == "begin" and (columns := _BRACED.match(text, end)):
        end = columns.end()
    return Token(name, argument[1].rstrip("*"), place), end


def _word(text: str, place: int, name: str, end: int) -> tuple[Token, int]:
    star = end + 1 if text[end : end + 1] == "*" else end
    argument = _BRACED.match(text, star) or _SINGLE.match(text, star)
    if argument is None:
        raise LatexError(f"\\{name}: expected a word in braces", place)
    word = _SPACES.sub(" ", argument[1]).replace(r"\_", "_").strip()
    if len(word) > LONGEST_WORD:
        raise LatexError(f"\\{name}: a word of {len(word)} letters; up to {LONGEST_WORD} are read", place)
    if "\\" in word:
        raise LatexError(f"\\{name}: expected letters, digits and spaces in the braces", place)
    return Token("word", word, place), argument.end()


def _check_depth(found: list[Token]) -> None:
    depth = 0
    for token in found:
        if token.kind == "begin" or (token.kind == "symbol" and token.text in ("(", "[", "{", "\\{")):
            depth += 1
        elif token.kind == "end" or (token.kind == "symbol" and token.text in (")", "]", "}", "\\}")):
            depth -= 1
        if depth > DEEPEST:
            raise LatexError(f"brackets stand more than {DEEPEST} deep", token.column)


def _check_variants(found: list[Token]) -> None:
    """\\epsilon and \\varepsilon are one letter, unless a text tells them apart."""
    used = {t.text for t in found if t.kind == "command"}
    for token in found:
        if token.text in VARIANTS and token.kind == "command" and VARIANTS[token.text] in used:
            raise LatexError(
                f"\\{token.text} and \\{VARIANTS[token.text]} are read as one letter; use one", token.column
            )
