"""Training: data as they are given, what is learned, and a way that goes on as if nothing had happened."""

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from derive import (
    DeriveError,
    ShapeError,
    T,
    axes,
    catalogue,
    chain,
    exp,
    formula,
    let,
    maximum,
    mean_over,
    sum_over,
)  # fmt: skip
from derive.cli import main
from derive.train import (
    LBFGS,
    Diverged,
    Plateau,
    Settings,
    Training,
    Wish,
    fans,
    folds,
    initial,
    load,
    network,
    optimiser,
    range_test,
    schedule,
    split,
    trainings,
)  # fmt: skip
from derive.train.aims import aim_of
from derive.train.cells import cells
from derive.train.checkpoint import flat, grown, read, save
from derive.train.data import Data
from derive.train.networks import suited
from derive.train.optimisers import NAMES
from derive.train.owned import Owned
from formulas import conv2d, dense, dropout, mse_loss, relu, tanh

ROOT = Path(__file__).parent.parent
MLP = chain(dense, tanh, dense)
DROPPED = chain(dense, relu, dropout, dense)
b, i, o = axes("b i o")


def blobs(count=120, classes=3, seed=0):
    """Points around as many middles as there are classes."""
    rng = np.random.default_rng(seed)
    t = rng.integers(0, classes, count)
    return Data("blobs", rng.normal(size=(count, 5)) + 3 * np.eye(5)[t], t, tuple(map(str, range(classes))))


def training(model=MLP, data=None, name="adam", path=None, rate=None, **settings):
    data = data or blobs()
    made = Settings(**{"epochs": 4, "batch": 16, **settings})
    part = split(data, 0.25, made.seed, made.dtype)
    steps = LBFGS(history_size=4, max_iter=3) if name == "lbfgs" else optimiser(name)
    return Training(network(model, None, data, {"O_1": 8}), part, steps, rate, made, path)


begun = training


# What is learned


def test_it_learns():
    made = training(epochs=30, rate=lambda t: 0.01)
    curve = made.run()
    assert len(curve.loss) == 30
    assert curve.loss[-1] < 0.3 * curve.loss[0]
    assert curve.metric[-1] > 0.9


def test_numbers_are_learned_as_well():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    data = Data("line", x, (x @ [[1.0], [2.0], [0.0], [-1.0]]) + 3)
    made = Training(network(dense, None, data, {}), split(data, 0.2, 0), optimiser("adam", lr=0.05), None, Settings(20))
    assert made.net.loss.name.endswith("mse_loss")
    made.run()
    assert made.measured(made.best)[1] > 0.999


def test_a_formula_that_is_a_loss_already():
    @formula
    def least_squares(x: T[b, i], w: T[i, o], t: T[b, o]) -> T[()]:
        """Σ (x w − t)²/B."""
        return sum_over((b, o), (sum_over(i, x[b, i] * w[i, o]) - t[b, o]) ** 2) / b.size

    data = Data("line", np.eye(4), np.arange(4.0)[:, None])
    net = network(least_squares, None, data, {})
    assert (net.model, net.x, net.t, net.parameters) == (None, "x", "t", ("w",))
    with pytest.raises(DeriveError, match="is a loss already"):
        network(least_squares, mse_loss, data, {})


def test_masks_are_drawn_for_steps_and_whole_for_checks():
    made = training(DROPPED, dropout=0.4)
    assert made.net.masks == ("keep",)
    assert made._masks(5, kept=True)["keep"].all() and made._masks(5, kept=True)["p"] == 0
    assert 0.5 < made._masks(2000, kept=False)["keep"].mean() < 0.7 and made._masks(5, kept=False)["p"] == 0.4
    assert made.measured(made.params) == made.measured(made.params)
    made.run()


def test_it_stops_where_nothing_gets_better():
    made = training(epochs=200, patience=3, name="sgd", rate=lambda t: 0.0)
    made.run()
    assert made.epoch == 4 and made.since == 3


def test_a_plateau_lowers_the_rate():
    made = training(epochs=6, name="sgd", rate=Plateau(1e-9, {"patience": 1, "factor": 0.5, "eps": 0.0}))
    assert made.run().rate[-1] < 1e-9


