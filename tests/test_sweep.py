"""Emitted code at inputs of every magnitude, held against numbers of many digits; and the sweep itself against errors.

What fails today stands in a table with its reason. An entry that passes fails the test: the tables only shrink.
"""

import json
import re

import mpmath
import numpy as np
import pytest
from sympy import cos, exp, log, sqrt

from derive import catalogue
from derive.api import stability, to_numpy
from derive.axes import DeriveError, Int, T, axes, equals, max_over, mean_over, one_hot, prod_over, sum_over, where
from derive.cli import main
from derive.formula import assume, build, let
from derive.stability import Code, sweep
from derive.stability.bounds import Bound
from derive.stability.precise import digits

b, c, d = axes("b c d")
(k,) = axes("k", min=2)

# The catalogue

NEAR = 6.0  # powers of ten, either way, of magnitudes at which everything should hold
COARSE, FINER = {"points": 30, "effort": 1200}, {"points": 40, "effort": 4000}
BOTH = {"dtypes": ("float32", "float64")}
SINGLE = {"dtypes": ("float32",)}

# Out of bounds at common magnitudes: the code is to be mended.
BROKEN = {
    "ppo_clip": "r A is compared with clip(r) A, where r = exp(…) may be ∞: a warning, and no wrong number",
}
# ... only in some variant, which `make thorough` sweeps.
BROKEN_VARIANTS = {
    "binary_cross_entropy": "log(1 − p) near 0 is log1p(−p), without reduction",
    "binary_cross_entropy_with_logits": "with pos_weight, terms cancel that one logarithm would hold",
    "poisson_nll_loss": "log x − log y for x near y cancels",
}
# Out of bounds only where magnitudes go beyond NEAR.
SQUARES = "squares, or products of two inputs, leave float32 beyond 1e±19"
FAR = {
    **dict.fromkeys(("normalize", "normalize_of_order", "cosine_similarity", "cosine_embedding_loss"), SQUARES),
    **dict.fromkeys(("pairwise_distance", "minkowski_distance", "triplet_margin_loss", "cdist"), SQUARES),
    **dict.fromkeys(("layer_norm", "rms_norm", "weight_norm", "spectral_norm", "power_iteration"), SQUARES),
    **dict.fromkeys(("lp_pool3d", "dice_loss", "gelu", "geglu", "softsign", "siamese"), SQUARES),
    **dict.fromkeys(("adadelta", "rmsprop", "rprop", "adamax", "adafactor_direction_of_vector"), SQUARES),
    **dict.fromkeys(("lbfgs_first_loop", "lbfgs_second_loop", "clip_by_norm", "frobenius_norm"), SQUARES),
    **dict.fromkeys(("lars", "novograd", "gauss_newton_step", "pseudo_inverse"), SQUARES),
    **dict.fromkeys(("cca_correlation", "ridge_regression", "gaussian_kl"), SQUARES),
    **dict.fromkeys(("vq_vae_loss", "simsiam_loss", "byol_loss"), SQUARES),
    **dict.fromkeys(("hinge_loss", "margin_ranking_loss"), SQUARES),  # the sign of what has underflowed is lost
    "sophia": "m/max(γ h, ε) leaves float32 and is clipped: a warning, and no wrong number",
    **dict.fromkeys(("smooth_l1_loss", "huber_loss"), "0·∞ where a square overflows in the branch that is not taken"),
}
# A single point costs so much that they are left to `make thorough`.
DEAR = frozenset(
    """
    rectangular_conv_transpose3d unet_block grouped_conv3d conv_transpose3d lenet transformer_block avg_pool3d
    rectangular_conv_transpose2d grouped_conv_transpose3d conv3d conv_transpose2d interpolate_nearest_exact
    multi_head_attention rectangular_avg_pool3d rectangular_conv3d grouped_conv_transpose2d lp_pool2d
    adaptive_max_pool3d masked_multi_head_attention separable_conv2d max_pool3d rectangular_max_pool3d
""".split()
)


# Swept through every step.
DEAR |= {name for name in catalogue if catalogue[name].kind in ("recurrence", "sequences", "stacks", "paths")}
# LAPACK's errors are relative to the norm of the matrix; the measure moves each entry by a unit of its own.
CONDITIONED = frozenset(
    "determinant singular_values nuclear_norm largest_singular_value least_squares kalman_step "
    "kalman_log_likelihood matrix_exponential".split()
)


def swept(name, amount=COARSE, **given):
    dtypes = BOTH if catalogue[name].kind in ("activations", "noise") else SINGLE
    return stability(catalogue[name], **amount, **dtypes, **given)


