"""Numerical stability: emitted code against true values of many digits, at inputs of every magnitude."""

from .calls import Code
from .points import REACH
from .report import Accuracy, Case, Row
from .sweep import KINDS, sweep

__all__ = ["KINDS", "REACH", "Accuracy", "Case", "Code", "Row", "sweep"]
