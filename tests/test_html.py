"""HTML pages, MathML, slides, notebooks and the graph: what is in them, and that they are well formed."""

import json
import re
import sys
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from derive import catalogue, chain, gradient
from derive.api.network import network_of
from derive.api.pages import PAGES
from derive.notation.drawing import drawn, graph_of, products, worth_drawing
from derive.notation.mathml import mathml
from derive.notation.style import LATEX
from derive.notation.table import CONNECTIVES, CONSTANTS, FENCES, FUNCTIONS, REDUCTIONS, RELATIONS, REMAINDER
from derive.notation.view import view_of

pytestmark = pytest.mark.needs("latex2mathml")
VOID = {"meta", "link", "br", "hr", "img"}
NAMES = ["dense", "softmax", "layer_norm", "max_pool2d", "attention", "gelu", "softmax_cross_entropy", "embedding"]


def network():
    return chain(*(catalogue[name] for name in ("dense", "tanh", "dense", "softmax_cross_entropy")))


class Outline(HTMLParser):
    """Checks that elements close in order; gathers headings, ids, and addresses that would be loaded."""

    def __init__(self, page):
        super().__init__()
        self.open, self.headings, self.ids, self.loaded = [], [], [], []
        self.feed(page)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        self.ids += [given["id"]] if "id" in given else []
        self.loaded += [given[a] for a in ("src", "href") if tag != "a" and a in given]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes another element"


@pytest.mark.parametrize("detail", ["brief", "normal", "full"])
@pytest.mark.parametrize("name", NAMES)
def test_a_page_is_well_formed_and_needs_nothing_else(name, detail):
    page = gradient(catalogue[name]).html(detail=detail)
    found = Outline(page)
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">') and "<title>" in page and "<script" not in page
    assert not [address for address in found.loaded if not address.startswith("data:")]
    assert "prefers-color-scheme:dark" in page
    assert found.headings[0] == 1 and found.headings.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(found.headings, found.headings[1:], strict=False))
    assert len(found.ids) == len(set(found.ids))


@pytest.mark.parametrize("notation", ["index", "matrix"])
def test_every_formula_of_a_page_is_mathml(notation):
    page = gradient(catalogue["layer_norm"]).html(notation=notation)
    for source in re.findall(r"<math.*?</math>", page, re.DOTALL):
        element = ElementTree.fromstring(source)
        words = "".join(element.itertext())
        assert words.strip() and "\\" not in words and "&#" not in words
        assert not {e.tag for e in element.iter()} & {"mfenced", "maction"}  # browsers draw MathML Core


@pytest.mark.parametrize(
    "latex, expected",
    [
        (r"\mathbf{1}[a \le b]", "𝟏[a≤b]"),
        (r"\bar{x}_{b}", "x‾b"),
        (r"\operatorname*{arg\,max}_{c} z", "arg\u2009maxcz"),
        (r"\lfloor c/K\rfloor", "⌊c/K⌋"),
        (r"\mathrm{chosen\_ref}", "chosen_ref"),
        (r"\lvert x\rvert", "|x|"),
        (r"\mathbf{x}", "𝐱"),
    ],
)
def test_what_browsers_draw_otherwise_is_written_for_them(latex, expected):
    from derive.notation.mathml import mathml

    assert "".join(ElementTree.fromstring(mathml(latex)).itertext()) == expected


def test_an_exponent_stands_at_the_whole_bracket():
    from derive.notation.mathml import mathml

    (power,) = ElementTree.fromstring(mathml("(a + b)^{2}")).iter("msup")
    assert "".join(power[0].itertext()) == "(a+b)" and power[1].text == "2"


def test_the_graph_of_a_chain():
    f = network().trace()
    graph = graph_of(f)
    assert worth_drawing(f) and not worth_drawing(catalogue["dense"].trace())
    assert graph.paths("x", 3) == [("x", "y_1", "y_2", "y_3", "L")]
    layers = {name: layer for name, (_, layer) in drawn(graph).places.items()}
    assert all(layers[start] < layers[end] for start, end in graph.edges)
    assert layers["x"] == layers["w_1"] == layers["y_1"] - 1


def test_nodes_of_a_graph_have_places_of_their_own():
    places = list(drawn(graph_of(catalogue["transformer_block"].trace())).places.values())
    assert len(places) == len(set(places))


def test_a_recurrence_is_not_drawn():
    loops = [name for name in ("rnn", "lstm", "gru") if name in catalogue]
    assert not [name for name in loops if worth_drawing(catalogue[name].trace())]


def test_the_chain_rule_is_the_product_of_local_jacobians():
    d = gradient(network())
    view = view_of(d.derivation, d.traced, LATEX, "index")
    told = dict(products(graph_of(d.traced), view))
    ratio = r"\frac{\partial %s}{\partial %s}"
    y, w = "y^{(%d)}", "w^{(%d)}"
    factors = [ratio % ("L", y % 3), ratio % (y % 3, w % 2)]
    assert told[ratio % ("L", w % 2)] == [r" \cdot ".join(factors)]


def test_where_ways_are_many_the_chain_rule_goes_one_step():
    d = gradient(catalogue["layer_norm"])
    view = view_of(d.derivation, d.traced, LATEX, "index")
    told = dict(products(graph_of(d.traced), view))
    assert len(told[r"\frac{\partial L}{\partial x}"]) == 3  # through μ, v and x̂
    assert r"\frac{\partial L}{\partial v}" in told  # … which have lines of their own