@pytest.mark.parametrize("name", [name for name in catalogue if name not in {*BROKEN, *FAR, *DEAR, *CONDITIONED}])
def test_the_catalogue_is_within_bounds(name):
    assert (report := swept(name)), report


@pytest.mark.parametrize("name", sorted(CONDITIONED))
def test_what_is_conditioned_is_out_of_bounds(name):
    assert not swept(name), f"{name} is within bounds: take it out of CONDITIONED"


@pytest.mark.parametrize("name", FAR)
def test_the_catalogue_is_within_bounds_near_one(name):
    assert (report := swept(name, reach=NEAR)), report
    assert not swept(name, FINER), f"{name} is within bounds everywhere: take it out of FAR"


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_known_to_break(name):
    assert not swept(name, FINER, reach=NEAR), f"{name} is within bounds: take it out of BROKEN"


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in catalogue if name not in {*BROKEN, *BROKEN_VARIANTS}])
def test_every_variant_is_within_bounds_near_one(name):
    for variant in catalogue[name].variants():
        assert (report := stability(catalogue[name], points=100, reach=NEAR, **variant)), report


@pytest.mark.thorough
@pytest.mark.parametrize("name", BROKEN_VARIANTS)
def test_variants_that_are_known_to_break(name):
    reports = [stability(catalogue[name], points=100, reach=NEAR, **v) for v in catalogue[name].variants()]
    assert not all(reports), f"{name} is within bounds in every variant: take it out of BROKEN_VARIANTS"


# Losses without reduction, of one input or several: held to Σ |xᵢ ∂f/∂xᵢ| / |f| alone, as activations are

NORMED = {"cosine_embedding_loss", "triplet_margin_loss"}  # sums stand within
LOSSES = [name for name in catalogue if catalogue[name].kind in ("losses", "objectives") and name not in NORMED]
APART = [(name, variant) for name in LOSSES for variant in catalogue[name].variants()
         if variant.get("reduction") == "none"]  # fmt: skip


def entrywise(name, variant):
    return stability(catalogue[name], points=40, effort=8000, reach=NEAR, strict=True, **variant)


def cancels(name, variant):
    """With pos_weight, terms that one logarithm would hold; in Stirling's formula, log x − log y for x near y."""
    stirling = ("poisson_nll_loss", True, False)
    return bool(variant.get("pos_weight")) or (name, variant.get("full"), variant.get("log_input")) == stirling


@pytest.mark.parametrize(("name", "variant"), [each for each in APART if not cancels(*each)])
def test_losses_without_reduction_are_within_bounds(name, variant):
    assert (report := entrywise(name, variant)), report


@pytest.mark.parametrize(("name", "variant"), [each for each in APART if cancels(*each)])
def test_losses_without_reduction_that_are_known_to_break(name, variant):
    assert not entrywise(name, variant), f"{name} {variant} is within bounds: it does not cancel"


# Textbook writings: what a user may type, however unwise


def plain_sigmoid(x: T[...]) -> T[...]:
    return 1 / (1 + exp(-x))


def growing_sigmoid(x: T[...]) -> T[...]:
    return exp(x) / (1 + exp(x))


def log_of_sigmoid(x: T[...]) -> T[...]:
    return log(1 / (1 + exp(-x)))


def plain_softplus(x: T[...]) -> T[...]:
    return log(1 + exp(x))


def plain_silu(x: T[...]) -> T[...]:
    return x / (1 + exp(-x))


def tanh_by_exps(x: T[...]) -> T[...]:
    return (exp(x) - exp(-x)) / (exp(x) + exp(-x))


def tanh_by_squares(x: T[...]) -> T[...]:
    return (exp(2 * x) - 1) / (exp(2 * x) + 1)


def plain_mish(x: T[...]) -> T[...]:
    s = log(1 + exp(x))
    return x * (exp(s) - exp(-s)) / (exp(s) + exp(-s))


def log_cosh(x: T[...]) -> T[...]:
    return log((exp(x) + exp(-x)) / 2)


def log_of_more_than_one(x: T[...]) -> T[...]:
    assume(x > 0)
    return log(1 + x)


def exp_minus_one(x: T[...]) -> T[...]:
    return exp(x) - 1


def plain_elu(x: T[...]) -> T[...]:
    return where(x > 0, x, exp(x) - 1)


def log_of_one_minus_exp(x: T[...]) -> T[...]:
    assume(x < 0)
    return log(1 - exp(x))


