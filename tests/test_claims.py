"""Claims: right gradients are accepted, wrong ones rejected, with the mistake by its name."""

import numpy as np
import pytest
from latex_claims import CLAIMS as OTHERS
from latex_claims import DERIVATIONS
from sympy import Integer, Rational

from derive.api import catalogue, gradient
from derive.api.claims import Ground, check_claim, judge
from derive.api.diagnosis import near, pieces
from derive.axes import DeriveError, MeanOver, SumOver, Tensor, free_axes
from derive.oracle import evaluate
from derive.parse.claims import Claimed
from derive.verify import Sampler

RIDGE = r"\frac{1}{2n}\|Xw-y\|_2^2 + \lambda\|w\|_1"
WHERE = "X: n d, w: d, y: n"
LEAST = r"\frac{1}{2n}\|Xw-y\|_2^2"

CLAIMS = [  # claim, of, wrt, where, kind ("" where it holds)
    (r"X^\top(Xw-y)/n", LEAST, "w", WHERE, ""),
    (r"\frac{1}{n}\sum_i (x_i^\top w - y_i) x_i", LEAST, "w", WHERE + ", x: n d", None),
    (r"2X^\top(Xw-y)/n", LEAST, "w", WHERE, "constant factor"),
    (r"X^\top(Xw-y)", LEAST, "w", WHERE, "constant factor"),
    (r"X^\top(y-Xw)/n", LEAST, "w", WHERE, "sign"),
    (r"\frac{1}{n}X^\top Xw - X^\top y", LEAST, "w", WHERE, "constant factor"),
    (r"\frac{1}{n}X^\top(Xw-y) + \lambda\operatorname{sgn}(w)", RIDGE, "w", WHERE, ""),
    (r"\frac{1}{n}X^\top(Xw-y)", RIDGE, "w", WHERE, "missing term"),
    (r"\frac{1}{n}X^\top(Xw-y) - \lambda\operatorname{sgn}(w)", RIDGE, "w", WHERE, "sign"),
    (r"\frac{1}{n}(Xw-y)^\top X", LEAST, "w", WHERE, ""),
    (r"2Ax", r"x^\top A x", "x", "A: n n, x: n", "symmetric only"),
    (r"(A+A^\top)x", r"x^\top A x", "x", "A: n n, x: n", ""),
    (r"b a^\top", r"a^\top X b", "X", "a: n, X: n m, b: m", "other layout"),
    (r"X^{-1}", r"\log\det X", "X", "X: n n", "transpose"),
    (r"X^{-\top}", r"\log\det X", "X", "X: n n", ""),
    (r"\mathbf{1}[x \ge 0]", r"\max(0, x)", "x", "x: scalar", "subgradient"),
    (r"\mathbf{1}[x > 0]", r"\max(0, x)", "x", "x: scalar", ""),
    (r"\sum_j g_j p_j", r"\sum_i g_i p_i x_i", "x", "g: i, p: i, x: i", "wrong axis"),
]


@pytest.mark.parametrize("claim, of, wrt, where, kind", CLAIMS)
def test_a_claim_is_judged(claim, of, wrt, where, kind):
    if kind is None:
        with pytest.raises(DeriveError, match=r"not declared|inputs"):
            check_claim(claim, of=of, wrt=wrt, where=WHERE)
        return
    verdict = check_claim(claim, of=of, wrt=wrt, where=where)
    assert (verdict.holds, verdict.kind) == (kind == "", kind), str(verdict)
    assert verdict.holds == (verdict.counterexample is None)
    assert "\x1b" not in str(verdict)


def test_ill_typed_claims_are_errors_at_their_column():
    with pytest.raises(DeriveError, match=r"column 2: .*inner lengths.*transpose the first"):
        check_claim("X(Xw-y)/n", of=LEAST, wrt="w", where=WHERE)


def test_the_first_wrong_line_of_a_derivation_is_named():
    lines = (
        r"\begin{align} \nabla_w L &= \frac{1}{2n} \cdot 2 X^\top (Xw-y) \\ &= \frac{1}{n} X^\top (Xw - y) \\"
        r" &= \frac1n X^\top X w - X^\top y \\ &= 0 \cdot w \end{align}"
    )
    verdict = check_claim(lines, of=LEAST, wrt="w", where=WHERE)
    assert not verdict and verdict.line == 3 and "X^\\top X w - X^\\top y" in str(verdict)


