"""docs/comparison.md: what it counts, what it says is printed, and the laws that it names."""

import re
from pathlib import Path

import pytest

from derive import (
    T,
    axes,
    catalogue,
    exp,
    formula,
    gradient,
    hessian,
    let,
    log,
    logdet,
    mean_over,
    one_hot,
    pi,
    solve,
    sum_over,
)

TEXT = (Path(__file__).parent.parent / "docs" / "comparison.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(\w+)` \| (\d+) \| (\d+) \| (\d+) \|", TEXT, re.MULTILINE)
BODY, SOURCES = TEXT.split("## Sources")
NAMED = {" ".join(words.lower().split()) for words in re.findall(r"(?<!\*)\*([A-Za-z][a-z \nδ]+)\*(?!\*)", BODY)}
b, c, n, d = axes("b c n d")
m = n.alias("m")


@formula
def gaussian_process_of_lengths(X: T[n, d], y: T[n], length: T[()]) -> T[()]:
    """The catalogue's, with a length scale that can be differentiated."""
    apart = sum_over(d, (X[n, d] - X[m, d]) ** 2)
    K = let("K", exp(-apart / (2 * length[()] ** 2)) + one_hot(n, m))
    alpha = let("alpha", solve(K, y)[m])
    return -(sum_over(n, y[n] * alpha[n]) + logdet(K) + n.size * log(2 * pi)) / 2


@formula
def unassuming_cross_entropy(z: T[b, c], t: T[b, c]) -> T[()]:
    """The catalogue's, of targets that may sum to anything."""
    return -mean_over(b, sum_over(c, t[b, c] * (z[b, c] - log(sum_over(c, exp(z[b, c]))))))


LSTM, PROCESS, LENGTHS = catalogue["lstm"], catalogue["gaussian_process"], gaussian_process_of_lengths


def test_there_are_ten_and_a_cell():
    told = [BODY.count(part) for part in ("\n## ", "**By hand.**", "**derive.**", "**Left to the reader.**")]
    assert (told, len(ROWS)) == ([10] * 4, 11)


@pytest.mark.parametrize("name, equations, steps, laws", ROWS)
def test_the_counts_are_the_engines(name, equations, steps, laws):
    derivation = gradient(catalogue[name]).derivation
    counted = len(derivation.equations), sum(1 for _ in derivation.steps()), len(derivation.laws)
    assert counted == (int(equations), int(steps), int(laws))


def test_the_laws_that_it_names_are_laws():
    used = {law for name, *_ in ROWS for law in gradient(catalogue[name]).derivation.laws}
    assert used >= NAMED
    assert len(NAMED) == 5


def plain(latex):
    """LaTeX without spaces, sizes of brackets, breaks, marks of alignment and braces around one letter."""
    bare = re.sub(r"\\[,!]|\\[bB]igg?[lr]|\\\\\*?|\\qquad|\{\}|&|\s", "", latex).replace(r"\tfrac", r"\frac")
    bare = bare.replace(r"\mathrm{value}", "V")  # attention's, by its usual letter
    return re.sub(r"\{(\w)\}", r"\1", bare)


@pytest.mark.parametrize(
    "derive, f, wrt, says",
    [
        (gradient, unassuming_cross_entropy, "z", r"\frac{1}{B} (p_{bc} \sum_{c'} t_{bc'} - t_{bc})"),
        (gradient, catalogue["attention"], None, r"P_{ts} (\sum_v V_{sv} g_{tv} - \sum_v y_{tv} g_{tv})"),
        (hessian, catalogue["logistic_regression"], "w", r"\sum_n X_{nd'} X_{nd} p_n (1 - p_n)"),
        (gradient, LSTM, None, r"O_{tbh} \bar{s}_{tbh} (1 - \tanh^2(c_{tbh})) + F_{t+1,b,h} \bar{c}_{t+1,b,h}"),
        (gradient, LSTM, None, r"F_{tbh} c_{t-1,b,h} \bar{c}_{tbh} (1 - F_{tbh})"),
        (gradient, LENGTHS, "length", r"\frac{1}{2} (\alpha_n \alpha_m - (K^{-1})_{nm})"),
        (gradient, PROCESS, "y", r"-\alpha_n"),
    ],
)
def test_what_it_says_is_printed(derive, f, wrt, says):
    assert plain(says) in plain(TEXT)
    assert "=" + plain(says) in plain(derive(f, wrt).latex(detail="brief"))


@pytest.mark.parametrize("name, fact", [("batch_norm", "Σ_ny y_ncy = 0"), ("layer_norm", "Σ_d x̂_bd = 0"),
                                        ("attention", "Σ_s value_sv P_ts = y_tv"),
                                        ("gaussian_process", "(K⁻¹)_nm = (K⁻¹)_mn")])  # fmt: skip
def test_the_facts_that_it_tells_are_used(name, fact):
    assert gradient(catalogue[name]).explain("full").count(fact) > 1


def test_what_it_says_of_biases_inputs_and_lengths():
    grads = gradient(LSTM, ["b_ih", "b_hh"]).results
    assert grads["b_ih"] == grads["b_hh"]
    assert plain(r"(\alpha_n \alpha_m - (K^{-1})_{nm})") in plain(gradient(PROCESS, "X").latex(detail="brief"))
    assert plain(r"\sum_{n,m}") in plain(gradient(LENGTHS, "length").latex(detail="brief").split("Here")[0])


CITED = re.compile(r"([A-Z]\w+)(?:,\s[A-Z]\w+)*(?:\sand\s[A-Z]\w+|\set\sal\.)?\s\(?((?:19|20)\d\d)\b")


def test_every_source_is_cited_and_every_citation_has_its_source():
    entries = re.split(r"^- ", SOURCES, flags=re.MULTILINE)[1:]
    authors = [re.split(r",| et al|\. \*", entry)[0].split()[-1] for entry in entries]
    years = [re.findall(r"(?<!:)\b(?:19|20)\d\d\b", entry)[-1] for entry in entries]
    assert set(CITED.findall(BODY)) == set(zip(authors, years, strict=True))
    assert [author.lower() for author in authors] == sorted(author.lower() for author in authors)
