"""Learning rates as functions of the step t = 0, 1, 2, …, which is an integer: none of them has a derivative.

All are rates η(t), closed forms of PyTorch's recurrences where it has them; `reduce_on_plateau` is a recurrence.
"""

from typing import Literal

from derive import (
    Int,
    Scalar,
    Size,
    T,
    assume,
    axes,
    axis,
    cos,
    floor,
    formula,
    let,
    maximum,
    minimum,
    pi,
    sqrt,
    sum_over,
    where,
)

n, k = axes("n k")
restart = axis("restart", 40)  # so many are looked at: of length 2⁴⁰ T₀ where T_mult is 2

__all__ = """
    constant_rate step_rate multistep_rate exponential_rate polynomial_rate linear_rate
    cosine_rate cosine_restarts_rate cosine_growing_restarts_rate
    warm_up_rate warm_up_cosine_rate inverse_sqrt_rate
    one_cycle_rate one_cycle_momentum cyclic_rate cyclic_momentum
    reduce_on_plateau range_test_rate
""".split()


def _line(start, end, share):
    return start + (end - start) * share


def _cosine(start, end, share):
    """From start to end along half a wave."""
    return end + (start - end) / 2 * (1 + cos(pi * share))


ANNEAL = {"cos": _cosine, "linear": _line}


@formula
def constant_rate(t: Int[n], *, lr: Scalar = 0.1, factor: Scalar = 1.0, total_iters: Size = 5) -> T[n]:
    """η f for the first steps, then η.

    Source: torch.optim.lr_scheduler.ConstantLR.
    """
    return lr * where(t[n] < total_iters, factor, 1)


@formula
def step_rate(t: Int[n], *, lr: Scalar = 0.1, gamma: Scalar = 0.1, step_size: Size = 10) -> T[n]:
    """η γ^⌊t/s⌋.

    Source: torch.optim.lr_scheduler.StepLR.
    """
    return lr * gamma ** floor(t[n] / step_size)


@formula
def multistep_rate(t: Int[n], milestones: Int[k], *, lr: Scalar = 0.1, gamma: Scalar = 0.1) -> T[n]:
    """η γ^m, where m milestones have been reached.

    Source: torch.optim.lr_scheduler.MultiStepLR.
    """
    reached = let("reached", sum_over(k, where(milestones[k] <= t[n], 1, 0)))
    return lr * gamma ** reached[n]


@formula
def exponential_rate(t: Int[n], *, lr: Scalar = 0.1, gamma: Scalar = 0.95) -> T[n]:
    """η γᵗ.

    Source: torch.optim.lr_scheduler.ExponentialLR.
    """
    return lr * gamma ** t[n]


@formula
def polynomial_rate(t: Int[n], *, lr: Scalar = 0.1, power: Scalar = 1.0, total_iters: Size = 5) -> T[n]:
    """η (1 − t/T)^p until T, then 0.

    Source: torch.optim.lr_scheduler.PolynomialLR.
    """
    assume(power > 0)
    return lr * (1 - minimum(t[n], total_iters) / total_iters) ** power


@formula
def linear_rate(
    t: Int[n],
    *,
    lr: Scalar = 0.1,
    start_factor: Scalar = 0.333333333333333333,
    end_factor: Scalar = 1.0,
    total_iters: Size = 5,
) -> T[n]:
    """From η a to η b along a line until T, then η b.

    Source: torch.optim.lr_scheduler.LinearLR.
    """
    return lr * _line(start_factor, end_factor, minimum(t[n], total_iters) / total_iters)


# Cosines


@formula
def cosine_rate(t: Int[n], *, lr: Scalar = 0.1, eta_min: Scalar = 0.0, T_max: Size = 100) -> T[n]:
    """η₀ + (η − η₀)(1 + cos(π t/T))/2: down along half a wave of length T, and up again after it.

    Source: Loshchilov, Hutter, SGDR (2017), eq. 5; torch.optim.lr_scheduler.CosineAnnealingLR.
    """
    return _cosine(lr, eta_min, t[n] / T_max)


@formula
def cosine_restarts_rate(t: Int[n], *, lr: Scalar = 0.1, eta_min: Scalar = 0.0, T_0: Size = 10) -> T[n]:
    """The cosine from its start again, every T₀ steps.

    Source: Loshchilov, Hutter, SGDR (2017); torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(T_mult=1).
    """
    return _cosine(lr, eta_min, (t[n] - T_0 * floor(t[n] / T_0)) / T_0)