def test_schedules_give_the_rate_of_each_step():
    rates = schedule("cosine", lr=0.1, steps=24)
    made = training(name="sgd", rate=rates)
    before = {name: a.copy() for name, a in made.params.items()}
    made.step()
    first = made.params["w_2"] - before["w_2"]
    other = training(name="sgd", rate=lambda t: 0.05)
    other.step()
    np.testing.assert_allclose(first, 2 * (other.params["w_2"] - before["w_2"]), rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize("lr, words", [(1e9, "the loss"), (float("nan"), "the loss is nan")])
def test_divergence_names_the_step_and_the_largest_gradient(lr, words):
    made = training(name="sgd", rate=lambda t: lr, epochs=50)
    with pytest.raises(Diverged, match=rf"diverges at step \d+: {words}.*the largest gradient, of (w|beta)_\d, is"):
        made.run()


def test_a_range_test_suggests_a_rate_that_learns():
    rates, losses, best = range_test(training(name="sgd"))
    assert len(rates) == len(losses) and np.all(np.diff(rates) > 0)
    assert 1e-4 < best < 10
    made = training(name="sgd", rate=lambda t: best, epochs=20)
    assert made.run().metric[-1] > 0.8


# Beside a step


def test_the_average_of_weights_is_what_is_measured():
    """a′ = β a + (1 − β) θ, from the weights after the first step on."""
    made, plain = training(ema=0.8, epochs=2), training(epochs=2)
    average = None
    for _ in range(5):
        made.step()
        plain.step()
        now = {k: a.copy() for k, a in plain.params.items()}
        average = now if average is None else {k: 0.8 * average[k] + 0.2 * a for k, a in now.items()}
    assert all(np.array_equal(made.params[k], plain.params[k]) for k in made.params)
    for k, a in average.items():
        np.testing.assert_allclose(made.average[k], a, rtol=1e-5, atol=1e-7)
    made.run()
    assert made.curve.held[-1] == made.measured(made.average)[0] != made.measured(made.params)[0]


@pytest.mark.parametrize("name, options", [
    ("sgd", {}), ("adam", {}), ("adam", {"clip": "global", "most": 0.1}), ("adamw", {"clip": "norm", "most": 0.1}),
    ("lamb", {}), ("novograd", {}), ("rprop", {}),
])  # fmt: skip
def test_what_a_training_writes_into_is_what_update_makes(name, options):
    """Bit for bit; also where a large parameter stands alone, and where somebody puts another one in its place."""
    rng = np.random.default_rng(0)
    shapes = {"w": (30, 4), "b": (4,), "large": (130, 130)}
    params = {n: rng.normal(size=shape).astype("f4") for n, shape in shapes.items()}
    step = optimiser(name, **options)
    owned, state, states = Owned(step, params), step.init(params), step.init(params)
    kept = {n: a.copy() for n, a in params.items()}
    expected = params
    for t in range(5):
        grads = {n: rng.normal(size=shape).astype("f4") for n, shape in shapes.items()}
        changed = {"lr": 0.01 / (t + 1)} if "lr" in step.defaults else {}
        expected, states = step.update(expected, grads, states, **changed)
        state = owned.step(grads, state, changed)
        for n, a in expected.items():
            np.testing.assert_array_equal(owned.params[n], a)
    for n, a in kept.items():
        np.testing.assert_array_equal(params[n], a)
    assert owned.holds(owned.params) and not owned.holds(dict(owned.params))
    if owned.views:
        owned.params["b"] = owned.params["b"].copy()
        assert not owned.holds(owned.params)


def test_weights_put_in_place_of_others_are_trained_on():
    one, two = training(), training()
    for made in (one, two):
        made.step()
    one.params = {k: 0.5 * a for k, a in one.params.items()}
    for k in two.params:
        two.params[k] = 0.5 * two.params[k]
    for made in (one, two):
        made.step()
        made.step()
    assert all(np.array_equal(one.params[k], a) for k, a in two.params.items())


def test_a_sharp_step_takes_its_gradient_at_the_worst_place_nearby():
    """Foret et al. (2021), algorithm 1: the gradient at θ + ρ g/‖g‖."""
    made, plain = training(sam=0.3, name="sgd", dtype="float64"), training(name="sgd", dtype="float64")
    start = {k: a.copy() for k, a in plain.params.items()}
    rows = plain.data.train.at(plain.order[:16])
    given = {plain.net.x: rows.x, plain.net.t: plain.net.targets(rows)}
    _, g = plain.net.code.value_and_grad(**given, **start)
    norm = np.sqrt(sum(np.sum(a**2) for a in g.values()))
    _, worst = plain.net.code.value_and_grad(**given, **{k: start[k] + 0.3 * a / norm for k, a in g.items()})
    made.step()
    for k, a in start.items():
        np.testing.assert_allclose(made.params[k], a - 1e-3 * worst[k], rtol=1e-10)


@pytest.mark.parametrize("search", [None, "strong_wolfe"])
def test_limited_memory_bfgs_trains(search):
    data = blobs()
    made = Training(
        network(MLP, None, data, {"O_1": 8}),
        split(data, 0.25, 0),
        LBFGS(line_search_fn=search),
        None,
        Settings(4, 10**9),
    )
    curve = made.run()
    assert made.step_number == 4 and curve.loss[-1] < 0.05 * curve.loss[0] and curve.metric[-1] > 0.8


@pytest.mark.parametrize("function", [relu, tanh])
def test_no_array_of_a_step_has_letters_of_two_layers(function):
    """Gradients of weights alone: Σ where(z > 0, Σ …, 0) must not become one sum over everything."""
    data = blobs()
    net = network(chain(dense, function, dense), None, data, {"O_1": 8})
    assert not re.search(
        r"None, :, :, :|:, :, None\b", net.code.source.split("def value_and_grad")[1].split("def checked")[0]
    )


def test_data_are_checked_at_the_first_step_of_a_shape_and_wrong_ones_later_as_well():
    made = training(seed=1)
    made.step()
    x, t = (a[:16] for a in made._given.values())
    given = dict(zip(made._given, (x, t), strict=True))
    value, grads = made.net.valued(given)(made.params)
    again, others = made.net.code.value_and_grad(**given, **made.params)
    assert value == again and all(np.array_equal(grads[k], others[k]) for k in grads)
    with pytest.raises(ShapeError, match="expected shape"):
        made.net.valued({**given, made.net.t: t[:3]})(made.params)


# Of one's own, by file

OWN = """
from derive import Int, Scalar, T, axes, formula, let, sum_over
n, b, i, o = axes("n b i o")

@formula
def heavy(theta: T[...], g: T[...], speed: T[...], *, lr: Scalar = 0.1) -> tuple[T[...], T[...]]:
    v = let("v", 0.9 * speed - lr * g)[()]
    return theta + v, v

@formula
def falling(t: Int[n], *, lr: Scalar = 0.1, rate: Scalar = 0.01) -> T[n]:
    return lr / (1 + rate * t[n])

@formula
def neither(x: T[b, i], w: T[i, o]) -> T[b, o]:
    return sum_over(i, x[b, i] * w[i, o])
"""


@pytest.mark.parametrize("options, code, words", [
    (["--optimizer", "mine.py:heavy(lr=0.02)", "--schedule", "mine.py:falling(rate=0.1)"], 0, "accuracy"),
    (["--optimizer", "mine.py:neither"], 2, "neither: expected inputs theta, g and the state"),
    (["--schedule", "mine.py:neither"], 2, "neither: expected a schedule, from the steps t: Int[n] to T[n]"),
    (["--optimizer", "mine.py:heavi"], 2, "did you mean 'heavy'"),
    (["--optimizer", "mine.py:heavy(rl=3)"], 2, "heavy: no option 'rl'"),
    (["--optimizer", "adam(beta1=2)"], 2, "adam: beta1: expected"),
])  # fmt: skip
def test_optimisers_and_schedules_of_a_file(options, code, words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(OWN, encoding="utf-8")
    found = main(["train", "dense", "--data", "breast_cancer", "--epochs", "2", *options])
    captured = capsys.readouterr()
    assert found == code and words in captured.out + captured.err


# Text


def networks_of_text(name):
    return catalogue_of(ROOT / "examples" / "text.py")[name]


def catalogue_of(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def test_pieces_of_a_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("abcabcabcabd", encoding="utf-8")
    data = load(str(path), window=4)
    assert data.classes == ("a", "b", "c", "d") and data.running
    np.testing.assert_array_equal(data.x, [[0, 1, 2, 0], [1, 2, 0, 1]])
    np.testing.assert_array_equal(data.t, [[1, 2, 0, 1], [2, 0, 1, 2]])
    part = split(data, 0.5, 0)
    assert len(part.train) == len(part.held) == 1 and part.train.x.dtype == data.x.dtype


@pytest.mark.parametrize("name, sizes, lr", [
    ("lstm", {"D": 16, "H": 32}, 0.02), ("transformer", {"D": 32, "H": 2, "E": 16, "M": 64}, 0.01)
])  # fmt: skip
def test_text_is_learned(name, sizes, lr, tmp_path):
    """Blind guesses cost log 27 = 3.3 nats a character; the licence of this project, six times, soon less than 2."""
    path = tmp_path / "text.txt"
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8").lower()
    path.write_text("".join(c if c.isalpha() else " " for c in licence) * 6, encoding="utf-8")
    data = load(str(path), window=16)
    wish = Wish(options={"lr": lr}, sizes=sizes, settings=Settings(12, 16, scheme="lecun"), clip="global")
    (made,) = trainings(networks_of_text(name), data, wish)
    assert made.net.x == "x" and made.net.t == "target"
    curve = made.run()
    assert curve.loss[0] > 2.3 and curve.held[-1] < 2.0


# Where weights begin


def test_fans_are_read_from_the_sums():
    data = blobs()
    net = network(MLP, None, data, {"O_1": 8})
    assert fans(net.loss, "w_1", net.lengths) == (5, 8)
    images = Data("images", np.zeros((4, 3, 6, 6)), np.arange(4) % 2, ("a", "b"))
    model = chain(conv2d.fixed(bias=False), mean_over_places())
    net = network(model, None, images, {"O": 2, "R": 3, "Q": 3})
    assert fans(net.loss, "weight", net.lengths) == (27, 2)


def mean_over_places():
    n, c, y, z = axes("n c y z")

    @formula(name="mean_over_places")
    def mean(x: T[n, c, y, z]) -> T[n, c]:
        """Σ x/(Y Z)."""
        return sum_over((y, z), x[n, c, y, z]) / (y.size * z.size)

    return mean


@pytest.mark.parametrize("scheme, variance", [("he", 2 / 400), ("lecun", 1 / 400), ("glorot", 2 / 500)])
def test_variance_of_the_first_weights(scheme, variance):
    data = Data("wide", np.zeros((8, 400)), np.arange(8) % 2, ("a", "b"))
    net = network(MLP, None, data, {"O_1": 100})
    params = initial(net, scheme, np.random.default_rng(0), "float64")
    assert params["w_1"].var() == pytest.approx(variance, rel=0.05)
    assert not params["beta_1"].any()


# Data


def test_a_split_keeps_shares_of_classes_and_standardises_by_what_is_trained_on():
    part = split(blobs(400), 0.25, 0)
    assert len(part.train) + len(part.held) == 400
    shares = [np.bincount(d.t) / len(d) for d in (part.train, part.held)]
    np.testing.assert_allclose(*shares, atol=0.02)
    np.testing.assert_allclose(part.train.x.mean(axis=0), 0, atol=1e-5)
    assert abs(part.held.x.mean(axis=0)).max() > 1e-4


def test_folds_hold_every_sample_out_once():
    data = replace(blobs(100), x=np.arange(100.0)[:, None] + np.zeros((1, 2)))
    held = [part.held for part in folds(data, 5, 0)]
    assert sum(map(len, held)) == 100 and {len(h) for h in held} <= {19, 20, 21}
    with pytest.raises(DeriveError, match="--folds 1"):
        folds(data, 1, 0)


def test_cells_are_the_same_for_a_seed_and_no_pixel_statistic_tells_them_apart():
    images, labels = cells(600, seed=1)
    again, _ = cells(600, seed=1)
    np.testing.assert_array_equal(images, again)
    assert images.shape == (600, 1, 24, 24) and labels.mean() == 0.5
    flat_ = images.reshape(600, -1)
    statistics = [flat_.mean(1), flat_.std(1), flat_.min(1), flat_.max(1), np.median(flat_, axis=1), flat_[:, 300]]
    for values in statistics:
        right = max(max(np.mean((values > c) == labels), np.mean((values <= c) == labels)) for c in values)
        assert right < 0.65


CSV = {
    "text": ("a,b,t\n1,2,0\n3,x,1\n", r"line 3: b: expected a number, given 'x'"),
    "missing": ("a,b,t\n1,2,0\n,4,1\n", r"line 3: a is missing"),
    "na": ("a,b,t\n1,NA,0\n3,4,1\n", r"line 2: b is missing"),
    "no target": ("a,b,t\n1,2,0\n3,4,\n", r"line 3: t is missing"),
    "one class": ("a,b,t\n1,2,yes\n3,4,yes\n", r"every target is 'yes': with one class there is nothing to learn"),
    "ragged": ("a,b,t\n1,2,0\n3,4\n", r"line 3: expected 3 values as in the header, given 2"),
    "empty": ("a,b,t\n", r"expected a header and rows"),
    "alone": ("t\n1\n2\n", r"expected a column for the target and at least one more"),
    "infinite": ("a,t\n1,0\ninf,1\n", r"x\[1, 0\] is no finite number"),
}


@pytest.mark.parametrize("text, words", CSV.values(), ids=CSV)
def test_what_a_csv_must_not_be(text, words, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeriveError, match=words):
        load(str(path))


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_columns_stand_between_commas_semicolons_or_tabs(comma, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("\ufeff" + "\r\n".join(["a|'b, c'|y", *(f"{k}|{k * k}|{k % 2}" for k in range(6))])
                    .replace("|", comma).replace("'", '"') + "\r\n", encoding="utf-8", newline="")  # fmt: skip
    found = load(str(path))
    assert found.classes == ("0", "1") and found.x.tolist() == [[k, k * k] for k in range(6)]


def test_csv_targets_are_classes_or_numbers(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("kind,a,size\nred,1,0.5\nblue,2,1.5\nred,3,2.5\n", encoding="utf-8")
    with pytest.raises(DeriveError, match="kind: expected a number"):
        load(str(path))
    data = load(str(path), "kind")
    assert data.classes == ("blue", "red")
    np.testing.assert_array_equal(data.t, [1, 0, 1])
    np.testing.assert_array_equal(data.x, [[1, 0.5], [2, 1.5], [3, 2.5]])
    path.write_text("a,t\n1,0.5\n2,1.5\n", encoding="utf-8")
    assert load(str(path)).classes == () and load(str(path)).t.shape == (2, 1)


def test_arrays_of_a_file(tmp_path):
    path = tmp_path / "arrays.npz"
    np.savez(path, x=np.ones((4, 3)), y=np.array(["no", "yes", "no", "yes"]))
    assert load(str(path)).classes == ("no", "yes")
    np.savez(path, x=np.ones((4, 3)))
    with pytest.raises(DeriveError, match=r"expected an array t \(or y, .*\), it holds x"):
        load(str(path))
    np.savez(path, x=np.ones((4, 3)), t=np.arange(3))
    with pytest.raises(DeriveError, match="4 samples and 3 targets"):
        load(str(path))
    path.write_bytes(b"PK no")
    with pytest.raises(DeriveError, match="cannot be read as NPZ"):
        load(str(path))


def arrays(tmp_path, **given):
    path = tmp_path / "arrays.npz"
    np.savez(path, **given)
    return load(str(path))


ROWS = np.arange(12.0).reshape(6, 2)
CLASSES = np.array([1, 2, 3, 1, 2, 3])


@pytest.mark.parametrize("x, t", [("X", "y"), ("images", "labels"), ("features", "target")])
@pytest.mark.parametrize("kind", [int, float, np.uint8, lambda t: t[:, None], str, lambda t: t.astype("S1")])
def test_samples_and_targets_have_several_names_and_kinds(x, t, kind, tmp_path):
    kind = kind if callable(kind) and not isinstance(kind, type) else lambda t, to=kind: t.astype(to)
    data = arrays(tmp_path, **{x: ROWS, t: kind(CLASSES)})
    assert data.classes == ("1", "2", "3") and data.t.tolist() == [0, 1, 2, 0, 1, 2]
    np.testing.assert_array_equal(data.x, ROWS)


def test_targets_that_are_no_classes(tmp_path):
    marks = arrays(tmp_path, x=ROWS, t=[[0, 1], [1, 1], [0, 0], [1, 0], [1, 1], [0, 1]])
    assert marks.marked and not marks.classes
    assert arrays(tmp_path, x=np.ones((60, 2)), t=np.arange(60)).classes == ()  # each comes once
    with pytest.raises(DeriveError, match=r"every target is .*: there is nothing to learn"):
        arrays(tmp_path, x=ROWS, t=np.full(6, 1.5))
    with pytest.raises(DeriveError, match="no class has two samples"):
        split(arrays(tmp_path, x=ROWS, t=list("abcdef")), 0.2, 0)


def test_samples_with_a_channel_and_without(tmp_path):
    images = np.random.default_rng(0).normal(size=(8, 1, 6, 6))
    found = [network(chain(conv2d.fixed(bias=False), mean_over_places()), None,
                     Data("images", x, np.arange(8) % 2, ("a", "b")), {"O": 2, "R": 3, "Q": 3})
             for x in (images, images[:, 0])]  # fmt: skip
    assert [net.samples(images[:, 0]).shape for net in found] == [(8, 1, 6, 6)] * 2


# What a loss asks of its targets


@formula
def squared_hinge(z: T[b, o], t: T[b, o]) -> T[()]:
    """Mean of max(0, 1 − t z)², for targets −1 and 1."""
    return mean_over((b, o), maximum(1 - t[b, o] * z[b, o], 0) ** 2)


@pytest.mark.parametrize("loss, numbers, distance, signs, middle", [
    ("mse_loss", True, True, False, 0.5), ("huber_loss", True, True, False, 0.5),
    ("poisson_nll_loss", True, False, False, None), ("softmax_cross_entropy", False, False, False, None),
    ("binary_cross_entropy", False, False, False, 0.5), ("binary_cross_entropy_with_logits", False, False, False, 0),
    ("soft_margin_loss", False, False, True, 0), ("hinge_loss", False, False, True, 0),
    (squared_hinge, False, False, True, 0),
])  # fmt: skip
def test_what_a_loss_asks_of_its_targets(loss, numbers, distance, signs, middle):
    aim = aim_of(catalogue[loss] if isinstance(loss, str) else loss)
    assert (aim.numbers, aim.distance, aim.signs) == (numbers, distance, signs)
    assert middle is None or aim.middle == middle


@pytest.mark.parametrize("loss", ["soft_margin_loss", "binary_cross_entropy_with_logits", "mse_loss", squared_hinge])
@pytest.mark.parametrize("sizes", [{}, {"O": 1}])
def test_two_classes_by_any_loss(loss, sizes):
    """Targets are what the loss asks for, and what is right is told by where it has its middle."""
    named = catalogue[loss] if isinstance(loss, str) else loss
    settings = Settings(10)
    wish = Wish(options={"lr": 0.03}, loss=named, sizes=sizes, settings=settings)
    (made,) = trainings(dense, blobs(200, 2), wish)
    assert made.run().metric[-1] > 0.9


def test_counts_and_grades_are_numbers_where_the_loss_says_so(tmp_path):
    data = arrays(tmp_path, x=ROWS, t=CLASSES)
    assert suited(MLP, None, data).classes == data.classes
    assert suited(MLP, catalogue["softmax_cross_entropy"], data).classes == data.classes
    for name in ("huber_loss", "poisson_nll_loss"):
        assert suited(MLP, catalogue[name], data).t.tolist() == [[1], [2], [3], [1], [2], [3]]
    (made,) = trainings(dense, data, Wish(loss=catalogue["poisson_nll_loss"]))
    assert set(made.data.train.t.ravel().tolist()) <= {1, 2, 3}  # left as they are
    assert np.isnan(made.measured(made.params)[1])  # what it foretells is a logarithm


@pytest.mark.parametrize("poisson", [False, True])
def test_a_model_with_its_own_loss_says_as_well_what_it_asks_for(poisson, tmp_path):
    @formula
    def regression(x: T[b, i], t: T[b], w: T[i]) -> T[()]:
        """Of numbers or of counts."""
        z = let("z", sum_over(i, x[b, i] * w[i]))
        return mean_over(b, exp(z[b]) - t[b] * z[b] if poisson else (z[b] - t[b]) ** 2)

    (made,) = trainings(regression, arrays(tmp_path, x=ROWS, t=CLASSES), Wish())
    assert made.net.aim.distance is not poisson
    assert (set(made.data.train.t.ravel().tolist()) <= {1, 2, 3}) is poisson


def test_marks_are_learned(tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    (made,) = trainings(dense, arrays(tmp_path, x=x, t=(x[:, :2] > 0).astype(int)), Wish(options={"lr": 0.05}))
    assert made.net.loss.name.endswith("binary_cross_entropy_with_logits")
    assert made.run().metric[-1] > 0.9


def test_a_loss_without_targets():
    h = axes("h")[0]

    @formula
    def autoencoder(x: T[b, i], w: T[i, h], v: T[h, i]) -> T[()]:
        """‖x − x W V‖², its mean."""
        code = let("code", sum_over(i, x[b, i] * w[i, h]))
        return mean_over((b, i), (x[b, i] - sum_over(h, code[b, h] * v[h, i])) ** 2)

    (made,) = trainings(autoencoder, blobs(), Wish(options={"lr": 0.02}, sizes={"H": 3}, settings=Settings(15)))
    assert made.net.t is None
    curve = made.run()
    assert curve.held[-1] < 0.7 * curve.held[0] and np.isnan(curve.metric[-1])


@pytest.mark.parametrize(
    "error, words, call",
    [
        (DeriveError, "did you mean 'digits'", lambda: load("digit")),
        (DeriveError, "there is no such file", lambda: load("nowhere.csv")),
        (DeriveError, "no parameters", lambda: network(relu, None, blobs(), {})),
        (ShapeError, "samples of a.txt are places of characters", lambda: network(MLP, None, text(), {})),
        (ShapeError, "samples of blobs are numbers", lambda: network(networks_of_text("lstm"), None, blobs(), {})),
        (DeriveError, "--window 3: only a text", lambda: load("cells", window=3)),
        (DeriveError, "--ema 1.0: expected a share", lambda: Wish(settings=Settings(ema=1.0))),
        (DeriveError, "lbfgs: it takes no --clip", lambda: trainings(MLP, blobs(), Wish("lbfgs", clip="value"))),
        (DeriveError, "lbfgs: it takes no --sam", lambda: trainings(MLP, blobs(), Wish("lbfgs", settings=SHARP))),
        (DeriveError, "did you mean 'max_iter'", lambda: trainings(MLP, blobs(), Wish("lbfgs", {"max_ite": 1}))),
        (DeriveError, "max_iter: expected a whole number", lambda: LBFGS(max_iter=0.5)),
        (DeriveError, "strong_wolfe", lambda: LBFGS(line_search_fn="wolfe")),
        (
            DeriveError,
            "beta1: expected a number of at least 0 and below 1, given 'x'",
            lambda: optimiser("adam", beta1="x"),
        ),
        (DeriveError, "adam: beta2: expected .* below 1, given 1", lambda: optimiser("adam", beta2=1)),
        (DeriveError, "sgd: lr: expected a number of at least 0, given -1", lambda: optimiser("sgd", lr=-1)),
        (DeriveError, "eps: expected a number of at least 0", lambda: optimiser("adam", eps=-1e-8)),
        (DeriveError, "etaplus: expected a number above 1, given 0.5", lambda: optimiser("rprop", etaplus=0.5)),
        (DeriveError, "most: expected a positive number", lambda: optimiser("sgd", clip="global", most=0)),
        (DeriveError, "T_max: expected a whole number of at least 1, given 0", lambda: schedule("cosine", T_max=0)),
        (DeriveError, "step: gamma: expected a positive number", lambda: schedule("step", gamma=-1)),
        (DeriveError, "pct_start: expected a number from 0 to 1", lambda: schedule("one_cycle", pct_start=2)),
        (DeriveError, "milestones: expected steps such as 30 60", lambda: schedule("multistep", milestones=[-3])),
        (DeriveError, "plateau: factor: expected", lambda: Plateau(0.1, {"factor": 2})),
        (DeriveError, "plateau: no option 'patienc'.*patience", lambda: Plateau(0.1, {"patienc": 2})),
        (DeriveError, "dense: expected a schedule, from the steps t", lambda: schedule(dense)),
        (DeriveError, "--loss relu: expected a formula of", lambda: network(MLP, relu, blobs(), {})),
        (ShapeError, r"samples of blobs have shape \(5,\)", lambda: network(conv2d, None, blobs(), {})),
        (DeriveError, "--size Q=3.*has the lengths", lambda: network(MLP, None, blobs(), {"Q": 3})),
        (ShapeError, "--size I=3: the data say 5", lambda: network(MLP, None, blobs(), {"I": 3})),
        (DeriveError, "--init.*did you mean 'glorot'", lambda: Wish(settings=Settings(scheme="gloro"))),
        (DeriveError, "--lr -1", lambda: Wish(lr=-1.0)),
        (DeriveError, "--schedule cosine: rprop has no rate", lambda: trainings(MLP, blobs(), COSINE_RPROP)),
    ],
)
def test_errors_say_what_was_expected(error, words, call):
    with pytest.raises(error, match=words):
        call()


def text():
    return Data("a.txt", np.zeros((4, 3), int), np.zeros((4, 3), int), ("a", "b"), running=True)


SHARP = Settings(sam=0.1)
COSINE_RPROP = Wish(optimiser="rprop", schedule="cosine")


# Checkpoints


def same(one, two):
    """Bit for bit the same weights, state, generator and curve."""
    for a, b_ in (
        (one.params, two.params),
        (one.weights, two.weights),
        (one.state["states"], two.state["states"]),
        (one.best, two.best),
    ):
        a, b_ = flat(a), flat(b_)
        assert a.keys() == b_.keys()
        assert all(a[k].tobytes() == b_[k].tobytes() for k in a)
    assert one.rng.bit_generator.state == two.rng.bit_generator.state
    assert (one.epoch, one.curve.loss, one.curve.held) == (two.epoch, two.curve.loss, two.curve.held)
    return True


BESIDE = {"averaged": {"ema": 0.9}, "sharp": {"sam": 0.1, "ema": 0.9}}


@pytest.mark.parametrize("name", ["sgd", "adam", "nadam", "rprop", "adafactor", *BESIDE, "lbfgs"])
def test_a_resumed_training_goes_the_same_way(name, tmp_path):
    path, settings = tmp_path / "half.npz", BESIDE.get(name, {})
    name = "adam" if settings else name
    rate = None if name in ("rprop", "lbfgs") else schedule("cosine", lr=0.01, steps=24)

    def training(model, name, rate):
        return begun(model, name=name, rate=rate, **settings)

    whole = training(DROPPED, name=name, rate=rate)
    for _ in range(9):
        if whole.place >= len(whole.order):
            whole._close()
        whole.step()
    whole.path = path
    whole.save()
    resumed = training(DROPPED, name=name, rate=rate)
    resumed.resume(path)
    assert resumed.step_number == 9
    whole.path = None
    whole.run()
    resumed.run()
    assert same(whole, resumed)


def test_a_checkpoint_of_another_training_is_refused(tmp_path):
    path = tmp_path / "one.npz"
    made = training(path=path)
    made.save()
    with pytest.raises(DeriveError, match="another training: optimiser was"):
        training(name="sgd").resume(path)
    with pytest.raises(DeriveError, match="another training: batch was 16, and is now 8"):
        training(batch=8).resume(path)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(DeriveError, match="no checkpoint of derive, or is torn"):
        training().resume(path)
    with pytest.raises(DeriveError, match="no such checkpoint"):
        training().resume(tmp_path / "none.npz")


def test_arrays_in_nested_dictionaries_come_back(tmp_path):
    tree = {"params": {"w": np.ones((2, 3)), "b": np.zeros(3)}, "states": {"w": (np.ones(2), np.asarray(1.0))}}
    save(tmp_path / "a.npz", flat(tree), {"n": 1})
    arrays, facts = read(tmp_path / "a.npz")
    assert facts == {"n": 1} and flat(grown(tree, arrays)).keys() == flat(tree).keys()
    assert os.listdir(tmp_path) == ["a.npz"]


KILLED = """
import sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.test_training import *
made = training(DROPPED, path=Path(sys.argv[1]), epochs=100000, every=1)
if made.path.exists():
    made.resume(made.path)
print(made.step_number, flush=True)
made.run()
"""


def _number(path):
    """The step of the checkpoint; reading it also shows that it is whole."""
    return read(path)[1]["now"]["t"] if path.exists() else -1


@pytest.mark.parametrize("delays", [(0.3, 0.12)])
def test_a_killed_training_loses_nothing_but_the_last_steps(delays, tmp_path):
    """kill −9 at some moment, and again: each time the checkpoint is whole, and goes on the way of an unkilled run."""
    path, reached = tmp_path / "run.npz", 0
    for delay in delays:
        command = [sys.executable, "-c", KILLED.format(root=str(ROOT)), str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert int(process.stdout.readline()) >= reached
        until = time.monotonic() + 60
        while _number(path) <= reached and time.monotonic() < until:
            time.sleep(0.01)
        time.sleep(delay)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        _, facts = read(path)
        assert facts["now"]["t"] > reached
        reached = facts["now"]["t"]
    resumed = training(DROPPED, epochs=100000, every=1)
    resumed.resume(path)
    whole = training(DROPPED, epochs=100000, every=1)
    while whole.step_number < reached or whole.epoch < resumed.epoch:
        if whole.place >= len(whole.order):
            whole._close()
        else:
            whole.step()
    assert same(whole, resumed)


# The commands


def derive(*words):
    return main([*words])


def trained(capsys, *words):
    code = derive("train", *words)
    out, err = capsys.readouterr()
    return code, out, err


TARGET = "dense >> tanh >> dense"


@pytest.fixture(name="table")
def _table(tmp_path):
    data = blobs()
    path = tmp_path / "blobs.csv"
    lines = ["a,b,c,d,e,t", *(",".join([*map(str, x), str(t)]) for x, t in zip(data.x, data.t, strict=True))]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


def test_a_file_is_trained_on_and_the_rest_is_written(table, tmp_path, capsys):
    out, curves = tmp_path / "p.npz", tmp_path / "c.svg"
    code, text, err = trained(capsys, TARGET, "--data", table, "--epochs", "8", "-o", str(out), "--curves", str(curves))
    assert code == 0 and "accuracy" in text
    assert "O_1=32; another length with --size" in err
    with np.load(out) as held:
        assert {k: held[k].shape for k in held.files} == {
            "w_1": (5, 32), "beta_1": (32,), "w_2": (32, 3), "beta_2": (3,)
        }  # fmt: skip
    assert curves.read_text(encoding="utf-8").startswith("<?xml")


def test_it_goes_on_from_a_checkpoint(table, tmp_path, capsys):
    path = str(tmp_path / "run.npz")
    words = (TARGET, "--data", table, "--size", "O_1=4", "--checkpoint", path, "--json")
    assert trained(capsys, *words, "--epochs", "2")[0] == 0
    assert trained(capsys, *words, "--epochs", "4")[0] == 2
    code, text, err = trained(capsys, *words, "--epochs", "4", "--resume")
    assert code == 0 and "going on from step 6, epoch 3" in err
    once = json.loads(trained(capsys, *words[:5], "--json", "--epochs", "4")[1])
    assert json.loads(text)["held_loss"] == once["held_loss"]


def test_the_plan_comes_before_the_work(table, capsys):
    code, text, _ = trained(capsys, TARGET, "--data", table, "--size", "O_1=4", "--plan", "--json")
    found = json.loads(text)
    assert code == 0 and found["parameters"] == 5 * 4 + 4 + 4 * 3 + 3
    assert found["bytes of state"] == 2 * found["bytes of parameters"] == 8 * found["parameters"]
    assert found["flops in all"] == found["steps"] * found["flops a step"] > 0


@pytest.mark.parametrize(
    "words, code, what",
    [
        (("--lr", "1e9", "--optimizer", "sgd"), 1, "training diverges at step"),
        (("--optimizer", "adamm"), 2, "did you mean 'adam'"),
        (("--optimizer", "adam(beta3=1)"), 2, "no option 'beta3'"),
        (("--schedule", "cosin"), 2, "did you mean 'cosine'"),
        (("--clip-at", "1"), 2, "expected --clip"),
        (("--clip", "global", "--clip-at", "0"), 2, "expected a positive number"),
        (("--weight-decay", "0.1"), 2, "expected --decay"),
        (("--schedule", "multistep"), 2, 'as text multistep(milestones="30 60")'),
        (("--optimizer", "lbfgz"), 2, "did you mean 'lbfgs'"),
        (("-o", "no/such/folder/p.npz"), 2, "there is no folder"),
        (("--resume",), 2, "expected --checkpoint"),
        (("--size", "H"), 2, "expected a length such as H=32"),
        (("--folds", "5", "-o", "x.npz"), 2, "leave --checkpoint and --output out"),
        (("--loss", "mse_los"), 2, "did you mean 'mse_loss'"),
        (("--checkpoint", "no/such/folder/x.npz"), 2, "there is no folder"),
        (("--curves", "x.gif"), 2, "expected a name that ends in .png or .svg"),
    ],
)
def test_exit_codes_and_one_clear_line(words, code, what, table, capsys):
    found, out, err = trained(capsys, TARGET, "--data", table, "--size", "O_1=4", "--epochs", "3", *words)
    assert found == code and what in err and not out
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", [*NAMES, "lbfgs(line_search_fn=strong_wolfe)"])
def test_every_optimiser_by_its_name(name, table, capsys):
    code, out, err = trained(capsys, TARGET, "--data", table, "--size", "O_1=4", "--epochs", "2", "--optimizer", name)
    assert code == 0 and "2 epochs" in out and not err


def test_models_beside_each_other(table, capsys):
    assert derive("compare", "dense", TARGET, "--data", table, "--size", "O_1=4", "--json") != 0  # dense has no O_1
    capsys.readouterr()
    assert derive("compare", "dense", TARGET, "--data", table, "--epochs", "3", "--json") == 0
    one, two = json.loads(capsys.readouterr().out)
    assert one["parameters"] < two["parameters"] and one["flops_a_step"] < two["flops_a_step"]


@pytest.mark.needs("sklearn")
def test_five_folds_of_breast_cancer(capsys):
    words = ("--data", "breast_cancer", "--size", "O_1=16", "--folds", "5", "--schedule", "cosine", "--lr", "0.01")
    code, text, _ = trained(capsys, TARGET, *words, "--json")
    found = json.loads(text)
    assert code == 0 and len(found["held_metric"]) == 5
    assert found["mean"] >= 0.97


@pytest.mark.thorough
@pytest.mark.needs("sklearn")
def test_digits_by_a_convolutional_network(capsys):
    words = ("--size", "O=16,K=64", "--dropout", "0.5", "--schedule", "cosine", "--lr", "0.003", "--epochs", "40")
    code, text, _ = trained(capsys, "examples/networks.py:digits", "--data", "digits", *words, "--json")
    assert code == 0 and json.loads(text)["mean"] >= 0.98


@pytest.mark.thorough
def test_cells_by_a_convolutional_network_and_not_by_a_linear_one(capsys):
    words = ("--data", "cells", "--size", "O=8,K=16", "--schedule", "cosine", "--lr", "0.01", "--epochs", "12")
    code, text, _ = trained(capsys, "examples/networks.py:cells", *words, "--batch", "64", "--json")
    assert code == 0 and json.loads(text)["mean"] >= 0.95
    code, text, _ = trained(capsys, "dense", "--data", "cells", "--epochs", "12", "--json")
    assert code == 0 and json.loads(text)["mean"] <= 0.6