def test_definitions_may_stand_before_the_claim():
    assert check_claim(r"r = Xw-y, \; \frac{\partial L}{\partial w_j} = \frac{1}{n}\sum_i r_i X_{ij}",
                       of=LEAST, wrt="w", where=WHERE)  # fmt: skip


def softmax_backward(x, g):
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    return p * (g - (g * p).sum(1, keepdims=True))


def test_a_numpy_function_is_a_claim():
    assert check_claim(softmax_backward, of=catalogue["softmax"])
    assert check_claim(lambda y, g: y * (g - (g * y).sum(1, keepdims=True)), of=catalogue["softmax"])
    wrong = check_claim(lambda y, g: y * (g - (g * y).sum()), of=catalogue["softmax"])
    assert not wrong and wrong.counterexample is not None
    turned = check_claim(lambda z, g: softmax_backward(z, g).T, of=catalogue["softmax"])
    assert turned.kind == "other layout"
    with pytest.raises(DeriveError, match="parameter q"):
        check_claim(lambda q: q, of=catalogue["softmax"])
    with pytest.raises(DeriveError, match="ValueError"):
        check_claim(lambda z: z @ np.ones((99, 2)), of=catalogue["softmax"])


def test_tiny_gradients_are_compared_by_their_own_size():
    tiny = r"10^{-9} x^2"
    assert check_claim(r"2 \cdot 10^{-9} x", of=tiny, wrt="x", where="x: scalar")
    assert check_claim(r"3 \cdot 10^{-9} x", of=tiny, wrt="x", where="x: scalar").kind == "constant factor"


def test_the_commands(capsys, tmp_path):
    from derive.cli import main

    least = ["--where", WHERE, "--wrt", "w"]
    assert main(["claim", r"X^\top(Xw-y)/n", "--of", LEAST, *least]) == 0
    assert capsys.readouterr().out.startswith("true: proved")
    assert main(["claim", r"2X^\top(Xw-y)/n", "--of", LEAST, *least, "--json"]) == 1
    assert '"kind": "constant factor"' in capsys.readouterr().out
    assert main(["claim", "X(Xw-y)", "--of", LEAST, *least]) == 2
    assert capsys.readouterr().err.splitlines()[:2] == ["    X(Xw-y)", "     ^"]
    (tmp_path / "mine.py").write_text("import numpy as np\ndef back(y, g): return y * (g - (g * y).sum(1)[:, None])\n")
    assert main(["claim", f"{tmp_path}/mine.py:back", "--of", "softmax"]) == 0
    assert main(["claim", f"{tmp_path}/mine.py:bakc", "--of", "softmax"]) == 2
    assert "did you mean 'back'" in capsys.readouterr().err
    assert main(["latex", RIDGE, *least]) == 0
    assert capsys.readouterr().out.startswith("∂L/∂w_d = ")
    assert main(["latex", r"\mathbf{x} \in \mathbb{R}^{n}"]) == 0
    assert capsys.readouterr().out.strip() == "declaration x: n"
    assert main(["latex", r"f(x)", "--where", "x: scalar, f: function", "--wrt", "x"]) == 3
    assert main(["latex", r"\|x\|_0", "--where", "x: n"]) == 3


# Mistakes that students make: claim, of, wrt, where, kind.