def complementary_log_log(x: T[...]) -> T[...]:
    return log(1 - exp(-exp(x)))


def logit(p: T[...]) -> T[...]:
    assume(p > 0)
    assume(p < 1)
    return log(p / (1 - p))


def surprise(p: T[...]) -> T[...]:
    assume(p > 0)
    assume(p < 1)
    return -p * log(p)


def one_minus_cosine(x: T[...]) -> T[...]:
    return 1 - cos(x)


def pseudo_huber(x: T[...]) -> T[...]:
    return sqrt(1 + x**2) - 1


def root_or_minus(x: T[...]) -> T[...]:
    return where(x > 0, sqrt(x), -x)


def binary_entropy(x: T[b], y: T[b]) -> T[()]:
    p = 1 / (1 + exp(-x[b]))
    return -mean_over(b, y[b] * log(p) + (1 - y[b]) * log(1 - p))


def focal(x: T[b]) -> T[()]:
    p = 1 / (1 + exp(-x[b]))
    return -mean_over(b, (1 - p) ** 2 * log(p))


def cross_entropy(z: T[b, c], t: T[b, c]) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    return -mean_over(b, sum_over(c, t[b, c] * log(exp(z[b, c]) / sum_over(c, exp(z[b, c])))))


def cross_entropy_of_classes(z: T[b, c], label: Int[b].below(c)) -> T[()]:
    return -mean_over(b, sum_over(c, one_hot(label[b], c) * log(exp(z[b, c]) / sum_over(c, exp(z[b, c])))))


def perplexity(z: T[b, c], t: T[b, c]) -> T[()]:
    assume(equals(sum_over(c, t[b, c]), 1))
    return exp(-mean_over(b, sum_over(c, t[b, c] * log(exp(z[b, c]) / sum_over(c, exp(z[b, c]))))))


def pairwise_choice(x: T[b], y: T[b]) -> T[()]:
    return -mean_over(b, log(exp(x[b]) / (exp(x[b]) + exp(y[b]))))


def log_of_sum(z: T[b, c]) -> T[b]:
    return log(sum_over(c, exp(z[b, c])))


def log_of_one_and_sum(z: T[b, c]) -> T[b]:
    return log(1 + sum_over(c, exp(z[b, c])))


def log_of_mean(z: T[b, c]) -> T[b]:
    return log(mean_over(c, exp(z[b, c])))


def plain_softmax(z: T[b, c]) -> T[b, c]:
    return exp(z[b, c]) / sum_over(c, exp(z[b, c]))


def ratio_of_sums(z: T[b, c], v: T[c]) -> T[b]:
    return sum_over(c, v[c] * exp(z[b, c])) / sum_over(c, exp(z[b, c]))


def log_of_the_others(z: T[b, k]) -> T[b, k]:
    return log(1 - exp(z[b, k]) / sum_over(k, exp(z[b, k])))


