"""Composition: formulas chained into one DAG of named intermediates."""

from .compose import chain

__all__ = ["chain"]