LOGISTIC = (
    r"\frac{1}{n}\sum_{i=1}^{n} \left[\log(1 + e^{x_i^\top w}) - y_i x_i^\top w\right] + \frac{\lambda}{2}\|w\|^2",
    "w",
    "x: n d, w: d, y: n",
)
WIDE = "X: n d, W: d k, Y: n k"
LINEAR = (r"\frac{1}{2n}\|XW - Y\|_F^2", "W", WIDE)
BIASED = (r"\frac{1}{2n}\|XW + \mathbf{1}b^\top - Y\|_F^2", "b", WIDE + ", b: k")
TANH = (r"g^\top \tanh(Wx)", "x", "W: k d, x: d, g: k")
SIGMOID = (r"\sigma(a x)", "x", "a: scalar, x: scalar")
CROSS = (r"-\sum_k t_k \log\operatorname{softmax}(z)_k", "z", "z: k, t: k")
BINARY = (r"-y \log p - (1-y) \log(1-p)", "p", "y: scalar, p: scalar positive")
GAUSSIAN = (r"\log\sigma + \frac{(x-\mu)^2}{2\sigma^2}", "sigma", "x: scalar, mu: scalar, sigma: scalar positive")
LAYERS = (r"\frac{1}{2}(v^\top \tanh(Wx) - y)^2", "W", "W: k d, x: d, v: k, y: scalar")
STUDENTS = [
    (r"\frac{1}{n}\sum_{i=1}^{n} (\sigma(x_i^\top w) - y_i)\, x_i + \lambda w", *LOGISTIC, ""),
    (r"\sum_{i=1}^{n} (\sigma(x_i^\top w) - y_i)\, x_i + \lambda w", *LOGISTIC, "constant factor"),  # no 1/n
    (r"\frac{1}{n}\sum_{i=1}^{n} (\sigma(x_i^\top w) - y_i)\, x_i", *LOGISTIC, "missing term"),
    (r"\frac{1}{n}\sum_{i=1}^{n} (y_i - \sigma(x_i^\top w))\, x_i + \lambda w", *LOGISTIC, "sign"),
    (r"\frac{1}{n}\sum_{i=1}^{n} (\sigma(x_i^\top w) - y_i)\, x_i + 2\lambda w", *LOGISTIC, "constant factor"),
    (r"\frac{1}{n} X^\top (XW - Y)", *LINEAR, ""),
    (r"\frac{1}{n} (XW - Y)^\top X", *LINEAR, "other layout"),
    (r"\frac{2}{n} X^\top (XW - Y)", *LINEAR, "constant factor"),
    (r"\mathbf{1}^\top (XW - Y) / n", *BIASED, "missing term"),
    (r"\mathbf{1}^\top (XW + \mathbf{1}b^\top - Y)/n", *BIASED, ""),
    (r"(XW + \mathbf{1}b^\top - Y)/n", *BIASED, "missing sum"),
    (r"a\,\sigma(a x)(1 - \sigma(a x))", *SIGMOID, ""),
    (r"a\,\sigma(a x)(1 + \sigma(a x))", *SIGMOID, "sign"),
    (r"\sigma(a x)(1 - \sigma(a x))", *SIGMOID, "constant factor"),  # inner derivative
    (r"h = \tanh(Wx), \; W^\top (g \odot (1 - h \odot h))", *TANH, ""),
    (r"W^\top g", *TANH, "missing term"),  # the ⊙ is forgotten
    (r"p - 1", r"-\log\operatorname{softmax}(z)_k", "z", "z: k, p: k", None),
    (r"\mathbf{1}[x > 0] - \mathbf{1}[x \le 0]", "|x|", "x", "x: scalar", "subgradient"),
    (r"\mathbf{I}", r"\operatorname{tr}(A)", "A", "A: n n", ""),  # its length is that of the variable
    (r"2\mathbf{I}", r"\operatorname{tr}(A)", "A", "A: n n", "constant factor"),
    (r"0", r"\|y\|^2 + 0 w^\top w", "w", "y: n, w: n", ""),
    (r"\operatorname{softmax}(z) - t", *CROSS, "simplex only"),
    (r"(\mathbf{1}^\top t) \operatorname{softmax}(z) + t", *CROSS, "sign"),
    (r"w", r"\|w\|", "w", "w: n", "missing factor"),
    (r"2w", r"\|w\|", "w", "w: n", "factor"),
    (r"-y", r"\max(0, 1 - yz)", "z", "y: scalar, z: scalar", "missing condition"),
    (r"e^x \cos x", r"e^x \sin x", "x", "x: scalar", "missing term"),
    (r"e^x \sin x - e^x \cos x", r"e^x \sin x", "x", "x: scalar", "sign"),
    (r"-\frac{y}{p}", *BINARY, "missing term"),
    (r"-\frac{y}{p} - \frac{1-y}{1-p}", *BINARY, "sign"),
    (r"\frac{1}{\sigma} - \frac{(x-\mu)^2}{2\sigma^3}", *GAUSSIAN, "constant factor"),
    (r"-A^{-1} b a^\top A^{-1}", r"a^\top A^{-1} b", "A", "A: n n, a: n, b: n", "transpose"),
    (r"\det(A) A^{-1}", r"\det A", "A", "A: n n", "transpose"),
    (r"h = \tanh(Wx), \; (v \odot (1 - h \odot h)) x^\top", *LAYERS, "missing factor"),
    (r"h = \tanh(Wx), \; (v^\top h - y)\, v x^\top", *LAYERS, "missing term"),
    (r"h = \tanh(Wx), \; (v^\top h - y)\, (v \odot (1 - h)) x^\top", *LAYERS, "power"),
]  # fmt: skip


