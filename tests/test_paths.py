"""Sums over all paths: each against its enumeration on small cases, and what does not fit is refused."""

import itertools

import numpy as np
import pytest

import formulas
from derive import AssumptionError, ShapeError, to_numpy

RNG = np.random.default_rng
SCORES = RNG(0).normal(size=(4, 3))
GAMMA, GAP = 0.7, 0.4
DELETION, INSERTION = RNG(1).normal(size=4), RNG(2).normal(size=3)


def log_sum(values):
    return np.log(np.sum(np.exp(values)))


def ways(rows, columns, price, start=(0, 0)):
    """The price of every way through a table from `start`: (last entry, total), by steps down, right or both."""
    found = []

    def on(entry, total):
        found.append((entry, total))
        for down, right in ((1, 1), (1, 0), (0, 1)):
            reached = (entry[0] + down, entry[1] + right)
            if reached[0] < rows and reached[1] < columns:
                on(reached, total + price(entry, reached))

    on(start, 0.0)
    return found


def through(rows, columns, price):
    return np.array([total for entry, total in ways(rows, columns, price) if entry == (rows - 1, columns - 1)])


def aligned(entry, reached, aslant, down, right):
    """What a step costs: a pair of letters, or one letter alone."""
    if reached[0] > entry[0] and reached[1] > entry[1]:
        return aslant[entry]
    return down[entry[0]] if reached[0] > entry[0] else right[entry[1]]


def edits(entry, reached):
    return aligned(entry, reached, SCORES, DELETION, INSERTION)


def gapped(entry, reached):
    return aligned(entry, reached, SCORES, np.full(4, -GAP), np.full(3, -GAP))


def anywhere():
    places = itertools.product(range(5), range(4))
    return np.array([total for start in places for _, total in ways(5, 4, gapped, start)])


def entered(_, reached):
    return SCORES[reached]


EDITS = {"substitution": SCORES, "deletion": DELETION, "insertion": INSERTION}
ALIGNED = {"similarity": SCORES, "gap": GAP}
TABLES = {
    "soft_dtw": ({"cost": SCORES}, lambda: -GAMMA * log_sum(-(SCORES[0, 0] + through(4, 3, entered)) / GAMMA)),
    "soft_edit_distance": (EDITS, lambda: -GAMMA * log_sum(-through(5, 4, edits) / GAMMA)),
    "soft_needleman_wunsch": (ALIGNED, lambda: GAMMA * log_sum(through(5, 4, gapped) / GAMMA)),
    "soft_smith_waterman": (ALIGNED, lambda: GAMMA * log_sum(anywhere() / GAMMA)),
}


@pytest.mark.parametrize("name", TABLES)
def test_alignments_are_sums_over_all_ways(name):
    given, expected = TABLES[name]
    value, _ = to_numpy(getattr(formulas, name)).forward(**given, gamma=GAMMA)
    np.testing.assert_allclose(value, expected(), rtol=1e-12)


def test_a_cold_edit_distance_is_levenshteins():
    one, two = "kitten", "sitting"
    differ = np.array([[float(a != b) for b in two] for a in one])
    given = {"substitution": differ, "deletion": np.ones(6), "insertion": np.ones(7)}
    value, _ = to_numpy(formulas.soft_edit_distance).forward(**given, gamma=0.01)
    assert value == pytest.approx(3, abs=0.05)


def hmm(seed):
    rng = RNG(seed)
    return {"start": rng.normal(size=3), "transition": rng.normal(size=(3, 3)), "emission": rng.normal(size=(4, 3))}


def paths_of(start, transition, emission):
    """Every path of states with its score: the state before the first observation, then one for each."""
    for path in itertools.product(range(3), repeat=5):
        along = sum(transition[one, two] for one, two in itertools.pairwise(path))
        yield path, start[path[0]] + along + sum(emission[step, state] for step, state in enumerate(path[1:]))


