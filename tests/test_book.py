"""The book: whole, its links lead somewhere, the same under any hash seed, and kept where nothing changed."""

import json
import os
import re
import subprocess
import sys

import pytest
from test_html import Outline
from test_latex import FAULT, MOST_OVERFULL, OVERFULL

from derive import NameProblem, catalogue
from derive.api import equivalent
from derive.book import faults, places
from derive.book.preface import examples

pytestmark = pytest.mark.needs("latex2mathml", "matplotlib")
NAMES = ["relu", "softmax", "dense", "one_hot", "softmax_cross_entropy"]


def made(folder, *options, seed="0", names=NAMES):
    only = ["--only", ",".join(names)] if names else []
    command = [sys.executable, "-m", "derive", "book", "-o", str(folder), *only, *options]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONHASHSEED": seed})
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    folder = tmp_path_factory.mktemp("book")
    assert f"{len(NAMES)} made, 0 kept" in made(folder, "--jobs", "1")
    return folder


def test_every_page_is_there_and_well_formed(book):
    pages = {path.stem: path.read_text("utf-8") for path in book.glob("*.html")}
    assert {*NAMES, "index", "preface", "laws", "chapter-linear", "chapter-activations"} <= set(pages)
    for page in pages.values():
        found = Outline(page)
        assert found.headings[0] == 1 and all(
            b <= a + 1 for a, b in zip(found.headings, found.headings[1:], strict=False)
        )


def test_every_link_leads_somewhere(book):
    pages = {path.name: path.read_text("utf-8") for path in book.glob("*.html")}
    ids = {name: set(re.findall(r'id="([^"]+)"', page)) for name, page in pages.items()}
    for name, page in pages.items():
        for target in re.findall(r'<a href="([^"]+)"', page):
            file, _, place = target.partition("#")
            assert file in pages and (not place or place in ids[file]), f"{name}: {target}"


def test_a_page_says_all_there_is(book):
    page = (book / "softmax_cross_entropy.html").read_text("utf-8")
    sections = re.findall(r"<h2>([^<]*)</h2>", page)
    assert sections[:2] == ["Definition, shapes and assumptions", "Intuition and geometry"]
    assert sections[2:] == ["Derivation", "Closed form", "Code", "Cost", "Picture", "Checks", "Sources", "See also"]
    assert "All passed" in page and "seed 0" in page and "def forward" in page and "<svg" in page


def test_the_index_of_laws_names_every_use(book):
    laws = (book / "laws.html").read_text("utf-8")
    section = laws.split('<h2 id="contract-δ">')[1].split("<h2")[0]
    assert {"softmax.html", "dense.html"} <= set(re.findall(r'href="([^"]+)"', section))


def test_nothing_is_written_twice(book):
    before = {path: path.stat().st_mtime_ns for path in book.iterdir()}
    assert f"0 made, {len(NAMES)} kept, 0 files written" in made(book, "--jobs", "1")
    assert before == {path: path.stat().st_mtime_ns for path in book.iterdir()}


def test_a_page_that_was_changed_is_made_again(book):
    (book / "relu.html").write_text("changed", "utf-8")
    assert "1 made" in made(book, "--jobs", "1")
    assert "changed" not in (book / "relu.html").read_text("utf-8")[:20]


def test_two_processes_and_another_hash_seed_write_the_same(book, tmp_path):
    made(tmp_path, "--jobs", "2", seed="7")
    assert {p.name: p.read_bytes() for p in book.iterdir()} == {p.name: p.read_bytes() for p in tmp_path.iterdir()}


def test_what_sets_could_reorder_is_the_same_too(tmp_path):
    """Parts of a stack have a letter, and a symmetric matrix is drawn from one of its two entries in a statement."""
    pages = []
    for seed in ("1", "777"):
        made(tmp_path / seed, "--jobs", "1", seed=seed, names=["gru_cell", "matrix_square_root"])
        pages.append({p.name: p.read_bytes() for p in (tmp_path / seed).iterdir()})
    assert pages[0] == pages[1]


