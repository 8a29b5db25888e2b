"""LaTeX mathematics as MathML Core, the part of MathML that browsers draw without a script.

latex2mathml reads the LaTeX. What browsers have dropped of MathML is written here as they want it: bold letters are
characters of their own, fences are operators, a word in upright letters is one identifier.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from html import escape, unescape
from itertools import pairwise
from xml.etree import ElementTree

from .lines import unmarked

Element = ElementTree.Element

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
FENCES = frozenset("⌊⌋⌈⌉‖|⟨⟩")
PREFIXES = frozenset("¬√")
ACCENTS: Mapping[str, str] = {
    "^": "\u02c6",
    "¯": "\u203e",
    "~": "\u02dc",
    "˙": "\u02d9",
    "―": "\u203e",
}  # as browsers draw them
BAR = "\u203e"  # an accent's place is within a capital's serifs: a bar stands above it, as over a word
RESPELT: Mapping[str, str] = {  # what latex2mathml reads otherwise, or not at all
    r"\operatorname*{arg\,max}": r"\sup ",
    r"\operatorname*{arg\,min}": r"\inf ",
    r"\\[3pt]": r"\\",
    r"\lvert": "|",
    r"\rvert": "|",
    r"\lVert": r"\Vert ",
    r"\rVert": r"\Vert ",
}
NAMED: Mapping[str, str] = {"sup": "arg\u2009max", "inf": "arg\u2009min"}
BELOW = frozenset({"max", "min", *NAMED.values()})  # what has its letters below itself, in a display
SCRIPTS = frozenset({"msub", "msup", "msubsup"})
PRIMES = frozenset("′″‴")  # fonts draw them raised and small already: as an exponent they would be so twice
CLOSING: Mapping[str, str] = {")": "(", "]": "[", "⌋": "⌊", "⌉": "⌈"}
SIGNS = frozenset("−+")
BEFORE_SIGNS = frozenset("=<>≤≥≠([,×·")
DROPPED = ("columnalign", "mathvariant", "columnspacing", "rowspacing", "columnlines", "xmlns", "scriptlevel")
_BOLD = (("A", 26, 0x1D400), ("a", 26, 0x1D41A), ("0", 10, 0x1D7CE), ("Α", 25, 0x1D6A8), ("α", 25, 0x1D6C2))


@lru_cache(maxsize=20000)
def mathml(latex: str, display: bool = False) -> str:
    """`<math>…</math>` for LaTeX mathematics; `display` draws sums and fractions in full size, still within a line.

    Raises ModuleNotFoundError where latex2mathml is not installed.
    """
    from latex2mathml.converter import convert_to_element

    source = unmarked(latex)
    for old, new in RESPELT.items():
        source = source.replace(old, new)
    root = convert_to_element(source, display="block" if display else "inline")
    _mended(root)
    for element in root.iter("msub") if display else ():
        if element[0].tag == "mo" and element[0].text in BELOW:
            element.tag = "munder"
    root.attrib = {"displaystyle": "true"} if display else {}
    return _written(root)


def mixed(words: str) -> str:
    """A sentence with LaTeX between dollars, as HTML."""
    parts = words.split("$")
    return "".join(mathml(part) if place % 2 else escape(part, quote=False) for place, part in enumerate(parts))


def _mended(element: Element) -> None:
    """The tree below `element` in MathML Core."""
    for child in element:
        _mended(child)
    text = element.text = unescape(element.text or "")
    variant = element.get("mathvariant")
    if element.tag == "mtd" and element.get("columnalign") == "left":
        element.set("class", "left")
    if element.tag == "mi" and (text in FENCES or text in PREFIXES):
        element.tag = "mo"
    if element.tag == "mo":
        element.text = NAMED.get(text, text)
    if element.tag == "mo" and len(text) > 1 and text.isalpha() and element.text not in BELOW | {"mod"}:
        element.tag = "mi"  # a function's name: an operator would stand apart from its bracket
    if element.tag == "mi" and len(text) > 1 and text.isalpha() and variant is None:
        element.set("function", "")
    if element.tag == "mo" and text in FENCES:
        element.attrib.update({"fence": "true"} | ({} if element.get("minsize") else {"stretchy": "false"}))
    if element.tag in ("mi", "mn") and variant in ("bold", "bold-italic"):
        element.text = "".join(_bold(char) for char in text)
    if element.tag == "mi" and variant == "normal":
        element.set("upright", "")
    if element.tag in ("mover", "munder"):
        _accented(element)
    if element.tag in ("msup", "msubsup") and element[-1].text in PRIMES:
        _primed(element)
    for name in DROPPED:
        element.attrib.pop(name, None)
    _words_joined(element)
    _functions_apart(element)
    _brackets_held(element)
    _signs_close(element)


def _primed(element: Element) -> None:
    """f′ and x′ᵢ: the prime stands beside the letter."""
    base, *below, prime = element
    prime.tag, prime.attrib = "mo", {"form": "postfix", "lspace": "0", "rspace": "0"}
    held = ElementTree.Element("mrow") if below else element
    for part in list(element):
        element.remove(part)
    held.extend([base, prime])
    element.tag = "msub" if below else "mrow"
    element.extend([held, *below] if below else [])


def _functions_apart(element: Element) -> None:
    """A function's name stands apart from the factor before it, and from a letter after it: x exp(y), x det A."""
    for place in range(len(element) - 1, -1, -1):
        named = element[place].attrib.pop("function", None) is not None
        if named and place + 1 < len(element) and element[place + 1].tag in ("mi", "mn", *SCRIPTS):
            element.insert(place + 1, ElementTree.Element("mspace", {"width": "0.167em"}))
        before = element[place - 1] if place else None
        if named and before is not None and (before.tag not in ("mo", "mspace") or before.text in CLOSING):
            element.insert(place, ElementTree.Element("mspace", {"width": "0.167em"}))