def entropy(z: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    return -sum_over(c, p[b, c] * log(p[b, c]))


def divergence(p: T[b, c], q: T[b, c]) -> T[b]:
    assume(equals(sum_over(c, p[b, c]), 1))
    assume(equals(sum_over(c, q[b, c]), 1))
    return sum_over(c, p[b, c] * log(p[b, c] / q[b, c]))


def divergence_of_logits(z: T[b, c], v: T[b, c]) -> T[b]:
    p = let("p", exp(z[b, c]) / sum_over(c, exp(z[b, c])))
    q = let("q", exp(v[b, c]) / sum_over(c, exp(v[b, c])))
    return sum_over(c, p[b, c] * log(p[b, c] / q[b, c]))


def log_likelihood(p: T[b, c]) -> T[b]:
    assume(p[b, c] > 0)
    assume(p[b, c] < 1)
    return log(prod_over(c, p[b, c]))


def noisy_or(p: T[b, c]) -> T[b]:
    assume(p[b, c] > 0)
    assume(p[b, c] < 1)
    return 1 - prod_over(c, 1 - p[b, c])


def norm(x: T[b, c]) -> T[b]:
    return sqrt(sum_over(c, x[b, c] ** 2))


def direction(x: T[b, c]) -> T[b, c]:
    return x[b, c] / sqrt(sum_over(c, x[b, c] ** 2))


def cosine(x: T[b, d], y: T[b, d]) -> T[b]:
    norms = sqrt(sum_over(d, x[b, d] ** 2)) * sqrt(sum_over(d, y[b, d] ** 2))
    return sum_over(d, x[b, d] * y[b, d]) / norms


def distance(x: T[b, d], y: T[c, d]) -> T[b, c]:
    return sqrt(sum_over(d, (x[b, d] - y[c, d]) ** 2))


def variance_by_subtraction(x: T[b, c]) -> T[b]:
    return mean_over(c, x[b, c] ** 2) - mean_over(c, x[b, c]) ** 2


def deviation_by_subtraction(x: T[b, c]) -> T[b]:
    return sqrt(mean_over(c, x[b, c] ** 2) - mean_over(c, x[b, c]) ** 2 + 1e-5)


def largest_gap(x: T[b, c]) -> T[b]:
    return max_over(c, x[b, c]) - mean_over(c, x[b, c])


TEXTBOOK = {
    body.__name__: build(body, body.__name__, {})
    for body in (
        *(plain_sigmoid, growing_sigmoid, log_of_sigmoid, plain_softplus, plain_silu, tanh_by_exps, tanh_by_squares),
        *(plain_mish, log_cosh, log_of_more_than_one, exp_minus_one, plain_elu, log_of_one_minus_exp),
        *(complementary_log_log, logit, surprise, one_minus_cosine, pseudo_huber, root_or_minus, binary_entropy),
        *(focal, cross_entropy, cross_entropy_of_classes, perplexity, pairwise_choice, log_of_sum, log_of_one_and_sum),
        *(log_of_mean, plain_softmax, ratio_of_sums, log_of_the_others, entropy, divergence, divergence_of_logits),
        *(log_likelihood, noisy_or, norm, direction, cosine, distance, variance_by_subtraction),
        *(deviation_by_subtraction, largest_gap),
    )
}
# Held to the condition of the function itself; the others may round each operation as it is written: near 0 the
# logarithm of a mean of exponentials is log S + m − log C, and cancels in every library.
STRICT = frozenset(
    """
    noisy_or variance_by_subtraction deviation_by_subtraction divergence focal binary_entropy
""".split()
)
TEXTBOOK_BROKEN = {
    "complementary_log_log": "eˣ underflows where log(1 − exp(−eˣ)) is x",
}
# Only where magnitudes go beyond NEAR: as PyTorch and numpy.linalg.norm, the code squares what it is given. To divide
# by the largest entry first would cost two passes more, for numbers that float64 holds anyway.
TEXTBOOK_FAR = {
    **dict.fromkeys(("norm", "direction", "cosine", "distance", "deviation_by_subtraction", "pseudo_huber"), SQUARES),
}


def swept_textbook(name, **given):
    return stability(TEXTBOOK[name], **FINER, **SINGLE, strict=True if name in STRICT else None, **given)


@pytest.mark.parametrize("name", [name for name in TEXTBOOK if name not in {*TEXTBOOK_BROKEN, *TEXTBOOK_FAR}])
def test_textbook_writings_are_within_bounds(name):
    assert (report := swept_textbook(name)), report


@pytest.mark.parametrize("name", TEXTBOOK_FAR)
def test_textbook_writings_are_within_bounds_near_one(name):
    assert (report := swept_textbook(name, reach=NEAR)), report
    assert not swept_textbook(name), f"{name} is within bounds everywhere: take it out of TEXTBOOK_FAR"


@pytest.mark.parametrize("name", TEXTBOOK_BROKEN)
def test_textbook_writings_that_are_known_to_break(name):
    assert not swept_textbook(name, reach=NEAR), f"{name} is within bounds: take it out of TEXTBOOK_BROKEN"


def test_constants_keep_their_digits():
    written = [float(n) for n in re.findall(r"-?1\.758\d+", to_numpy(catalogue["alpha_dropout"]).source)]
    assert written and all(abs(n) == 1.6732632423543772 * 1.0507009873554805 for n in written)


# The sweep itself: right code passes, wrong code does not


def softplus_of(x: T[b]) -> T[b]:
    return log(1 + exp(x[b]))


def total(x: T[b]) -> T[()]:
    return sum_over(b, x[b])


SOFTPLUS, TOTAL = build(softplus_of, "softplus_of", {}).trace(), build(total, "total", {}).trace()


def forward_only(traced, function, **given):
    return sweep(traced, Code(lambda **inputs: (function(**inputs), None)), points=60, **given)


def faults(report):
    return {case.fault for row in report.rows for case in row.faults}


def test_right_code_passes():
    report = forward_only(SOFTPLUS, lambda x: np.logaddexp(x.dtype.type(0), x))
    assert report and report.points == 60
    assert {row.dtype for row in report.rows} == {"float32", "float64"}


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: np.log(1 + np.exp(x)), {"inf", "zero", "digits", "overflow"}),
        (lambda x: np.logaddexp(x.dtype.type(0), x) * x.dtype.type(1 + 1e-5), {"digits"}),
        (lambda x: np.where(x > 50, np.nan, np.logaddexp(x.dtype.type(0), x)), {"nan"}),
        (lambda x: np.where(x < -20, x.dtype.type(0), np.logaddexp(x.dtype.type(0), x)), {"zero"}),
        (lambda x: np.logaddexp(x.dtype.type(0), x) + 0 * np.exp(-np.abs(x)) / 0, {"nan", "invalid value"}),
        (lambda x: x["x"], {"IndexError"}),
    ],
    ids=["overflow", "wrong", "nan", "zero", "warns", "raises"],
)
def test_wrong_code_does_not(function, expected):
    report = forward_only(SOFTPLUS, function)
    found = {fault.split(":")[0] for fault in faults(report)}
    assert not report
    assert expected <= found


