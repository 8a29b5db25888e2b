"""`cells`: images of cells under a microscope, made from a seed, healthy and abnormal.

What tells them apart is the grain of the nucleus and its shape: abnormal ones are coarse and longish. Both kinds are as
large, as bright and as varied; they lie anywhere, turned anyhow, under noise and beside neighbours of either kind. So
neither a pixel nor its mean, spread, minimum or maximum over the image tells the kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
SIDE = 24
GRAIN = ((0.0, 0.6), (1.3, 1.9))  # width of the clumps of chromatin, in pixels: healthy, abnormal
RATIO = ((0.8, 1.0), (0.6, 0.85))  # short axis over long axis
RADIUS = (5.5, 7.5)  # of a circle with the same area
NOISE = (0.15, 0.35)
NEIGHBOURS = 0.5  # the share of images with another cell at the edge


def cells(count: int, seed: int = 0) -> tuple[Array, Array]:
    """(images of shape (count, 1, 24, 24), labels): half of them healthy (0), half abnormal (1), in random order."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % 2)
    images = np.zeros((count, SIDE, SIDE))
    angle, away = rng.uniform(0, 2 * np.pi, count), rng.uniform(11, 13, count)
    edge = SIDE / 2 + away * np.stack([np.sin(angle), np.cos(angle)])
    there = rng.random(count) < NEIGHBOURS
    images = np.where(there[:, None, None], _covered(rng, images, edge, rng.integers(0, 2, count)), images)
    images = _covered(rng, images, SIDE / 2 + rng.uniform(-2.5, 2.5, (2, count)), labels)
    images += _drawn(rng, NOISE, count) * rng.normal(size=images.shape)
    images -= images.mean(axis=(1, 2), keepdims=True)
    images /= images.std(axis=(1, 2), keepdims=True)
    images = _drawn(rng, (0.8, 1.2), count) * images + _drawn(rng, (-0.2, 0.2), count)
    return images[:, None], labels


def _drawn(rng: np.random.Generator, ends: Any, count: int) -> Array:
    """A number for each image, between two ends: the same two, or those of its kind."""
    low, high = (np.broadcast_to(end, count)[:, None, None] for end in ends)
    return np.asarray(rng.uniform(low, high))


def _covered(rng: np.random.Generator, images: Array, middle: Array, kinds: Array) -> Array:
    """Each image under a cell: an ellipse, turned, with soft edges and the grain of its kind."""
    count = len(images)
    ratio, radius = _drawn(rng, np.array(RATIO)[kinds].T, count), _drawn(rng, RADIUS, count)
    turn = _drawn(rng, (0, np.pi), count)
    place = np.arange(SIDE)
    down = place[:, None] - middle[0][:, None, None]
    right = place - middle[1][:, None, None]
    along = np.cos(turn) * right + np.sin(turn) * down
    across = np.cos(turn) * down - np.sin(turn) * right
    distance = np.sqrt(along**2 * ratio + across**2 / ratio)  # the area does not depend on the ratio
    mask = 1 / (1 + np.exp(np.clip((distance - radius) / 0.4, -50, 50)))
    grain = _blurred(np.asarray(rng.normal(size=images.shape)), _drawn(rng, np.array(GRAIN)[kinds].T, count))
    weight = mask / mask.sum(axis=(1, 2), keepdims=True)
    grain -= (weight * grain).sum(axis=(1, 2), keepdims=True)
    grain /= np.sqrt((weight * grain**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(images * (1 - mask) + mask * (1 + 0.7 * grain))


def _blurred(images: Array, width: Array) -> Array:
    """Each image under a Gaussian of its width, on a torus."""
    frequency = np.fft.fftfreq(SIDE)
    kernel = np.exp(-2 * (np.pi * width) ** 2 * (frequency[:, None] ** 2 + frequency**2))
    return np.asarray(np.fft.ifft2(np.fft.fft2(images) * kernel).real)