def test_what_was_checked_is_told_again_and_a_failure_is_the_answer_no(tmp_path):
    """Another form, or a page that is gone, asks the manifest what the checks came to."""
    made(tmp_path, "--jobs", "1", names=["relu"])
    manifest = tmp_path / ".derive-book.json"
    known = json.loads(manifest.read_text("utf-8"))
    known["checks"]["relu"] |= {"passed": False, "worst": 0.5}
    manifest.write_text(json.dumps(known), "utf-8")
    (tmp_path / "relu.html").unlink()
    command = [sys.executable, "-m", "derive", "book", "-o", str(tmp_path), "--only", "relu", "--jobs", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "derive: book: not every check passed of relu\n")
    page = (tmp_path / "relu.html").read_text("utf-8")
    assert "Not all passed" in page and "the largest relative error is 5e-01" in page


def test_faults_are_read_from_latexs_log():
    log = "\n".join([
        "(/home/a/book/relu.tex [1]", "Overfull \\hbox (9.9pt too wide) in paragraph at lines 1--2", ")",
        "(./softmax.tex", "Overfull \\hbox (12.5pt too wide) detected at line 7",
        "LaTeX Warning: Reference `f:relu' on page 1 undefined on input line 9.",
        "LaTeX Warning: Label `law:factor' multiply defined.",
    ])  # fmt: skip
    wide, reference, label = faults(log)
    assert wide == "softmax.tex: a line is 12.5 points too wide"
    assert "f:relu' on page 1 undefined" in reference and "multiply defined" in label


def test_an_unknown_name_is_refused():
    with pytest.raises(NameProblem, match="did you mean 'softmax'"):
        places(["sofmax"])


def test_every_formula_has_a_place():
    found = places()
    assert set(found) == set(catalogue)
    order = list(found)
    assert [found[name].after for name in order[:-1]] == order[1:]
    assert "dense" in found["mlp"].uses and "mlp" in found["dense"].used_by
    assert not found["rotary_embedding"].uses  # it uses the language's one_hot, not the formula of that name


def test_the_prefaces_examples_are_right():
    """What the words say beside them."""
    square, chained, two_ways, weighted_sum, layer, ramp = examples()
    x = square.traced.inputs[0][()]
    assert equivalent(square.result, 2 * x)
    assert weighted_sum.results["x"].free_symbols and len(layer.results) == 2
    assert all(d.verify(trials=3) for d in (square, chained, two_ways, weighted_sum, layer, ramp))


@pytest.mark.needs("pdflatex")
def test_the_book_compiles(tmp_path):
    made(tmp_path, "--format", "pdf", "--jobs", "1")
    assert (tmp_path / "book.pdf").read_bytes().startswith(b"%PDF")
    compiles(tmp_path)


@pytest.mark.thorough
@pytest.mark.needs("pdflatex")
def test_the_whole_book(tmp_path):
    """Every formula, as HTML and as PDF."""
    count = len(catalogue)
    assert f"{count} formulas" in made(tmp_path / "html", names=())
    test_every_link_leads_somewhere(tmp_path / "html")
    made(tmp_path / "pdf", "--format", "pdf", names=())
    compiles(tmp_path / "pdf")


def compiles(folder):
    """No error, no undefined reference, nothing past the margin: the log of the run that settles references."""
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "book.tex"]
    for _ in range(3):
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)
    log = (folder / "book.log").read_text("utf-8", errors="replace")
    faults = FAULT.findall(log) + re.findall(
        r".*(?:undefined references|multiply defined|reference .* undefined).*", log
    )
    faults += [m[0] for m in OVERFULL.finditer(log) if float(m[1]) > MOST_OVERFULL]
    assert done.returncode == 0 and not faults, "\n".join(faults[:20])