@formula
def cosine_growing_restarts_rate(
    t: Int[n], *, lr: Scalar = 0.1, eta_min: Scalar = 0.0, T_0: Size = 10, T_mult: Scalar = 2.0
) -> T[n]:
    """The cosine from its start again, after T₀, T₀ m, T₀ m², … steps, for m > 1.

    Source: Loshchilov, Hutter, SGDR (2017); torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.
    """
    assume(T_mult > 1.5)
    ends = T_0 * (T_mult ** (restart + 1) - 1) / (T_mult - 1)
    run = let("run", sum_over(restart, where(ends - 1e-6 <= t[n], 1, 0)))
    length = let("length", T_0 * T_mult ** run[n])
    start = T_0 * (T_mult ** run[n] - 1) / (T_mult - 1)
    return _cosine(lr, eta_min, (t[n] - start) / length[n])


# Warm-up


@formula
def warm_up_rate(t: Int[n], *, lr: Scalar = 0.1, warmup: Size = 10) -> T[n]:
    """η min(1, (t + 1)/w): along a line for the first steps.

    Source: Goyal et al., Accurate, Large Minibatch SGD (2017), section 2.2.
    """
    return lr * minimum(1, (t[n] + 1) / warmup)


@formula
def warm_up_cosine_rate(
    t: Int[n], *, lr: Scalar = 0.1, eta_min: Scalar = 0.0, warmup: Size = 10, total: Size = 100
) -> T[n]:
    """Up along a line for w steps, then down along half a wave until the end; later η₀.

    Source: Loshchilov, Hutter, SGDR (2017), after the warm-up of Goyal et al. (2017).
    """
    assume(warmup < total)
    share = minimum(1, maximum(0, t[n] - warmup) / (total - warmup))
    return where(t[n] < warmup, lr * (t[n] + 1) / warmup, _cosine(lr, eta_min, share))


@formula
def inverse_sqrt_rate(t: Int[n], *, lr: Scalar = 0.1, warmup: Size = 10) -> T[n]:
    """η min((t + 1)/w, √(w/(t + 1))): up along a line to η, then as 1/√t.

    Source: Vaswani et al., Attention Is All You Need (2017), eq. 3, with η = 1/√(d w).
    """
    assume(t[n] >= 0, sample=lambda rng, shapes: {"t": rng.integers(0, 30, shapes["t"])})
    return lr * minimum((t[n] + 1) / warmup, sqrt(warmup / (t[n] + 1)))


# Cycles


def _one_cycle(t, phases, anneal):
    """The value at t of phases that join: (start, end, first step, last step) each."""
    *before, last = [ANNEAL[anneal](a, b, (t - first) / (end - first)) for a, b, first, end in phases]
    for value, (_, _, _, end) in zip(reversed(before), reversed(phases[:-1]), strict=True):
        last = where(t <= end, value, last)
    return last


def _phases(total, share, low, high, final, three):
    """Up to the middle of a cycle, down from it, and in three phases on to the final value."""
    end = share * total - 1
    if three:
        return [(low, high, 0, end), (high, low, end, 2 * end), (low, final, 2 * end, total - 1)]
    return [(low, high, 0, end), (high, final, end, total - 1)]


@formula
def one_cycle_rate(
    t: Int[n],
    *,
    anneal: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
    lr: Scalar = 0.1,
    pct_start: Scalar = 0.3,
    div_factor: Scalar = 25.0,
    final_div_factor: Scalar = 1e4,
    total_steps: Size = 100,
) -> T[n]:
    """From η/d up to η, and down to η/(d f): in one cycle over all steps.

    Source: Smith, Topin, Super-Convergence (2018); torch.optim.lr_scheduler.OneCycleLR, where lr is max_lr.
    """
    assume(pct_start > 1.1 / total_steps)  # the first phase has a length
    assume(pct_start < 1.1 / total_steps + 0.3)
    low = lr / div_factor
    return _one_cycle(t[n], _phases(total_steps, pct_start, low, lr, low / final_div_factor, three_phase), anneal)


