"""Statements about training, each with its conditions and the checked steps that lead to it."""

from .averages import adagrad_step, bias_correction, minibatch, rmsprop_step
from .core import Statement, Unproved
from .descent import best_step, descent_lemma, gradient_flow, heavy_ball, step_sizes
from .starts import glorot, he, vanishing

STATEMENTS = (
    bias_correction, adagrad_step, rmsprop_step, minibatch,
    step_sizes, best_step, heavy_ball, gradient_flow, descent_lemma,
    glorot, he, vanishing,
)  # fmt: skip

__all__ = [
    "STATEMENTS", "Statement", "Unproved", "adagrad_step", "best_step", "bias_correction", "descent_lemma", "glorot",
    "gradient_flow", "he", "heavy_ball", "minibatch", "rmsprop_step", "step_sizes", "vanishing",
]  # fmt: skip