@pytest.mark.parametrize("claim, of, wrt, where, kind", STUDENTS)
def test_mistakes_of_students_are_named(claim, of, wrt, where, kind):
    if kind is None:
        with pytest.raises(DeriveError):
            check_claim(claim, of=of, wrt=wrt, where=where)
        return
    verdict = check_claim(claim, of=of, wrt=wrt, where=where)
    assert (verdict.holds, verdict.kind) == (kind == "", kind), str(verdict)


@pytest.mark.parametrize("claim, formula, kind", OTHERS)
def test_other_forms_are_accepted_and_mistakes_named(claim, formula, kind):
    of, wrt, where = formula
    verdict = check_claim(claim, of=of, wrt=wrt, where=where)
    assert (verdict.holds, verdict.kind) == (kind == "", kind), str(verdict)


@pytest.mark.parametrize("lines, formula, wrong", DERIVATIONS)
def test_derivations_are_marked_line_by_line(lines, formula, wrong):
    of, wrt, where = formula
    verdict = check_claim(lines, of=of, wrt=wrt, where=where)
    assert (verdict.holds, verdict.line) == (wrong == 0, wrong or verdict.line), str(verdict)


@pytest.mark.parametrize("back, kind", [
    (lambda X, w, y: np.einsum("nd,n->d", X, X @ w - y) / len(y), ""),
    (lambda w, X, y: (X * (X @ w - y)[:, None]).mean(0), ""),
    (lambda X, w, y: X.T @ (X @ w - y) / X.shape[1], "constant factor"),
    (lambda X, w, y: (X.T @ (X @ w - y) / len(y))[:, None], "shape"),
])  # fmt: skip
def test_functions_that_broadcast_otherwise(back, kind):
    assert check_claim(back, of=LEAST, wrt="w", where=WHERE).kind == kind


def test_a_wrong_line_amid_a_derivation():
    lines = (
        r"\begin{align} p &= \sigma(Xw) \\ \frac{\partial L}{\partial w} &= X^\top (p - y) \\ &= X^\top p + X^\top y \\"
        r" &= X^\top (p - y) \end{align}"
    )
    loss = r"\sum_{i=1}^{n} \log(1 + e^{x_i^\top w}) - y^\top X w"
    with pytest.raises(DeriveError):
        check_claim(lines, of=loss, wrt="w", where="X: n d, w: d, y: n")  # x is not declared
    verdict = check_claim(lines, of=loss.replace("x_i", "X_i"), wrt="w", where="X: n d, w: d, y: n")
    assert not verdict and (verdict.line, verdict.kind) == (3, "sign")


def test_functions_of_other_orders_shapes_and_types():
    f = catalogue["softmax"]

    def back(g, y):  # the order of the arguments is free
        return y * (g - (g * y).sum(1, keepdims=True))

    assert check_claim(back, of=f)
    assert check_claim(lambda g, y: back(g, y).tolist(), of=f)
    assert (
        check_claim(lambda g, y: back(g, y).astype(np.float32), of=f).kind == "precision"
    )  # seven digits prove little
    assert not check_claim(lambda g, y: back(g, y).reshape(-1), of=f)
    assert check_claim(lambda g, y: back(g, y).sum(0), of=f).kind == "wrong axis"


def test_names_the_formula_has_not_are_an_error():
    with pytest.raises(DeriveError, match="which the formula has not"):
        check_claim(r"2x + \lambda", of="x^2", wrt="x", where="x: scalar")


def test_lengths_of_one_do_not_hide_a_factor():
    d = gradient(catalogue["conv_transpose3d"], "input")
    truth = d.tensors["input"]
    channels = next(a.size for a in truth.axes if a.name == "c")
    ground = Ground(d.traced, "input", truth, trials=4)
    assert judge(ground, Claimed(truth, (), 1, "", 0))
    assert not judge(ground, Claimed(truth.with_(body=truth.body * channels), (), 1, "", 0))


