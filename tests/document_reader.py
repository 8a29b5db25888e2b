"""A printed LaTeX document as data: what is given, and chains of equalities."""

import re
from dataclasses import dataclass

ROW = re.compile(r"\\\\\*?\n")
ITEM = re.compile(r"^\\item (.*)$", re.MULTILINE)
DISPLAY = re.compile(r"\\begin\{align\*\}\n(.*?)\n\\end\{align\*\}", re.DOTALL)
SMALL = re.compile(r"\\mbox\{\\[a-z]*(?:size|small|tiny)\$\\displaystyle (.*?)\$\}")  # what would not fit else
MATHS = re.compile(r"\$([^$]*)\$")


@dataclass
class Chain:
    """target = row = row …, each as LaTeX; `where` is what stands above it."""

    target: str
    rows: list


def without(source, command):
    """`source` without `command{…}` (and `command[t]{…}{…}`), braces balanced."""
    while (place := source.find(command)) >= 0:
        end = place + len(command)
        while end < len(source) and source[end] in "{[":
            close = {"{": "}", "[": "]"}[source[end]]
            depth, opened = 0, source[end]
            while True:
                depth += (source[end] == opened) - (source[end] == close)
                end += 1
                if depth == 0:
                    break
        source = source[:place] + source[end:]
    return source


def unbroken(row):
    """Cases on lines of their own, as rows of a value and a condition."""
    if r"\\[3pt]" not in row:
        return row
    row = row.replace(r"\\[3pt]", "@row@")
    row = re.sub(r"(?:\\\\ )?\\q?quad (\\text\{(?:if |otherwise)\})", r"& \1", row)
    return re.sub(r"\\\\ \\q?quad ", " ", row).replace("@row@", r"\\")


def chains(document):
    """The chains of every display, in order."""
    found = []
    for display in DISPLAY.findall(document):
        for row in ROW.split(display):
            row = unbroken(SMALL.sub(r"\1", without(without(row, r"\tag*"), r"\parbox")))
            body = row.lstrip("& ").strip()
            if not body.replace(r"\quad", "").strip():
                continue
            if row.startswith((r"&\quad = ", "&= ")):
                found[-1].rows.append(row.split("= ", 1)[1])
            elif row.startswith((r"&\quad", r"&\qquad")):
                found[-1].rows[-1] += " " + re.sub(r"^&\\q?quad", "", row)
            elif row.startswith("&"):
                found.append(Chain(body, []))
            else:
                target, _, first = row.partition(" &= ")
                found.append(Chain(target, [first]))
    return found


def items(document):
    """The lines of the list of inputs: (mathematics, words)."""
    return [(MATHS.findall(line), line) for line in ITEM.findall(document)]
