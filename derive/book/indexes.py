"""The pages of the book that are no formula's: contents, preface, chapters, the index of laws."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape

from derive.notation.article import halves
from derive.notation.html import boxed, document
from derive.notation.mathml import mixed
from derive.notation.story import story
from derive.notation.style import LATEX
from derive.notation.view import view_of

from .making import Entry
from .markup import HOME, BookPage, anchor, chapter_file, link, listing
from .order import TITLE, Place, chapter_of
from .preface import PARTS, Text, Title, worked


def _chapters(places: Mapping[str, Place]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, place in places.items():
        found.setdefault(place.chapter, []).append(name)
    return found


def contents(places: Mapping[str, Place], entries: Mapping[str, Entry]) -> str:
    """The first page."""
    chapters = _chapters(places)
    verified = sum(entries[name].checked.passed for name in places)
    parts = [
        "<main>",
        f"<h1>{TITLE}</h1>",
        '<p class="summary">Definitions, derivations, closed forms, code and checks of '
        f"{len(places)} formulas, made by derive from the definitions alone.</p>",
        f"<p>{verified} of {len(places)} formulas passed every check that was made of them.</p>",
        "<h2>The way through</h2>",
        "<ol>",
        '<li><a href="preface.html">Preface</a>: from school mathematics to the derivations of this book</li>',
    ]
    for chapter, names in chapters.items():
        about = chapter_of(chapter)
        links = "".join(f"<li>{link(name)}</li>\n" for name in names)
        parts.append(
            f'<li><a href="{chapter_file(chapter)}">{escape(about.title)}</a>\n<ul class="chips">\n{links}</ul></li>'
        )
    parts += [f"<li>{link(name, entry.summary)}</li>" for name, entry in entries.items() if name not in places]
    parts += ['<li><a href="laws.html">Index of laws</a></li>', "</ol>", "</main>"]
    return document(TITLE, "\n".join(parts) + "\n")


def chapter_page(chapter: str, names: Sequence[str], entries: Mapping[str, Entry]) -> str:
    """How a chapter opens, and its formulas."""
    about = chapter_of(chapter)
    parts = [
        f'<nav class="path" aria-label="Book"><span>{HOME}</span></nav>',
        "<main>",
        f"<h1>{escape(about.title)}</h1>",
        f"<p>{escape(about.opening, quote=False)}</p>",
        f"<p>{escape(about.geometry, quote=False)}</p>" if about.geometry else "",
        "<h2>Formulas</h2>",
        listing((name, entries[name].summary) for name in names),
        "</main>",
    ]
    return document(f"{about.title} · {TITLE}", "\n".join(filter(None, parts)) + "\n")


def laws_of(entries: Mapping[str, Entry]) -> dict[str, tuple[str, list[str]]]:
    """Each law, why it holds, and the formulas whose derivation uses it."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, entry in entries.items():
        for law, why in entry.laws:
            known, users = found.setdefault(law, (why, []))
            found[law] = (known or why, users)
            users.append(name)
    return dict(sorted(found.items(), key=lambda item: (item[0].casefold(), item[0])))


def laws_page(entries: Mapping[str, Entry]) -> str:
    """The index of laws, with every use."""
    parts = [
        f'<nav class="path" aria-label="Book"><span>{HOME}</span></nav>',
        "<main>",
        "<h1>Index of laws</h1>",
        "<p>Every step of every derivation names its law. Here they are, with reason and uses.</p>",
    ]
    for law, (why, users) in laws_of(entries).items():
        links = "".join(f"<li>{link(name)}</li>\n" for name in users)
        parts += [
            f'<h2 id="{anchor(law)}">{escape(law)}</h2>',
            f"<p>{escape(why[:1].upper() + why[1:], quote=False)}.</p>" if why else "",
            f'<ul class="chips">\n{links}</ul>',
        ]
    return document(f"Index of laws · {TITLE}", "\n".join(filter(None, [*parts, "</main>"])) + "\n")


def preface_page(first: str) -> str:
    """The preface, with its worked derivations; `first` is the formula that follows it."""
    parts = [f'<nav class="path" aria-label="Book"><span>{HOME}</span></nav>', "<main>", "<h1>Preface</h1>"]
    for part in PARTS:
        if isinstance(part, Title):
            parts.append(f"<h2>{escape(part.words)}</h2>")
        elif isinstance(part, Text):
            parts.append(f"<p>{mixed(part.words)}</p>")
        else:
            parts += _worked(part.name)
    parts.append(f"<p>The first formula: {link(first)}.</p>")
    return document(f"Preface · {TITLE}", "\n".join([*parts, "</main>"]) + "\n")


def _worked(name: str) -> Iterator[str]:
    """Every step of an example, without the words around it."""
    d = worked(name)
    page = BookPage(view_of(d.derivation, d.traced, LATEX, "index"), below=1)
    before, after = halves(story(d.derivation, d.traced, "full"))
    chains = [block for block in (*before, *after) if hasattr(block, "chains")]
    cells = [c for block in chains for chain in block.chains for s in page.view.chains(chain) for c in page.cells(s)]
    yield from boxed(cells, name.replace("_", " "))


def shared(places: Mapping[str, Place], entries: Mapping[str, Entry]) -> dict[str, str]:
    """Every page that is no formula's, by file name."""
    chapters = _chapters(places)
    found = {chapter_file(chapter): chapter_page(chapter, names, entries) for chapter, names in chapters.items()}
    return {
        "index.html": contents(places, entries),
        "preface.html": preface_page(next(iter(places))),
        "laws.html": laws_page(entries),
        **found,
    }
