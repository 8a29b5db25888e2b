"""Statements about training, each with its conditions and the checked steps that lead to it."""

from derive.axes import NameProblem, did_you_mean

from .averages import adagrad_step, bias_correction, minibatch, rmsprop_step
from .core import Statement, Unproved
from .descent import best_step, descent_lemma, gradient_flow, heavy_ball, nesterov, step_sizes
from .recurrences import vanishing_recurrence
from .starts import depth, glorot, he, vanishing

STATEMENTS = (
    bias_correction, adagrad_step, rmsprop_step, minibatch,
    step_sizes, best_step, heavy_ball, nesterov, gradient_flow, descent_lemma,
    glorot, he, depth, vanishing, vanishing_recurrence,
)  # fmt: skip


def statement_of(name: str) -> Statement:
    """The statement of that name, made anew; NameProblem for an unknown one."""
    known = {made.__name__: made for made in STATEMENTS}
    asked = name.replace("-", "_").replace(" ", "_")
    if asked not in known:
        raise NameProblem(f"no statement {name!r}{did_you_mean(asked, known)} (derive statement lists them)")
    return known[asked]()


__all__ = [
    "STATEMENTS", "Statement", "Unproved", "adagrad_step", "best_step", "bias_correction", "depth", "descent_lemma",
    "glorot", "gradient_flow", "he", "heavy_ball", "minibatch", "nesterov", "rmsprop_step",
    "statement_of", "step_sizes", "vanishing", "vanishing_recurrence",
]  # fmt: skip
