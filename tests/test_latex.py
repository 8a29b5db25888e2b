"""Every LaTeX document compiles with pdflatex: no error, no undefined control sequence, nothing past the margin."""

import re
import subprocess
from pathlib import Path

import pytest
from test_notation import DOCUMENTS as PLAIN
from test_notation import MATRICES, PRINTED
from test_notation_windows import DOCUMENTS as WINDOWED
from test_notation_windows import PRINTED as WINDOWS

from derive import T, axes, catalogue, cos, exp, gradient, log, sin, sqrt, sum_over, where
from derive.api.pages import PAGES
from derive.formula import build
from derive.notation import explain_latex, latex

ARTICLE = "\\documentclass{article}\n\\usepackage{amsmath,amssymb}\n\\begin{document}\n%s\n\\end{document}\n"
FAULT = re.compile(r"^!.*|.*Undefined control sequence.*|^LaTeX Warning: Reference.*|Missing character.*", re.MULTILINE)
OVERFULL = re.compile(r"Overfull \\hbox \((\d+(?:\.\d+)?)pt too wide\).*")
MOST_OVERFULL = 10  # points
DOCUMENTS = PLAIN | WINDOWED
DIFFERENTIABLE = sorted(
    name for name in catalogue if any(p.type is not None and p.type.dtype == "real" for p in catalogue[name].tensors)
)


def compile_tex(source: str, tmp_path: Path, widest: float = MOST_OVERFULL) -> str:
    """The log of pdflatex on `source`, a document or a fragment; the test fails at any error, any undefined control
    sequence or a line more than `widest` points too wide."""
    document = source if "\\documentclass" in source else ARTICLE % source
    (tmp_path / "page.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    log = (tmp_path / "page.log").read_text(encoding="utf-8", errors="replace")
    faults = FAULT.findall(log) + [m[0] for m in OVERFULL.finditer(log) if float(m[1]) > widest]
    assert done.returncode == 0 and not faults, "\n".join([*faults, log[-2000:]])
    return log


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("notation", ["index", "matrix"])
@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_compile(name, notation, tmp_path):
    details = ("brief", "normal", "full")
    pages = [explain_latex(*DOCUMENTS[name](), detail, notation=notation) for detail in details]
    compile_tex("\n\\newpage\n".join(pages), tmp_path)
    article = explain_latex(*DOCUMENTS[name](), notation=notation, document=True, summary="50 % of a_b & more.")
    compile_tex(article, tmp_path)


@pytest.mark.needs("pdflatex")
def test_expressions_compile(tmp_path):
    rows = [latex(row[0]) for row in [*PRINTED, *WINDOWS]]
    rows += [latex(row[0], "matrix", letters=row[1]) for row in MATRICES]
    compile_tex("\n".join(f"\\[{row}\\]" for row in rows), tmp_path)


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize(
    "source", [r"$\undefined$", r"\begin{align*} a", "$a_b_c$", r"\noindent\hbox to 500pt{\hfil x}"]
)
def test_a_fault_is_found(source, tmp_path):
    with pytest.raises(AssertionError):
        compile_tex(source, tmp_path)


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_the_catalogues_explanations_compile(name, tmp_path):
    """Every formula, every variant, in indices and in matrices."""
    formula = catalogue[name]
    pages = []
    for static in formula.variants():
        d = gradient(formula, **static)
        pages += [d.latex(notation=notation) for notation in ("index", "matrix")]
    compile_tex("\n\\newpage\n".join(pages), tmp_path)
    compile_tex(gradient(formula).latex(document=True), tmp_path)


i, n = axes("i n")
m = n.alias("m")


def _quotient(x: T[i], y: T[i]) -> T[()]:
    """Much over much."""
    above = exp(x[i] * y[i]) + sin(x[i] * y[i]) + cos(x[i]) + log(1 + y[i] ** 2) + sqrt(1 + x[i] ** 2 * y[i] ** 2)
    return sum_over(i, above / (1 + exp(x[i]) + exp(y[i] ** 2) + exp(x[i] * y[i]) + cos(x[i] + y[i]) ** 2 + y[i] ** 4))


def _root(x: T[i], y: T[i]) -> T[()]:
    """The root of a long sum."""
    return sum_over(i, sqrt(1 + exp(x[i]) + exp(y[i] ** 2) + exp(x[i] * y[i]) + cos(x[i] + y[i]) ** 2 + y[i] ** 4))


def _cases(first_threshold: T[()], second_threshold: T[()], x: T[i]) -> T[i]:
    """Cases with long conditions, within the conditions of others."""
    high = x[i] * first_threshold[()] + x[i] ** 2 > second_threshold[()] * x[i] ** 3 + first_threshold[()] ** 2
    low = x[i] * second_threshold[()] < first_threshold[()] - second_threshold[()]
    inner = where(high & low, x[i] * first_threshold[()] ** 2 + x[i] ** 2, where(low, exp(x[i]), -x[i]))
    return where(inner * x[i] > first_threshold[()], inner * sin(x[i]), inner + second_threshold[()])


def _factors(a: T[n, m], b: T[n, m], a_matrix_with_a_long_name: T[n, m], another_of_them: T[n, m]) -> T[()]:
    """Ten factors, and names that are long."""
    long, other = a_matrix_with_a_long_name[n, m], another_of_them[n, m]
    return sum_over(
        (n, m), a[n, m] ** 2 * b[n, m] ** 3 * long**2 * exp(a[n, m]) * sin(b[n, m]) * cos(other) * other * b[m, n]
    )


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("notation", ["index", "matrix"])
@pytest.mark.parametrize("body", [_quotient, _root, _cases, _factors])
def test_what_nobody_foresaw_stays_within_the_margins(body, notation, tmp_path):
    """A wide fraction, root, table of cases, product: what breaks nowhere is laid out narrow."""
    d = gradient(build(body, body.__name__.lstrip("_"), {}))
    details = ("brief", "normal", "full")
    compile_tex("\n\\newpage\n".join(d.latex(detail=level, notation=notation) for level in details), tmp_path)


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("detail", ["brief", "normal", "full"])
@pytest.mark.parametrize("name", ["softmax", "layer_norm", "max_pool2d", "attention", "softmax_cross_entropy"])
def test_slides_compile(name, detail, tmp_path):
    for notation in ("index", "matrix"):
        compile_tex(PAGES["beamer"](gradient(catalogue[name]), detail, notation), tmp_path)


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("name", ["mlp", "transformer_block", "unet_block", "lenet", "variational_autoencoder"])
def test_a_network_compiles(name, tmp_path):
    """Its graph in TikZ, products of Jacobians, backpropagation; as an article and as slides."""
    d = gradient(catalogue[name])
    article = d.latex(document=True)
    assert "tikzpicture" in article
    compile_tex(article, tmp_path)
    compile_tex(PAGES["beamer"](d, "normal", "index"), tmp_path)