@formula
def one_cycle_momentum(
    t: Int[n],
    *,
    anneal: Literal["cos", "linear"] = "cos",
    three_phase: bool = False,
    base_momentum: Scalar = 0.85,
    max_momentum: Scalar = 0.95,
    pct_start: Scalar = 0.3,
    total_steps: Size = 100,
) -> T[n]:
    """Momentum against the rate of `one_cycle_rate`: down where that goes up.

    Source: Smith, Topin, Super-Convergence (2018); torch.optim.lr_scheduler.OneCycleLR.
    """
    assume(pct_start > 1.1 / total_steps)  # the first phase has a length
    assume(pct_start < 1.1 / total_steps + 0.3)
    phases = _phases(total_steps, pct_start, max_momentum, base_momentum, max_momentum, three_phase)
    return _one_cycle(t[n], phases, anneal)


def _wave(t, up, down):
    """Which cycle, and how high in it: 0 at its ends, 1 at its top."""
    cycle = floor(t / (up + down))
    place = t - cycle * (up + down)
    return cycle, where(place <= up, place / up, (up + down - place) / down)


def _scale(mode, t, cycle, gamma):
    """By how much the height of a wave has shrunk."""
    return {"triangular": 1, "triangular2": 2 ** (-cycle), "exp_range": gamma**t}[mode]


@formula
def cyclic_rate(
    t: Int[n],
    *,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    base_lr: Scalar = 1e-3,
    lr: Scalar = 0.1,
    gamma: Scalar = 0.99,
    step_size_up: Size = 10,
    step_size_down: Size = 10,
) -> T[n]:
    """From base to η and back along lines, for ever; each wave half as high as the last, or γᵗ of it.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks (2017); torch.optim.lr_scheduler.CyclicLR, where
    lr is max_lr.
    """
    cycle, height = _wave(t[n], step_size_up, step_size_down)
    return base_lr + (lr - base_lr) * height * _scale(mode, t[n], cycle, gamma)


@formula
def cyclic_momentum(
    t: Int[n],
    *,
    mode: Literal["triangular", "triangular2", "exp_range"] = "triangular",
    base_momentum: Scalar = 0.8,
    max_momentum: Scalar = 0.9,
    gamma: Scalar = 0.99,
    step_size_up: Size = 10,
    step_size_down: Size = 10,
) -> T[n]:
    """Momentum against the rate of `cyclic_rate`.

    Source: torch.optim.lr_scheduler.CyclicLR.
    """
    cycle, height = _wave(t[n], step_size_up, step_size_down)
    return max_momentum - (max_momentum - base_momentum) * height * _scale(mode, t[n], cycle, gamma)


@formula
def range_test_rate(t: Int[n], *, lr: Scalar = 1.0, least: Scalar = 1e-6, total: Size = 100) -> T[n]:
    """η₀ (η/η₀)^(t/T): from least to lr in equal factors; where the loss falls fastest is a good rate.

    Source: Smith, Cyclical Learning Rates for Training Neural Networks (2017), section 3.3.
    """
    assume(least > 0)
    assume(lr > 0)
    return least * (lr / least) ** (t[n] / total)


# By what is measured


@formula
def reduce_on_plateau(
    metric: T[()],
    best: T[()],
    bad: T[()],
    cooling: T[()],
    rate: T[()],
    *,
    mode: Literal["min", "max"] = "min",
    threshold_mode: Literal["rel", "abs"] = "rel",
    factor: Scalar = 0.1,
    threshold: Scalar = 1e-4,
    patience: Scalar = 10.0,
    cooldown: Scalar = 0.0,
    min_lr: Scalar = 0.0,
    eps: Scalar = 1e-8,
) -> tuple[T[()], T[()], T[()], T[()]]:
    """The best metric, the bad checks since, how many more do not count, and the rate, which falls after too many bad.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau.
    """
    sign = {"min": -1, "max": 1}[mode]
    level = {"rel": (1 + sign * threshold) * best[()], "abs": best[()] + sign * threshold}[threshold_mode]
    better = metric[()] < level if mode == "min" else metric[()] > level
    since = let("since", where(cooling[()] > 0, 0, where(better, 0, bad[()] + 1)))
    tired = since[()] > patience
    lower = let("lower", maximum(rate[()] * factor, min_lr))
    return (
        where(better, metric[()], best[()]),
        where(tired, 0, since[()]),
        where(tired, cooldown, maximum(cooling[()] - 1, 0)),
        where(tired & (rate[()] - lower[()] > eps), lower[()], rate[()]),
    )


START = {"min": float("inf"), "max": float("-inf")}  # the best before there was one
