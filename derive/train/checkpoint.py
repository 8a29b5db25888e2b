"""Checkpoints and parameters as NPZ files that are whole or not there: written beside, flushed, then renamed."""

from __future__ import annotations

import contextlib
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from derive.axes import DeriveError

Array = np.ndarray[Any, np.dtype[Any]]
FACTS = "facts.json"  # the name under which an archive holds what is no array


def save(path: Path, arrays: Mapping[str, Array], facts: Mapping[str, Any] | None = None) -> None:
    """Arrays, and plain data beside them. A reader finds the old file or the new one, at any moment."""
    held = dict(arrays)
    if facts is not None:
        held[FACTS] = np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8)
    path = Path(os.path.realpath(path))
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as handle:
            np.savez(handle, **held)  # type: ignore[arg-type]
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(beside, path)
    except OSError as problem:
        raise DeriveError(f"{path}: it cannot be written: {problem.strerror or problem}") from problem
    finally:
        beside.unlink(missing_ok=True)


def read(path: Path) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the plain data of a file; raises DeriveError for one that is no checkpoint."""
    if not path.is_file():
        raise DeriveError(f"{path}: there is no such checkpoint")
    try:
        with np.load(path, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        facts = json.loads(bytes(arrays.pop(FACTS)).decode())
    except KeyError as problem:
        raise DeriveError(f"{path}: it is no checkpoint of derive: it holds arrays only") from problem
    except (OSError, ValueError, EOFError, AttributeError, zipfile.BadZipFile) as problem:
        raise DeriveError(f"{path}: it is no checkpoint of derive, or is torn") from problem
    return arrays, facts


def swept(path: Path) -> None:
    """Removes what a killed process left beside a checkpoint."""
    for part in path.parent.glob(f".{path.name[:200]}.*.part"):
        pid = part.name.split(".")[-2]
        if pid.isdigit() and not _alive(int(pid)):
            with contextlib.suppress(OSError):
                part.unlink()


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Array]:
    """Arrays in nested dictionaries and tuples, by path."""
    found: dict[str, Array] = {}
    for name, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}/")
        elif isinstance(value, tuple):
            found |= {f"{prefix}{name}/{k}": np.asarray(part) for k, part in enumerate(value)}
        else:
            found[f"{prefix}{name}"] = np.asarray(value)
    return found


def grown(like: Mapping[str, Any], arrays: Mapping[str, Array], prefix: str = "") -> dict[str, Any]:
    """The arrays in the shape of `like`, which they must have."""
    found: dict[str, Any] = {}
    for name, value in like.items():
        if isinstance(value, Mapping):
            found[name] = grown(value, arrays, f"{prefix}{name}/")
        elif isinstance(value, tuple):
            found[name] = tuple(_as(part, arrays, f"{prefix}{name}/{k}") for k, part in enumerate(value))
        else:
            found[name] = _as(value, arrays, f"{prefix}{name}")
    return found


def _as(like: Any, arrays: Mapping[str, Array], name: str) -> Any:
    if name not in arrays or arrays[name].shape != np.shape(like):
        given = arrays[name].shape if name in arrays else "nothing"
        raise DeriveError(f"the checkpoint does not fit: {name}: expected shape {np.shape(like)}, given {given}")
    return arrays[name]