def test_cancellation_is_conditioning_and_not_error():
    """A sum is accurate relative to its terms: ulp(Σx)·(1 + Σ|x|/|Σx|)."""
    assert forward_only(TOTAL, lambda x: x.sum(), strict=True)
    assert not forward_only(TOTAL, lambda x: x.sum() + x.dtype.type(1e-4) * np.abs(x).sum(), strict=True)


def test_the_worst_number_is_named():
    report = forward_only(SOFTPLUS, lambda x: np.log(1 + np.exp(x)), dtypes=["float32"])
    worst = report.rows[0].worst
    assert report.rows[0].what == "y" and worst.fault
    x, place = worst.inputs["x"], int(re.search(r"\[(\d+)\]", worst.place)[1])
    with mpmath.workdps(60):
        assert float(mpmath.log1p(mpmath.exp(x[place]))) == pytest.approx(float(worst.expected), rel=1e-8)
    assert worst.words in str(report)


def nowhere(x: T[b]) -> T[b]:
    return log(-1 - x[b] ** 2)


def test_a_sweep_of_nothing_does_not_pass():
    report = forward_only(build(nowhere, "nowhere", {}).trace(), lambda x: x)
    assert not report and not faults(report)


@pytest.mark.parametrize(("kind", "y", "ulp"), [
    (np.float32, 1.0, 2.0**-23), (np.float32, 1.99, 2.0**-23), (np.float32, 2.0, 2.0**-22),
    (np.float32, 1e-45, 2.0**-149), (np.float32, 0.0, 2.0**-149), (np.float64, 1.0, 2.0**-52),
    (np.float64, 0.0, 2.0**-1074),
])  # fmt: skip
def test_ulp(kind, y, ulp):
    assert Bound(kind, 8.0).ulp(digits(50).context.mpf(y)) == ulp
    assert float(np.spacing(kind(y))) == ulp or not y


def test_the_command(capsys):
    assert main(["stability", "softplus", "--points", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["passed"] and found["checked"][0]["name"] == "softplus"
    assert {row["what"] for row in found["checked"][0]["rows"]} >= {"y", "d/dinput", "no warning"}
    assert main(["stability", "cosine_similarity", "--points", "20", "--dtype", "float32"]) == 1
    shown = capsys.readouterr().out
    assert "FAIL" in shown and "expected" in shown and "float64" not in shown
    assert main(["stability", "sofplus"]) == 2
    assert main(["stability", "softplus", "--dtype", "float16"]) == 2
    assert main(["stability"]) == 2


def test_an_unknown_dtype_is_named():
    with pytest.raises(DeriveError, match="float16"):
        stability(catalogue["relu"], dtypes=["float16"])


def test_the_command_reads_latex(capsys):
    small = ["--points", "30", "--dtype", "float32", "--json"]
    assert main(["stability", r"-\log\frac{1}{1 + e^{-x_i}}", "--where", "x: n", *small]) == 0
    (found,) = json.loads(capsys.readouterr().out)["checked"]
    assert found["passed"] and {row["what"] for row in found["rows"]} >= {"y", "d/dx", "no warning"}
    assert main(["stability", r"\sqrt{\sum_i x_i^2}", "--where", "x: n", *small]) == 1
    assert main(["stability", r"\log(1 + e^{x})"]) == 2
    assert "x is not declared" in capsys.readouterr().err
    assert main(["stability", "x_i = y_i", "--where", "x: n, y: n"]) == 2
    assert "stability: this is an equation" in capsys.readouterr().err
