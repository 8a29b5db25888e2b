"""What an input is filled with, given a generator and a shape."""

from collections.abc import Callable

import numpy as np

Sampler = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def normal(rng, shape):
    return rng.normal(size=shape) * 1.5


def positive(rng, shape):
    return 0.1 + np.abs(rng.normal(size=shape))


def unit(rng, shape):
    """Strictly between 0 and 1."""
    return rng.uniform(0.02, 0.98, size=shape)


def sign(rng, shape):
    """Classes +1 and −1."""
    return rng.choice([-1.0, 1.0], size=shape)


def flag(rng, shape):
    """Classes 0 and 1."""
    return rng.choice([0.0, 1.0], size=shape)


def simplex(rng, shape):
    """Positive shares along the last axis."""
    return rng.dirichlet(np.ones(shape[-1]), size=shape[:-1])


def one_hot(rng, shape):
    """A class for each row."""
    return np.eye(shape[-1])[rng.integers(shape[-1], size=shape[:-1])]


def scaled(sampler: Sampler, factor: float) -> Sampler:
    return lambda rng, shape: factor * sampler(rng, shape)