def test_a_network_is_part_of_its_page():
    page = gradient(network()).html()
    assert page.count("<svg") == 1 and "∂L/∂" in page and "<h2>The network</h2>" in page
    assert network_of(gradient(catalogue["softmax"])) is None


def test_slides_hold_a_step_or_two():
    slides = PAGES["beamer"](gradient(catalogue["layer_norm"]), "full", "index")
    frames = re.findall(r"\\begin\{frame\}.*?\\end\{frame\}", slides, re.DOTALL)
    assert len(frames) > 10
    steps = [frame.count(r"\tag*") for frame in frames if "Gradient" in frame or "Adjoint" in frame]
    assert steps and max(steps) <= 3  # the first form of an adjoint is itself a use of the chain rule


def test_a_notebook_derives_checks_and_plots():
    made = json.loads(PAGES["notebook"](gradient(catalogue["softmax"]), "normal", "index"))
    code = "\n".join("".join(cell["source"]) for cell in made["cells"] if cell["cell_type"] == "code")
    assert "from formulas import softmax as f" in code
    assert all(call in code for call in ("gradient(f)", "verify(f", "to_numpy(f)", "plot(f)"))
    compile(code, "notebook", "exec")


def test_a_notebook_makes_its_chain_again():
    made = json.loads(PAGES["notebook"](gradient(network()), "brief", "matrix"))
    source = "".join(made["cells"][1]["source"])
    names = {}
    exec(source, names)
    assert names["f"].name == network().name


def test_jupyter_shows_mathematics():
    d, f = gradient(catalogue["dense"], wrt="w"), catalogue["dense"]
    assert d._repr_latex_().startswith("$") and "<math" in d._repr_html_()
    assert f._repr_latex_().startswith("$") and "<b>dense</b>" in f._repr_html_()


def test_what_is_missing_is_named(monkeypatch, capsys):
    import shutil

    from derive.cli import main

    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert main(["explain", "dense", "--format", "pdf"]) == 3
    assert "pdf: needs pdflatex or lualatex" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "latex2mathml.converter", None)
    from derive.notation.mathml import mathml

    mathml.cache_clear()
    assert main(["explain", "dense", "--format", "html"]) == 3
    assert "pip install" in capsys.readouterr().err


def test_the_format_follows_the_files_name(tmp_path, monkeypatch):
    from derive.cli import main

    monkeypatch.chdir(tmp_path)
    for name, start in (("a.html", "<!DOCTYPE"), ("a.tex", r"\documentclass"), ("a.ipynb", "{"), ("a.md", "# dense")):
        assert main(["explain", "dense", "-o", name]) == 0
        assert (tmp_path / name).read_text("utf-8").startswith(start)


@pytest.mark.needs("pdflatex")
def test_a_pdf_is_the_same_every_time(tmp_path):
    from derive.cli import main

    written = [tmp_path / name for name in ("one.pdf", "two.pdf")]
    assert [main(["explain", "dense", "-o", str(path)]) for path in written] == [0, 0]
    assert written[0].read_bytes() == written[1].read_bytes()
    assert written[0].read_bytes().startswith(b"%PDF")


# Everything that the printers may write, from their tables; what they put together stands below.
WRITTEN = [row.latex for rows in (FUNCTIONS, RELATIONS, REDUCTIONS, CONSTANTS, CONNECTIVES) for row in rows.values()]
WRITTEN += [row.latex.replace(" ", " x ") for row in FENCES.values()] + [REMAINDER.latex]
WRITTEN += [
    r"\mathbf{1}^\top X", r"\mathbf{W}_{i,\, j}", r"\boldsymbol{\mu}", r"X \underset{i}{\odot} W", r"X \oslash Y",
    r"\operatorname*{arg\,max}_{i} x_i", r"\sum\limits_{\substack{i \\ i < j}} x_i", r"\overline{\mathrm{grown}}",
    r"\widehat{xy}", r"\widetilde{x}", r"\bar{x}", r"\hat{x}", r"\tilde{x}", r"\dot{x}", r"\mathcal{L}",
    r"\begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}",
    r"\begin{cases} x \\ \quad \text{if } x > 0 \\[3pt] 0 \quad \text{otherwise} \end{cases}",
    r"\bigl( \Bigl( \biggl( x \biggr) \Bigr) \bigr)", r"\tfrac{1}{2}\, x", r"(x)^{1/2}", r"A^{-\top}",
    r"x \cdot 10^{-5}", r"\log \lvert\det A\rvert", r"\lVert x\rVert", r"\operatorname{chol}(S)_{i j}",
    r"\lnot m_i", r"\mathrm{the\_name}_i",
    r"\frac{\partial^2 L}{\partial x\, \partial y}", r"A \otimes B", r"\operatorname{diag}(r)^{-1}", r"\mathrm{d}X",
]  # fmt: skip


@pytest.mark.parametrize("source", WRITTEN)
def test_mathml_knows_what_the_printers_write(source):
    """No macro is left over, none is an error."""
    found = mathml(source, True)
    assert "\\" not in found and "merror" not in found and "3pt" not in found
    ElementTree.fromstring(found)
