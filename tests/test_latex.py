"""Every LaTeX document compiles with pdflatex: no error, no undefined control sequence, nothing past the margin."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_notation import DOCUMENTS as PLAIN
from test_notation import MATRICES, PRINTED
from test_notation_windows import DOCUMENTS as WINDOWED
from test_notation_windows import PRINTED as WINDOWS

from derive import (
    T,
    axes,
    catalogue,
    cos,
    exp,
    gradient,
    let,
    log,
    max_over,
    mean_over,
    sin,
    sqrt,
    sum_over,
    where,
)
from derive.api.pages import PAGES
from derive.book import places
from derive.formula import build
from derive.notation import explain_latex, latex

ARTICLE = "\\documentclass{article}\n\\usepackage{amsmath,amssymb}\n\\begin{document}\n%s\n\\end{document}\n"
FAULT = re.compile(r"^!.*|.*Undefined control sequence.*|^LaTeX Warning: Reference.*|Missing character.*", re.MULTILINE)
OVERFULL = re.compile(r"Overfull \\hbox \((\d+(?:\.\d+)?)pt too wide\).*")
MOST_OVERFULL = 10  # points
DOCUMENTS = PLAIN | WINDOWED
CHAPTER_OF = {name: place.chapter for name, place in places().items()}
DIFFERENTIABLE = sorted(
    name for name in catalogue if any(p.type is not None and p.type.dtype == "real" for p in catalogue[name].tensors)
)


def compile_tex(source: str, tmp_path: Path, widest: float = MOST_OVERFULL) -> str:
    """The log of pdflatex on `source`, a document or a fragment; the test fails at any error, any undefined control
    sequence or a line more than `widest` points too wide."""
    document = source if "\\documentclass" in source else ARTICLE % source
    (tmp_path / "page.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-no-shell-escape", "page.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=600, check=False)
    log = (tmp_path / "page.log").read_text(encoding="utf-8", errors="replace")
    found = list(faults(log, widest))
    assert done.returncode == 0 and not found, "\n".join([*found, log[-2000:]])
    return log


def faults(log: str, widest: float = MOST_OVERFULL) -> Iterator[str]:
    """Each below the last line `@ …`, by which a document tells where it is."""
    place = ""
    for line in log.splitlines():
        place = line if line.startswith("@ ") else place
        wide = OVERFULL.match(line)
        if FAULT.match(line) or (wide and float(wide[1]) > widest):
            yield f"{place}: {line}"


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


def explained(name):
    """Every variant in matrices; in indices those that are not in the book, which is compiled as a whole."""
    for number, static in enumerate(catalogue[name].variants()):
        d = gradient(catalogue[name], **static)
        for notation in ("matrix", "index") if number else ("matrix",):
            yield f"\\typeout{{@ {name} {static} {notation}}}".replace("_", "-") + "\n" + d.latex(notation=notation)


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("chapter", sorted({CHAPTER_OF[name] for name in DIFFERENTIABLE}))
def test_the_catalogues_explanations_compile(chapter, tmp_path):
    """A chapter at once: LaTeX takes longer to begin than to set a page."""
    names = [name for name in DIFFERENTIABLE if CHAPTER_OF[name] == chapter]
    compile_tex("\n\\newpage\n".join(page for name in names for page in explained(name)), tmp_path)


b, i, n, o = axes("b i n o")
m, k = n.alias("m"), n.alias("k")
NOTATIONS = ("index", "matrix", "differential", "named")


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


def _long(averages_of_all_prediction: T[b, i], w: T[i, o], temperature_of_the_softmax: T[()]) -> T[b]:
    """Names of 25 letters, one of them an intermediate's."""
    logits = sum_over(i, averages_of_all_prediction[b, i] * w[i, o]) / temperature_of_the_softmax[()]
    scaled = let("scaled_prediction_of_layer", logits)
    return log(sum_over(o, exp(scaled[b, o]))) * temperature_of_the_softmax[()]


def _ten(t: T[i], u: T[i], v: T[i], w: T[i], x: T[i], y: T[i], z: T[i], alpha: T[i], beta: T[i], gamma: T[i]) -> T[()]:
    """Ten factors, each of another tensor."""
    return sum_over(i, t[i] * u[i] * v[i] * w[i] * x[i] * y[i] * z[i] * alpha[i] * beta[i] * gamma[i])


def _nested(x: T[i], threshold_between_regimes: T[()]) -> T[()]:
    """Cases in cases in cases."""
    limit = threshold_between_regimes[()]
    low = where(x[i] < -limit, -(x[i] ** 3), where(x[i] > 0, sin(x[i]) * limit, exp(x[i]) * cos(x[i])))
    inner = where(x[i] > limit, x[i] ** 2, low)
    return sum_over(i, where(inner > limit * x[i], inner**2, log(1 + inner**2)))


def _form(first_matrix_of_the_model: T[n, m], second_matrix_of_the_model: T[n, m], x: T[n]) -> T[()]:
    """xᵀ A B A x, with long names."""
    first, second = first_matrix_of_the_model, second_matrix_of_the_model
    return sum_over((n, m, k), x[n] * first[n, m] * second[m, k] * first[k, n] * x[k])


def _masked(x: T[b, i], y: T[b, i]) -> T[()]:
    """Several conditions at once, of things that are computed."""
    top = max_over(i, x[b, i])
    inside = (x[b, i] * y[b, i] > 2 * top * y[b, i] ** 2) & (y[b, i] > x[b, i] ** 2 + exp(x[b, i]))
    return mean_over(b, sum_over(i, where(inside, x[b, i] * y[b, i] ** 2 * exp(-top), 0)))


UNFORESEEN = [_quotient, _root, _cases, _factors, _long, _ten, _nested, _form, _masked]


@pytest.mark.needs("pdflatex")
@pytest.mark.parametrize("body", UNFORESEEN)
def test_what_nobody_foresaw_stays_within_the_margins(body, tmp_path):
    """A wide fraction, root, table of cases, product, name: what breaks nowhere is laid out narrow."""
    d = gradient(build(body, body.__name__.lstrip("_"), {}))
    pages = [
        f"\\typeout{{@ {notation} {detail}}}\n{d.latex(detail=detail, notation=notation)}"
        for notation in NOTATIONS
        for detail in ("brief", "normal", "full")
    ]
    compile_tex("\n\\newpage\n".join(pages), tmp_path)


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