def _brackets_held(element: Element) -> None:
    """What stands at a closing bracket, an exponent, stands at the whole bracket; brackets keep no distance."""
    place = 0
    while place < len(element):
        child = element[place]
        base = child[0] if child.tag in SCRIPTS and len(child) else child
        if base.tag == "mo" and base.text in CLOSING and child is not base:
            start = _opening(element, place, CLOSING[base.text or ""], base.text or "")
            if start is not None:
                held = ElementTree.Element("mrow")
                for part in list(element)[start:place]:
                    held.append(part)
                    element.remove(part)
                held.append(base)
                child[0] = held
                place = start
        place += 1
    for child in element:
        if child.tag == "mo" and (child.text in CLOSING or child.text in CLOSING.values()):
            form = "postfix" if child.text in CLOSING else "prefix"
            child.attrib.update({"form": form, "lspace": "0", "rspace": "0"})


def _opening(element: Element, place: int, opens: str, closes: str) -> int | None:
    """Where the bracket opens that closes at `place`."""
    depth = 0
    for at in range(place - 1, -1, -1):
        part = element[at][0] if element[at].tag in SCRIPTS and len(element[at]) else element[at]
        if part.tag == "mo" and part.text == closes:
            depth += 1
        elif part.tag == "mo" and part.text == opens:
            if depth == 0:
                return at
            depth -= 1
    return None


def _signs_close(element: Element) -> None:
    """A sign after a relation or an opening bracket belongs to what follows it."""
    for before, sign in pairwise(element):
        if sign.tag == "mo" and sign.text in SIGNS and before.tag == "mo" and before.text in BEFORE_SIGNS:
            sign.set("form", "prefix")


def _bold(char: str) -> str:
    """The bold letter or digit, which is a character of its own."""
    for first, count, bold in _BOLD:
        if 0 <= ord(char) - ord(first) < count:
            return chr(bold + ord(char) - ord(first))
    return char


def _accented(element: Element) -> None:
    """A mark above one letter stands close; above a word it is stretched."""
    mark = element[-1]
    if mark.tag != "mo" or (mark.text or "") not in ACCENTS:
        return
    wide = len("".join(element[0].itertext())) > 1
    mark.text = ACCENTS[mark.text or ""]
    mark.set("stretchy", "true" if wide else "false")
    capital = (element[0].text or "").isupper()
    element.set("accent", "false" if mark.text == BAR or capital else "true")


def _words_joined(element: Element) -> None:
    """Upright letters side by side are one identifier, so that they stand as a word."""
    joined: list[Element] = []
    for child in list(element):
        upright = child.tag in ("mi", "mo") and ("upright" in child.attrib or (child.text == "_" and joined))
        if upright and joined and joined[-1].get("upright") is not None:
            joined[-1].text = (joined[-1].text or "") + (child.text or "")
            element.remove(child)
        else:
            joined.append(child)
    for child in joined:
        if child.attrib.pop("upright", None) is not None and len(child.text or "") == 1:
            child.set("mathvariant", "normal")  # one letter is slanted unless told otherwise


def _written(root: Element) -> str:
    """The tree as text: an `mrow` with one child is that child."""
    for parent in root.iter():
        for place, child in enumerate(list(parent)):
            while child.tag == "mrow" and len(child) == 1 and not child.attrib:
                child = child[0]
            parent[place] = child
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
