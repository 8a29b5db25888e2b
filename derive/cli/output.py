"""Where output goes: stdout, or a file that is either whole or not there."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from pathlib import Path
from typing import Any

from .problems import BadInput


def emit(text: str) -> None:
    """`text` and a line end on stdout; a reader that has gone away (`| head`) is no error, a full disk is."""
    try:
        print(text.rstrip("\n"), flush=True)
    except BrokenPipeError:
        forget_stdout()
    except OSError as problem:
        forget_stdout()
        raise BadInput(f"the output cannot be written: {problem.strerror or problem}") from problem


def forget_stdout() -> None:
    """What is still buffered goes nowhere, also when Python shuts down."""
    with contextlib.suppress(OSError, ValueError), open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def emit_json(value: Any) -> None:
    """Valid JSON: numbers that JSON does not have become null."""
    emit(json.dumps(_plain(value), indent=2, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def deliver(content: str | bytes, path: str | None) -> None:
    """To the file at `path`, or to stdout where it is None or -; bytes never to a terminal."""
    if path is None or path == "-":
        if isinstance(content, str):
            emit(content)
            return
        if sys.stdout.isatty():
            raise BadInput("the output is no text: name a file with -o FILE")
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    try:
        write(Path(os.path.realpath(path)), content if isinstance(content, bytes) else content.rstrip("\n") + "\n")
    except OSError as problem:
        raise BadInput(f"-o {path}: cannot be written: {problem.strerror or problem}") from problem


def write(file: Path, content: str | bytes) -> None:
    """Written beside, then renamed: nothing half-written is left, whatever happens."""
    data = content.encode("utf-8") if isinstance(content, str) else content
    if file.exists() and not file.is_file() and not file.is_dir():
        file.write_bytes(data)  # a device or a pipe, which a file must not replace
        return
    if file.is_dir():
        raise IsADirectoryError(0, "it is a directory")
    if not file.parent.is_dir():
        raise FileNotFoundError(0, f"there is no folder {file.parent}")
    if file.exists() and not os.access(file, os.W_OK):
        raise PermissionError(0, "it is write-protected")
    beside = file.with_name(f".{file.name[:200]}.{os.getpid()}.part")
    try:
        with open(beside, "xb") as handle:
            handle.write(data)
        if file.exists():
            beside.chmod(file.stat().st_mode & 0o7777)
        os.replace(beside, file)
    finally:
        beside.unlink(missing_ok=True)
