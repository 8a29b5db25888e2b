"""What the README says besides its examples, which run as doctests: its commands work, its files and targets exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    derive ")]
MINE = """
from derive import T, axes, formula

b, c = axes("b c")


@formula
def my_layer(x: T[b, c]) -> T[b, c]:
    return x[b, c] ** 2
"""


def test_it_shows_every_command():
    assert {shlex.split(line)[1] for line in COMMANDS} == {
        *(
            "list",
            "show",
            "statement",
            "gradient",
            "explain",
            "plot",
            "book",
            "code",
            "cost",
            "stability",
            "verify",
            "latex",
            "claim",
        ),
        *("train", "compare"),
    }


@pytest.mark.parametrize("line", [line for line in COMMANDS if "--all" not in line])  # that one is a part of .ci/run
def test_a_command_does_what_it_shows(line, tmp_path):
    (tmp_path / "mine.py").write_text(MINE, "utf-8")
    words = shlex.split(line)
    done = subprocess.run(
        [sys.executable, "-m", "derive", *words[1:]], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")
    written = [tmp_path / words[k + 1] for k, word in enumerate(words) if word == "-o"]
    assert all(path.stat().st_size for path in written) and (written or done.stdout)


def test_what_it_names_exists():
    named = set(re.findall(r"\b(?:notebooks/|docs/|examples/)?\w+\.(?:py|md|ipynb)\b", README)) - {"FILE.py", "mine.py"}
    assert {"demo.py", "CONTRIBUTING.md", "notebooks/01_quickstart.ipynb"} <= named
    made = {"layer_norm.py", "mlp.py", "mlp.md"}
    assert not [name for name in named - made if not (ROOT / name).exists()]
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert set(re.findall(r"^    make (\w+)", README, re.MULTILINE)) == {"demo", "test", "parity", "book"} <= targets


def test_the_first_screen():
    """A title, one sentence, then the formula: nothing above it."""
    title, sentence, block = README.split("\n\n")[:3]
    assert title == "# derive"
    assert sentence.count(". ") == 0 and sentence.endswith(".")
    assert block.startswith("```pycon\n>>> from derive import")