def test_posteriors_are_the_gradient_of_the_forward_algorithm():
    given = hmm(3)
    module = to_numpy(formulas.hmm_forward)
    value, saved = module.forward(**given)
    expected = np.zeros((4, 3))
    for path, score in paths_of(**given):
        for step, state in enumerate(path[1:]):
            expected[step, state] += np.exp(score - value)
    found = module.backward(1.0, saved)["emission"]
    np.testing.assert_allclose(found, expected, rtol=1e-11)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)


def test_the_gradient_of_viterbis_score_is_the_likeliest_path():
    given = hmm(4)
    best, score = max(paths_of(**given), key=lambda pair: pair[1])
    module = to_numpy(formulas.viterbi_score)
    value, saved = module.forward(**given)
    np.testing.assert_allclose(value, score, rtol=1e-12)
    np.testing.assert_array_equal(module.backward(1.0, saved)["emission"].argmax(axis=1), best[1:])


@pytest.mark.parametrize("label", [(), (1,), (1, 1), (1, 2), (2, 1, 2)])
def test_ctc_is_the_sum_over_all_alignments(label):
    p = RNG(5).dirichlet(np.ones(3), size=4)
    spelt = lambda path: tuple(letter for letter, _ in itertools.groupby(path) if letter)  # noqa: E731
    total = sum(np.prod(p[range(4), path]) for path in itertools.product(range(3), repeat=4) if spelt(path) == label)
    given = {"log_probs": np.log(p)[:, None], "targets": np.array([[*label, 1, 1, 1][:3]])}
    given |= {"input_lengths": np.array([4]), "target_lengths": np.array([len(label)])}
    value, _ = to_numpy(formulas.ctc_loss, reduction="none").forward(**given)
    np.testing.assert_allclose(value, [-np.log(total)], rtol=1e-12)


def labelled(steps, *targets, length):
    given = {"log_probs": np.log(np.full((steps, 1, 3), 1 / 3)), "targets": np.array([targets])}
    return given | {"input_lengths": np.array([steps]), "target_lengths": np.array([length])}


def test_a_label_longer_than_its_input_is_refused():
    module = to_numpy(formulas.ctc_loss, reduction="none")
    with pytest.raises(ShapeError, match=r"ctc_loss: expected S <= T, given S=4, T=3"):
        module.forward(**labelled(3, 1, 2, 1, 2, length=4))
    with pytest.raises(AssumptionError, match=r"needed\[b\] <= input_lengths\[b\] is broken at b=0: 4 <= 3"):
        module.check(**labelled(3, 1, 1, 2, length=3))  # a blank between the two equal letters
    with np.errstate(divide="ignore"):
        assert module.forward(**labelled(3, 1, 1, 2, length=3))[0] == np.inf, "as PyTorch has it"


def test_ctc_keeps_its_digits_where_probabilities_vanish():
    z = RNG(6).normal(size=(60, 1, 6)) * 80
    log_p = z - z.max(axis=-1, keepdims=True)
    log_p = log_p - np.log(np.exp(log_p).sum(axis=-1, keepdims=True))
    given = {
        "targets": RNG(7).integers(1, 6, (1, 20)),
        "input_lengths": np.array([60]),
        "target_lengths": np.array([20]),
    }
    module, found = to_numpy(formulas.ctc_loss, reduction="sum"), {}
    for kind in (np.float64, np.float32):
        value, saved = module.forward(log_probs=log_p.astype(kind), **given)
        found[kind] = (value, module.backward(kind(1), saved)["log_probs"])
    assert found[np.float64][0] > 700, "a probability beyond the range of floats"
    np.testing.assert_allclose(found[np.float32][0], found[np.float64][0], rtol=1e-5)
    np.testing.assert_allclose(found[np.float64][1].sum(axis=-1), -1, rtol=1e-9)
    assert np.all(np.isfinite(found[np.float32][1]))
