"""LaTeX to PDF, by whichever LaTeX program is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from derive.axes import DeriveError, Unsupported

PROGRAMS = ("pdflatex", "lualatex")
MISSING = (
    "pdf: needs pdflatex or lualatex, and neither is installed: on Debian and Ubuntu `apt install "
    "texlive-latex-recommended texlive-pictures`; --format article writes the LaTeX source"
)
SECONDS = 600
AGAIN = re.compile(r"Rerun to get|There were undefined references|Rerun LaTeX|No file .*\.toc")
MOST_OVERFULL = 10.0  # points past the margin that a reader does not see
_ERROR = re.compile(r"^! (.*)$", re.MULTILINE)
_FILE = re.compile(r"\((?:\./|/)[^()\s]*?([\w-]+\.tex)")
_FAULT = re.compile(
    r"(?:LaTeX Warning: )?((?:Reference|Label|Citation) .*?(?:undefined|multiply defined)|Missing character.*)"
)
_OVERFULL = re.compile(r"Overfull \\hbox \((\d+(?:\.\d+)?)pt too wide\)")


def program() -> str:
    """The path of a LaTeX program. Raises Unsupported where none is installed."""
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if found is None:
        raise Unsupported(MISSING)
    return found


def faults(log: str) -> list[str]:
    """What LaTeX complains of without stopping: undefined references, missing characters, lines past the margin."""
    found, file = [], ""
    for line in log.splitlines():
        wide, other = _OVERFULL.match(line), _FAULT.match(line)
        if wide and float(wide[1]) > MOST_OVERFULL:
            found.append(f"{file}: a line is {wide[1]} points too wide")
        elif other:
            found.append(f"{file}: {other[1]}")
        file = next(reversed(_FILE.findall(line)), file)
    return found


def pdf(source: str, most_runs: int = 3, beside: Path | None = None) -> bytes:
    """The document as PDF, the same bytes every time; it may read files of the folder `beside`."""
    return compiled(source, most_runs, beside)[0]


def compiled(source: str, most_runs: int = 3, beside: Path | None = None) -> tuple[bytes, str]:
    """The PDF, and what LaTeX said of it.

    Raises Unsupported without a LaTeX program, DeriveError where the document does not compile.
    """
    tool = program()
    with tempfile.TemporaryDirectory(prefix="derive-pdf-") as folder:
        (Path(folder) / "page.tex").write_text(source, encoding="utf-8")
        command = [tool, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "page.tex"]
        environment = {**os.environ, "SOURCE_DATE_EPOCH": "0", "FORCE_SOURCE_DATE": "1", "max_print_line": "1000"}
        if beside is not None:
            environment["TEXINPUTS"] = f".:{beside.resolve()}:"  # a last colon: and wherever LaTeX looks anyway
        for _ in range(most_runs):
            done = subprocess.run(
                command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS, check=False
            )
            log = (Path(folder) / "page.log").read_text(encoding="utf-8", errors="replace")
            if done.returncode:
                found = _ERROR.search(log)
                raise DeriveError(f"pdf: {Path(tool).name} stopped: {found[1] if found else 'see its log'}")
            if not AGAIN.search(log):
                break
        return _dateless((Path(folder) / "page.pdf").read_bytes()), log


def _dateless(data: bytes) -> bytes:
    """The /ID of a PDF is made of its path; it is as long afterwards."""
    return re.sub(rb"/ID \[<[0-9A-Fa-f]+> ?<[0-9A-Fa-f]+>\]", lambda m: re.sub(rb"[0-9A-Fa-f]", b"0", m[0])
                  .replace(b"/I0", b"/ID"), data)  # fmt: skip
