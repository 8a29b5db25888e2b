"""Data to train on: sets that come with scikit-learn or are generated, and the user's files; split and standardised."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from derive.axes import DeriveError, did_you_mean

from .cells import cells
from .text import pieces

Array = np.ndarray[Any, np.dtype[Any]]
TEXTS = (".txt", ".md")
MISSING = ("", "na", "nan", "n/a", "null", "none", "?")
MOST_CLASSES = 50  # whole numbers with more values than this are numbers, not classes
SAMPLES = ("x", "X", "data", "images", "features", "inputs")  # what the arrays of a file are called
TARGETS = ("t", "y", "Y", "target", "targets", "label", "labels")


@dataclass(frozen=True)
class Data:
    """Samples and targets. `classes` are the labels' names, which `t` counts; none where t holds numbers.

    Of a `running` text x and t hold places of characters in an alphabet, which is `classes`; a sample is a piece of it.
    Where samples are `marked`, each has any number of classes: t holds a column of zeros and ones for each. Classes
    that are `counted` are whole numbers, which may as well be numbers to foretell.
    """

    name: str
    x: Array
    t: Array
    classes: tuple[str, ...] = ()
    running: bool = False
    marked: bool = False
    counted: bool = False

    def __len__(self) -> int:
        return len(self.x)

    @cached_property
    def fingerprint(self) -> int:
        """A number that other samples or targets would most likely change."""
        return zlib.crc32(self.t.tobytes(), zlib.crc32(self.x.tobytes()))

    def numbers(self) -> Data:
        """Classes that are whole numbers, as these numbers."""
        values = np.array([float(name) for name in self.classes])
        return replace(self, t=values[self.t][:, None], classes=(), counted=False)

    def at(self, rows: Any) -> Data:
        """The samples at these rows."""
        return replace(self, x=self.x[rows], t=self.t[rows])


@dataclass(frozen=True)
class Split:
    """What is trained on and what is held out, standardised by the mean and spread of what is trained on."""

    train: Data
    held: Data


def _breast_cancer() -> Data:
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    return Data("breast_cancer", found.data, found.target, tuple(map(str, found.target_names)))


def _digits() -> Data:
    from sklearn.datasets import load_digits

    found = load_digits()
    return Data("digits", found.images[:, None] / 16.0, found.target, tuple(map(str, found.target_names)))


def _cells() -> Data:
    images, labels = cells(3000, seed=0)
    return Data("cells", images, labels, ("healthy", "abnormal"))


KNOWN: dict[str, Callable[[], Data]] = {"breast_cancer": _breast_cancer, "digits": _digits, "cells": _cells}


def load(what: str, target: str | None = None, window: int | None = None) -> Data:
    """The data of a name, or of a file FILE.npz, FILE.csv, FILE.txt or FILE.md.

    An NPZ holds arrays x and t, a CSV a header and its target in the last column, or in `target`; of a text the samples
    are pieces of `window` characters, and the targets the characters that follow each.
    Raises DeriveError for what cannot be trained on: missing values, text, a single class, lengths that differ.
    """
    suffix = Path(what).suffix.lower()
    if window is not None and (what in KNOWN or suffix not in TEXTS):
        raise DeriveError(f"--window {window}: only a text has pieces of so many characters, given {what}")
    if what in KNOWN:
        if target is not None:
            raise DeriveError(f"--target {target}: only a CSV has columns to choose from, given {what}")
        return KNOWN[what]()
    path = Path(what)
    readers = {".npz": _npz, ".csv": _csv}
    if suffix not in (*readers, *TEXTS):
        had = ", ".join([*KNOWN, "FILE.npz", "FILE.csv", "FILE.txt"])
        raise DeriveError(f"--data {what}: expected {had} or FILE.md{did_you_mean(what, KNOWN)}")
    if not path.is_file():
        raise DeriveError(f"--data {what}: there is no such file")
    if suffix in readers:
        return _sound(readers[suffix](path, target))
    if target is not None:
        raise DeriveError(f"--target {target}: a text has no columns: what follows is the target")
    return Data(str(path), *pieces(path, window), running=True)


def _npz(path: Path, target: str | None) -> Data:
    """Samples of shape (N, …) and targets of shape (N,) or (N, K), under one of the names of SAMPLES and TARGETS."""
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
    except ValueError as problem:  # what is no archive NumPy takes for a pickle, as it does arrays of objects
        raise DeriveError(f"{path}: it cannot be read as NPZ: it is none, or it holds Python objects") from problem
    except (OSError, EOFError, zipfile.BadZipFile, AttributeError) as problem:
        raise DeriveError(f"{path}: it cannot be read as NPZ: {problem}") from problem
    x, t = _array(path, arrays, SAMPLES), _array(path, arrays, TARGETS if target is None else (target,))
    if x.dtype.kind not in "fiub":
        raise DeriveError(f"{path}: x: expected numbers, given {x.dtype}")
    if not x.ndim or not t.ndim:
        raise DeriveError(f"{path}: expected arrays of samples and targets, given shapes {x.shape} and {t.shape}")
    if t.dtype.kind not in "fiubUS":
        raise DeriveError(f"{path}: {target or 't'}: expected numbers or text, given {t.dtype}")
    return _aimed(str(path), x, np.char.decode(t, "utf-8") if t.dtype.kind == "S" else t)


def _array(path: Path, arrays: dict[str, Array], names: tuple[str, ...]) -> Array:
    """The first of these that there is."""
    for name in names:
        if name in arrays:
            return arrays[name]
    other = f" (or {', '.join(names[1:])})" if len(names) > 1 else ""
    raise DeriveError(f"{path}: expected an array {names[0]}{other}, it holds {', '.join(arrays) or 'none'}")


def _aimed(name: str, x: Array, t: Array) -> Data:
    """Text and few whole numbers are classes; columns of zeros and ones say which a sample has; others are numbers."""
    if t.ndim == 2 and t.shape[1] == 1:
        t = t[:, 0]
    if t.dtype.kind == "U":
        return _classified(name, x, list(t))
    if t.ndim == 1:
        values = np.unique(t)
        most = max(MOST_CLASSES, len(t) // 2) if t.dtype.kind in "iub" else MOST_CLASSES
        if np.all(np.isfinite(values)) and np.all(values == np.round(values)) and len(values) <= most:
            return replace(_classified(name, x, [int(value) for value in t]), counted=True)
        return Data(name, x, t.astype(float)[:, None])
    if t.ndim == 2 and np.all((t == 0) | (t == 1)):
        if np.all(t.sum(axis=1) == 1):
            return Data(name, x, t.argmax(axis=1), tuple(map(str, range(t.shape[1]))))  # one-hot
        return Data(name, x, t.astype(float), marked=True)
    return Data(name, x, t.astype(float))


def _csv(path: Path, target: str | None) -> Data:
    """Numbers in columns under a header, between commas, semicolons or tabs; the target may be text."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as handle:
            comma = max(",;\t", key=handle.readline().count)  # what parts the header's columns
            handle.seek(0)
            rows = [row for row in csv.reader(handle, delimiter=comma) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise DeriveError(f"{path}: it cannot be read as CSV: {problem}") from problem
    if len(rows) < 2:
        raise DeriveError(f"{path}: expected a header and rows below it, given {len(rows)} lines")
    header, *body = rows
    header = [name.strip() for name in header]
    wanted = target if target is not None else header[-1]
    if wanted not in header:
        had = ", ".join(header)
        raise DeriveError(f"{path}: no column {wanted!r}; it has {had}{did_you_mean(wanted, header)}")
    if len(header) < 2:
        raise DeriveError(f"{path}: expected a column for the target and at least one more, given {header[0]} alone")
    for line, row in enumerate(body, start=2):
        if len(row) != len(header):
            raise DeriveError(f"{path}, line {line}: expected {len(header)} values as in the header, given {len(row)}")
    place = header.index(wanted)
    x = np.array([[_number(path, line, header[k], row[k]) for k in range(len(header)) if k != place]
                  for line, row in enumerate(body, start=2)])  # fmt: skip
    labels = [row[place].strip() for row in body]
    for line, label in enumerate(labels, start=2):
        if label.lower() in MISSING:
            raise DeriveError(f"{path}, line {line}: {wanted} is missing")
    try:
        numbers = np.array([float(label) for label in labels])
    except ValueError:
        return _classified(str(path), x, labels)
    return _aimed(str(path), x, numbers)


def _number(path: Path, line: int, column: str, text: str) -> float:
    if text.strip().lower() in MISSING:
        raise DeriveError(f"{path}, line {line}: {column} is missing: fill missing values in, or leave the rows out")
    try:
        return float(text)
    except ValueError:
        raise DeriveError(f"{path}, line {line}: {column}: expected a number, given {text.strip()!r}") from None


def _classified(name: str, x: Array, labels: list[Any]) -> Data:
    """Labels as places in the list of classes."""
    classes = sorted(set(labels))
    places = {label: place for place, label in enumerate(classes)}
    return Data(name, x, np.array([places[label] for label in labels]), tuple(map(str, classes)))


def _sound(data: Data) -> Data:
    if len(data.x) != len(data.t):
        raise DeriveError(f"{data.name}: {len(data.x)} samples and {len(data.t)} targets")
    if len(data.x) < 2:
        raise DeriveError(f"{data.name}: expected at least 2 samples, given {len(data.x)}")
    for what, array in (("x", data.x), ("t", data.t)):
        wrong = np.argwhere(~np.isfinite(array))
        if len(wrong):
            raise DeriveError(f"{data.name}: {what}{list(map(int, wrong[0]))} is no finite number")
    if len(data.classes) == 1:
        raise DeriveError(f"{data.name}: every target is {data.classes[0]!r}: with one class there is nothing to learn")
    if not data.classes and not np.ptp(data.t, axis=0).any():
        raise DeriveError(f"{data.name}: every target is {np.ravel(data.t)[0]:g}: there is nothing to learn")
    return data


def _groups(data: Data) -> list[Array]:
    """Rows of one class each; all rows where a sample has no class of its own."""
    if not data.classes or data.running:
        return [np.arange(len(data))]
    return [np.flatnonzero(data.t == c) for c in range(len(data.classes))]


def split(data: Data, held: float, seed: int, dtype: Any = np.float32, standard: bool = True) -> Split:
    """A share held out, of every class its part; drawn from the seed. Numbers to learn are standardised, or not."""
    rng = np.random.default_rng(seed)
    groups = _groups(data)
    kept, out = [], []
    for group in groups:
        order = rng.permutation(group)
        count = min(max(1, round(held * len(order))), len(order) - 1) if len(order) > 1 else 0
        out.append(order[:count])
        kept.append(order[count:])
    if not any(map(len, out)):
        raise DeriveError(f"{data.name}: no class has two samples, so that none can be held out")
    return parted(data, np.sort(np.concatenate(kept)), np.sort(np.concatenate(out)), dtype, standard)


def folds(data: Data, count: int, seed: int, dtype: Any = np.float32, standard: bool = True) -> list[Split]:
    """The data in `count` parts, of every class its part; each is held out once."""
    rng = np.random.default_rng(seed)
    groups = _groups(data)
    if count < 2 or min(map(len, groups)) < count:
        raise DeriveError(f"--folds {count}: expected at least 2, and of every class so many samples ({data.name})")
    part = np.empty(len(data), dtype=int)
    for group in groups:
        part[rng.permutation(group)] = np.arange(len(group)) % count
    places = [(np.flatnonzero(part != k), np.flatnonzero(part == k)) for k in range(count)]
    return [parted(data, train, held, dtype, standard) for train, held in places]


def parted(data: Data, train: Array, held: Array, dtype: Any, standard: bool = True) -> Split:
    """Columns of a table are standardised one by one, images as a whole; numbers to learn as well. A text is not."""
    if data.running:
        return Split(data.at(train), data.at(held))
    axes = 0 if data.x.ndim == 2 else None
    x = data.x.astype(float)
    mean, spread = x[train].mean(axis=axes), x[train].std(axis=axes)
    x = ((x - mean) / np.where(spread > 0, spread, 1)).astype(dtype)
    t = data.t
    if not data.classes:
        t = (_standard(t.astype(float), train) if standard and not data.marked else t).astype(dtype)
    whole = replace(data, x=x, t=t)
    return Split(whole.at(train), whole.at(held))


def _standard(t: Array, train: Array) -> Array:
    spread = t[train].std(axis=0)
    found: Array = (t - t[train].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return found
