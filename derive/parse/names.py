"""Names as operands: which part of W_f^{(2)} is a label and which an index is decided by what is declared."""

from __future__ import annotations

from dataclasses import dataclass, field

from derive.axes import did_you_mean

from .errors import LatexError
from .functions import ALIASES, KNOWN
from .scope import SQUARE, Declared, difference_of, identifier_of, label_of, stem_of
from .subscripts import Subscripts, inside
from .tokens import FUNCTIONS, GREEK, STYLES, Token
from .tree import At, Call, Constant, Letter, Marked, Name, Node


@dataclass
class Attached:
    """What is attached to a name: subscript, superscript, primes, in tokens."""

    sub: list[Token] = field(default_factory=list)
    sup: list[Token] = field(default_factory=list)
    primes: int = 0
    place: int = 0  # of the superscript, to return to it if it is a power
    label: str = ""


class Names(Subscripts):
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
        self.no_letters()
        found = self.long_name() or self.difference() or stem_of(self.tokens[self.place : self.place + 40])
        if found is None:
            return None
        stem, start = found[0], self.now
        self.place += found[1]
        if (letter := self.letter(stem, start)) is not None:
            return letter
        if (constant := self.constant(stem, start)) is not None:
            return constant
        attached = self.attached(stem)
        for label in self.labels(attached):
            key = "_".join([stem, *label])
            if self.squared(key):
                return self.known(f"{key}_{SQUARE}", start, attached, label)
            if key in self.scope.names:
                return self.known(key, start, attached, label)
        if (split := self.split(stem, attached)) is not None:
            found_label, attached.sub = split
            return self.known(f"{stem}_{found_label}", start, attached, ())
        return self.unknown(stem, start, attached)

    def no_letters(self) -> None:
        """exp(a) without its backslash is the product e x p (a)."""
        if self.now.kind != "letter" or not self.tokens[self.place + 1].tight:
            return
        end = self.place + 1
        while self.tokens[end].kind == "letter" and self.tokens[end].tight:
            end += 1
        run = "".join(t.text for t in self.tokens[self.place : end])
        if (
            len(run) > 1
            and self.tokens[end].text == "("
            and ALIASES.get(run, run) in KNOWN
            and run not in self.scope.names
        ):
            written = f"\\{run}" if run in FUNCTIONS else f"\\operatorname{{{run}}}"
            raise LatexError(f"{run} is read as a product of letters: write {written}", self.now.column)

    def letter(self, stem: str, start: Token) -> Letter | None:
        """Below a sign a letter of an axis is no array of that name; nor is a bound letter in an index."""
        primes = 0
        while self.tokens[self.place + primes].text == "'":
            primes += 1
        known = self.scope.axes if self.binding else self.letters if self.indexing else ()
        if self.limiting and stem in self.scope.names and self.scope.names[stem].rank and not self.sees("_", "^", "("):
            known = {stem} if self.scope.length(stem) is not None else ()
        marked = stem + "'" * primes
        if stem not in self.scope.names or self.tokens[self.place + primes].text in ("_", "^"):
            return None
        if stem not in known and marked not in known:
            return None
        self.place += primes
        return Letter(start.column, marked)

    def difference(self) -> tuple[str, int] | None:
        """\\Delta w as one name, if it is declared; Δ that is declared itself is a factor."""
        ahead = self.tokens[self.place : self.place + 40]
        if ahead[0].text != "Delta" or ahead[0].kind != "command" or "Delta" in self.scope.names:
            return None
        found = difference_of(ahead)
        if found is not None and not any(k == found[0] or k.startswith(f"{found[0]}_") for k in self.scope.names):
            raise LatexError("two readings: \\Delta times what follows, or a name with \\Delta: declare one of them",
                             ahead[0].column)  # fmt: skip
        return found

    def squared(self, key: str) -> bool:
        """Whether σ² stands here and is what was defined or declared, rather than σ."""
        if f"{key}_{SQUARE}" not in self.scope.names:
            return False
        power = [t.text for t in self.tokens[self.place : self.place + 4]]
        if power[:2] == ["^", "2"] or power == ["^", "{", "2", "}"]:
            self.place += 2 if power[1] == "2" else 4
            return True
        if key not in self.scope.names:
            raise LatexError(f"{key}^2 is known, but {key} alone is not: write \\sqrt{{{key}^2}}", self.now.column)
        return False

    def split(self, stem: str, attached: Attached) -> tuple[str, list[Token]] | None:
        """The label and the indices of \\sigma_{1,i}, where \\sigma_1 is declared."""
        commas = [k for k, t in enumerate(attached.sub) if t.text == "," and t.kind == "symbol"]
        for place in reversed(commas):
            label = label_of(attached.sub[:place])
            if label is not None and f"{stem}_{label}" in self.scope.names:
                return label, attached.sub[place + 1 :]
        return None

    def constant(self, stem: str, start: Token) -> Node | None:
        if stem == "I" and self.sees("_") and (sized := self.sized("identity", start)) is not None:
            return sized
        bold = stem == "I" and start.text in STYLES and stem in self.scope.names and not self.scope.names[stem].rank
        if (stem in self.scope.names or self.labelled(stem)) and not bold:
            return None
        if stem == "1" or (stem == "pi" and start.text == "pi" and not self.sees("_")):
            return Constant(start.column, {"1": "ones"}.get(stem, stem))
        if stem.lower() in ("minimize", "minimise", "maximize", "maximise"):
            raise LatexError(f"{stem} is no formula: give what stands after it, without conditions", start.column)
        if stem == "std":
            raise LatexError("two readings: std divides by n, or by n - 1; write \\sqrt{\\operatorname{var}(x)} for n",
                             start.column)  # fmt: skip
        if stem == "e" and not self.sees("_") and not self.binding and "e" not in self.letters:
            return Constant(start.column, "e")
        if stem == "I" and not self.sees("_", "(") and "I" not in self.letters:
            return Constant(start.column, "identity")
        return None

    def sized(self, name: str, start: Token) -> Constant | None:
        """𝐈_n and 𝟏_n, n a length that is known; None for anything else below."""
        place = self.place
        self.next()
        letter = label_of(group) if (group := self.group("a length")) else None
        if letter is not None and self.scope.length(letter) is not None and f"I_{letter}" not in self.scope.names:
            return Constant(start.column, f"{name} {letter}")
        self.place = place
        return None

    def labelled(self, stem: str) -> bool:
        """Whether the name is declared with some label: e_t beside Euler's e."""
        return any(key.startswith(f"{stem}_") for key in self.scope.names) and self.sees("_", "^")

    def attached(self, stem: str = "") -> Attached:
        found = Attached()
        while True:
            if self.sees("_") and not found.sub:
                self.next()
                found.sub = self.group("an index or a label after _")
            elif self.sees("'") and not found.primes:
                while self.accepts("'"):
                    found.primes += 1
            elif self.sees("^") and not found.primes and (primes := self.raised_primes()):
                found.primes = primes
            elif self.sees("^") and not found.sup and (self.is_label() or self.named_above(stem)):
                found.place = self.place
                self.next()
                found.sup = self.group("a label after ^")
            else:
                return found

    def raised_primes(self) -> int:
        """How many primes stand in x^{\\prime}, which are then read; 0 for any other superscript."""
        group = [t.text for t in self.tokens[self.place + 1 : self.place + 5]]
        inner = group[1 : group.index("}")] if group[0] == "{" and "}" in group else group[:1]
        if not inner or set(inner) != {"'"}:
            return 0
        self.place += 1 + len(inner) + 2 * (group[0] == "{")
        return len(inner)

    def named_above(self, stem: str) -> bool:
        """Whether the superscript is a word that labels a declared name: W^{\\text{out}}."""
        place = self.place
        self.next()
        group = self.group("a power")
        self.place = place
        texts = [t.text for t in group]
        label = label_of(group) if worded(group) or texts in (["-"], ["+"]) or "," in texts else None
        if label is None and stem not in self.scope.names and len(group) == 1 and group[0].kind == "letter":
            return f"{stem}_{group[0].text}" in self.scope.names  # x^a, where x alone is not declared
        return label is not None and any(key.startswith(f"{stem}_") and label in key for key in self.scope.names)

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
        self.no_index(declared, label_of(attached.sub) or "", label, start)
        sub = attached.sub if attached.sub and label_of(attached.sub) not in label else []
        sup = attached.sup if attached.sup and label_of(inside(attached.sup) or attached.sup) not in label else []
        primes = 0 if any("'" in part for part in label) else attached.primes
        node = Name(start.column, key, declared.name)
        if "lettered" in declared.flags and declared.rank and not (sub or sup) and self.scope.length(key) is not None:
            raise LatexError(f"two readings: {key} is defined here with an index, and is a length too; use two letters",
                             start.column)  # fmt: skip
        if declared.kind == "index":
            return Letter(start.column, declared.name)
        if declared.kind == "function":
            return self.application(key, start, sub, primes)
        if declared.flags[:1] == ("called",) and self.sees("("):
            self.same_arguments(declared)
        elif declared.rank and not attached.sub and self.sees("("):
            self.no_factor(start, declared)
        if primes and (self.binding or start.text + "'" * primes in self.letters) and not sub:
            return Letter(start.column, start.text + "'" * primes)
        if primes == 1 and declared.rank == 2 and not sub and not sup:
            return Marked(start.column, "T", node)
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
        left = declared.rank - len(indices)
        self.no_digits(declared, left, sub)
        if left > 0 and (called := self.called(left, fewer="mask" in declared.flags)) is not None:
            indices += called
        if len(indices) > declared.rank:
            axes = f"{declared.rank} {'axis' if declared.rank == 1 else 'axes'}"
            raise LatexError(f"{declared.name} has {axes}, given {len(indices)} indices", start.column)
        return At(start.column, node, tuple(indices)) if indices else node

    def no_digits(self, declared: Declared, left: int, sub: list[Token]) -> None:
        """A_ij without braces is A_i times j."""
        unbraced = len(sub) == 1 and self.tokens[self.place - 2].text == "_" and self.tokens[self.place - 1] is sub[0]
        if left and unbraced and self.now.kind == "letter" and self.now.tight and self.now.text not in self.scope.names:
            raise LatexError(f"without braces only {sub[0].text} stands below: write "
                             f"{declared.name}_{{{sub[0].text}{self.now.text}}}", self.now.column)  # fmt: skip

    def no_index(self, declared: Declared, below: str, label: tuple[str, ...], start: Token) -> None:
        """\\sum_i N_i of a name N_i may be the same number, taken often, or entries of an array."""
        letter = below.split("+")[0].split("-")[0]
        if below in label and letter in self.running and declared.kind != "size":  # not a stride s_h in a sum over h
            raise LatexError(f"two readings: {declared.name} is declared as a name, and {letter} is bound here: "
                             f"declare the array without its index, or give the name another label",
                             start.column)  # fmt: skip

    def no_factor(self, start: Token, declared: Declared) -> None:
        """f(x) of an array f and a name x may be meant as a function; indices have been read before."""
        end = self.closing(self.place)
        inner = self.tokens[self.place + 1 : end] if end is not None and self.now.tight else []
        alone = stem_of(inner)
        if alone is None or alone[0] not in self.scope.names:
            return
        if alone[1] != len(inner) and inner[alone[1]].text not in ("_", ",", ";", "|"):
            return
        raise LatexError(f"two readings: {declared.name} times the bracket, or of it: write it without brackets, or "
                         f"declare {declared.name}: function", start.column)  # fmt: skip

    def same_arguments(self, declared: Declared) -> None:
        """f(x) after f(x) = …: the value that was defined; f of anything else is not worked out."""
        end = self.closing(self.place)
        given = label_of(self.tokens[self.place + 1 : end]) if end is not None else None
        if end is None or given != declared.flags[1]:
            raise LatexError(f"{declared.name} was defined of {declared.flags[1]}; of anything else write it out",
                             self.now.column)  # fmt: skip
        self.place = end + 1

    def unknown(self, stem: str, start: Token, attached: Attached) -> Node:
        """An undeclared name: a function everybody knows, a formula of the catalogue, an index, a scalar in Greek."""
        sub, plain = label_of(attached.sub), ALIASES.get(stem, stem)
        if stem == "sigma" and self.sees("(") and not attached.sub:
            return self.applied("sigmoid", start, attached.primes)
        if stem == "Gamma" and self.sees("(") and not attached.sub:
            return self.applied("Γ", start, attached.primes)
        if plain in KNOWN and not attached.sub and (len(stem) > 1 or self.sees("(")):
            return self.applied(plain, start, attached.primes)
        if len(stem) > 1 and stem not in GREEK and not attached.sub and self.scope.formula(stem) is not None:
            return self.applied(stem, start, attached.primes)
        marked = stem + "'" * attached.primes
        known = marked in self.letters or (self.binding and len(stem) == 1)
        if attached.sup or (attached.primes > (1 if len(stem) == 1 else 0) and not known):
            raise self.undeclared(stem, start, attached)
        if sub and self.scope.length(f"{stem}_{sub}") is not None and not attached.sup:
            return Letter(start.column, f"{stem}_{sub}")
        if stem == "delta" and self.sees("(") and not attached.sub and (pair := self.two_arguments()):
            return Call(start.column, "kronecker", pair)
        if stem in GREEK and self.sees("("):
            self.no_function(f"{stem}_{sub}" if sub else stem, start)
        if self.sees("(") and self.now.tight and stem not in self.letters and self.listed():
            raise self.undeclared(stem, start, attached)
        if len(stem) > 1 and (stem in self.letters or stem in self.scope.axes) and not attached.sub:
            return Letter(start.column, stem + "'" * attached.primes)
        if stem == "delta" and attached.sub and len(both := self.indices(attached.sub, 2)) == 2:
            return Call(start.column, "kronecker", tuple(both))
        if stem in GREEK and (not attached.sub or (sub is not None and (sub.isdigit() or _upright(attached.sub)))):
            return Letter(start.column, stem if not sub else f"{stem}_{sub}")
        if (len(stem) == 1 or stem in ("ell", "pos")) and not attached.sub:
            return Letter(start.column, stem + "'" * attached.primes)
        if len(stem) == 1 and sub is not None and (sub.isdigit() or f"{stem}_{sub}" in self.letters):
            return Letter(start.column, f"{stem}_{sub}")
        raise self.undeclared(stem, start, attached)

    def listed(self) -> bool:
        """Whether several arguments stand in the bracket here: k(x, y) is no product."""
        end = self.closing(self.place)
        return end is not None and any(t.text in (",", ";", "|") for t in self.tokens[self.place + 1 : end])

    def two_arguments(self) -> tuple[Node, ...]:
        """The arguments of \\delta(i, j); nothing, and no step, where there are not two."""
        place = self.place
        found = tuple(self.arguments())
        if len(found) != 2:
            self.place = place
        return found if len(found) == 2 else ()

    def undeclared(self, stem: str, start: Token, attached: Attached) -> LatexError:
        sub = label_of(attached.sub)
        full = f"{stem}_{sub}" if sub else stem
        known = [one.name for one in self.scope.names.values() if one.name]
        known += [*KNOWN, *self.scope.catalogue] if len(stem) > 2 and stem not in GREEK and stem != "ell" else []
        full, stem = _plain(full), _plain(stem)
        kind = f"'{full}: scalar' or '{stem}: n'"
        if self.sees("("):
            kind = f"'{full}: function' or '{full}: scalar'" if sub or stem in GREEK else f"'{full}: function'"
        near = "" if self.trying else did_you_mean(stem, known) or f": declare it, as in where={kind}"
        return LatexError(f"{full} is not declared{near}", start.column)


def worded(group: list[Token]) -> bool:
    """Whether a group is a word: \\text{out}, or letters side by side as in CLIP."""
    if len(group) == 1:
        return group[0].kind == "word" and len(group[0].text) > 1
    return all(t.kind == "letter" for t in group) and all(t.tight for t in group[1:]) and len(group) > 1


def _plain(key: str) -> str:
    """A key as `where` takes it: yhat of hat(y)."""
    return identifier_of(key) if "(" in key or "'" in key else key


def _upright(group: list[Token]) -> bool:
    """Whether a subscript is a word, \\text{max}, and no product of letters."""
    return all(token.kind == "word" or token.text in ("max", "min") for token in group)