# Every gradient of the catalogue, and ten ways to get it wrong.


def mutations(truth: Tensor):
    """(name, tensor) of gradients that are wrong in a way that people are."""
    body, axes = truth.body, truth.axes
    yield "constant factor", truth.with_(body=2 * body)
    yield "constant factor", truth.with_(body=body * Rational(1, 2))
    yield "sign", truth.with_(body=-body)
    for size in sorted({a.size for a in axes}, key=str)[:2]:
        yield "constant factor", truth.with_(body=body * size)
        yield "constant factor", truth.with_(body=body / size)
    if len(axes) == 2:
        yield "other layout", truth.with_(axes=axes[::-1])
    terms = pieces(body)
    if 1 < len(terms) <= 6:
        for k, term in enumerate(terms):
            others = sum((t for j, t in enumerate(terms) if j != k), Integer(0))
            yield "missing term", truth.with_(body=others)
            yield "sign", truth.with_(body=others - term)
            yield "constant factor", truth.with_(body=others + 2 * term)
    for node in sorted(body.atoms(SumOver), key=str)[:2]:
        yield "constant factor", truth.with_(body=body.xreplace({node: MeanOver(node.body, *node.axes)}))
        extra = [a for a in node.axes if a not in free_axes(body)]
        if node == body and extra:
            yield "missing sum", truth.with_(body=node.body, axes=(*axes, *extra))
    if len(axes) >= 1:
        yield "wrong axis", truth.with_(body=SumOver(body, axes[0]), axes=axes[1:])
    if not axes:
        yield "different", truth.with_(body=body + 1)
        yield "different", truth.with_(body=body * body)
        yield "constant factor", truth.with_(body=3 * body)
        yield "constant factor", truth.with_(body=-body / 4)
    else:
        yield "different", truth.with_(body=body + 1)
        yield "constant factor", truth.with_(body=3 * body)
        yield "constant factor", truth.with_(body=-body / 4)


def differs(d, truth, claim):
    """Whether the two have different values, or shapes, at some point with different lengths."""
    sampler = Sampler(d.traced, (truth[truth.axes], claim[claim.axes]))
    points = [sampler.point(np.random.default_rng([7, k]), "distinct") for k in range(3)]
    pairs = [[evaluate(t.body, point, t.axes) for t in (claim, truth)] for point in points]
    floor = 1e-6 * max(np.abs(true[np.isfinite(true)]).max(initial=0) for _, true in pairs)  # else both are rounding
    return not all(near(*pair, 1e-6, floor) for pair in pairs)


def marked(name):
    """(wrongly accepted, wrongly rejected, named, tried) for one formula of the catalogue."""
    d = gradient(catalogue[name])
    accepted, rejected, named_, tried = [], [], 0, 0
    for x, truth in d.tensors.items():
        ground = Ground(d.traced, x, truth, trials=4)
        if not judge(ground, Claimed(truth, (), 1, "", 0)):
            rejected.append(x)
        for kind, claim in list(mutations(truth))[:10]:
            if not differs(d, truth, claim):
                continue
            verdict = judge(ground, Claimed(claim, (), 1, "", 0))
            tried += 1
            if verdict:
                accepted.append((x, kind, str(claim.body)))
            named_ += verdict.kind != "different" and not verdict.holds
    return accepted, rejected, named_, tried


SOME = "dense mse_loss softmax_cross_entropy layer_norm softmax gelu"


@pytest.mark.parametrize("name", SOME.split())
def test_gradients_are_marked(name):
    accepted, rejected, named_, tried = marked(name)
    assert not accepted and not rejected
    assert named_ >= 0.8 * tried


@pytest.mark.thorough
def test_every_gradient_of_the_catalogue_is_marked():
    total = [marked(name) for name in catalogue if any(t.dtype == "real" for t in catalogue[name].trace().inputs)]
    assert not [one for accepted, rejected, _, _ in total for one in (*accepted, *rejected)]
    assert sum(n for _, _, n, _ in total) >= 0.8 * sum(n for _, _, _, n in total)
