"""Laws as named values in ordered tables, and the strategies that apply them and keep a record.

A law knows how to change one expression once; when to stop, in what order to try and what to write down belongs to
the strategy. An entry of the record holds plain data; it becomes a Step when a reader or a check asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MOST_ROUNDS = 200  # every table here terminates long before; the bound turns a mistake into an unfinished form


@dataclass(frozen=True)
class Law:
    """`apply(context, value)` gives (new value, what it cites), or None where the law has nothing to say."""

    name: str
    words: str
    apply: Callable[[Any, Any], tuple[Any, tuple[Any, ...]] | None]


@dataclass(frozen=True)
class Entry:
    """One application: the law, the value before and after, the equations it cites."""

    law: str
    before: Any
    after: Any
    words: str = ""
    cites: tuple[Any, ...] = ()


@dataclass
class Record:
    """What was done to one value, in order."""

    entries: list[Entry] = field(default_factory=list)

    def add(self, law: str, before: Any, after: Any, words: str = "", cites: tuple[Any, ...] = ()) -> None:
        if before != after:
            self.entries.append(Entry(law, before, after, words, cites))


def exhaust(laws: Sequence[Law], context: Any, value: Any, record: Record | None = None) -> Any:
    """Apply the first law that has something to say, again and again, until none has."""
    for _ in range(MOST_ROUNDS):
        for law in laws:
            found = law.apply(context, value)
            if found is not None and found[0] != value:
                if record is not None:
                    record.add(law.name, value, found[0], law.words, found[1])
                value = found[0]
                break
        else:
            return value
    return value
