"""Text as data: pieces of a running text, each place of which is to foretell the next character."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from derive.axes import DeriveError

WINDOW = 64  # characters of a piece
Array = np.ndarray[Any, np.dtype[Any]]


def pieces(path: Path, window: int | None) -> tuple[Array, Array, tuple[str, ...]]:
    """(x, t, alphabet): x[n] are the places in the alphabet of piece n, t[n] those of the characters that follow.

    Raises DeriveError for a text that is no text, has a single character, or is too short for two pieces.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as problem:
        raise DeriveError(f"{path}: it cannot be read as text: {problem}") from problem
    window = WINDOW if window is None else window
    alphabet = tuple(sorted(set(text)))
    if len(text) < 2 * window + 1:
        raise DeriveError(
            f"{path}: expected at least {2 * window + 1} characters, for two pieces of {window} and the next "
            f"character, given {len(text)}: choose a smaller --window"
        )
    if len(alphabet) < 2:
        raise DeriveError(f"{path}: every character is {alphabet[0]!r}: with one there is nothing to learn")
    place = {character: number for number, character in enumerate(alphabet)}
    numbers = np.array([place[character] for character in text])
    count = (len(numbers) - 1) // window
    x, t = (numbers[start : start + count * window].reshape(count, window) for start in (0, 1))
    return x, t, alphabet
