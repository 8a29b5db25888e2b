"""Composition: formulas chained and batched into one DAG of named intermediates."""

from .batch import batched
from .compose import chain

__all__ = ["batched", "chain"]
