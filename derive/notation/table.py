"""The printers' table: a row for each function, relation, reduction and constant; a new function is a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy
from sympy.core import relational
from sympy.logic import boolalg

from derive.axes import (
    ArgMaxOver,
    ArgMinOver,
    Digamma,
    Expm1,
    Log1mexp,
    Log1p,
    Logcosh,
    MaxOver,
    MeanOver,
    MinOver,
    ProdOver,
    Series,
    Sigmoid,
    Softplus,
    StopGradient,
    SumOver,
    Tetragamma,
    Trigamma,
)

# How tightly an expression holds together; a smaller number needs parentheses inside a larger one.
REL, ADD, MUL, POW, ATOM = 5, 10, 20, 40, 50


@dataclass(frozen=True)
class Row:
    """A node's form in text and in LaTeX, and the precedence of the result."""

    text: str
    latex: str
    level: int = ATOM


@dataclass(frozen=True)
class FunctionRow(Row):
    """A function f(x): `raised` writes f²(x), `bare` drops the parentheses before Σ, `otherwise` is its name where a
    tensor is called like its letter."""

    raised: bool = False
    bare: bool = False
    otherwise: str = ""


@dataclass(frozen=True)
class FenceRow(Row):
    """A function written by what encloses its argument: `text` and `latex` hold the two sides, split at a space."""


def _named(name: str, *, raised: bool = False, bare: bool = False) -> FunctionRow:
    known = name in "exp log tanh sinh cosh sin cos tan max min coth arctan arcsin arccos".split()
    return FunctionRow(name, rf"\{name}" if known else rf"\operatorname{{{name}}}", raised=raised, bare=bare)


FUNCTIONS: Mapping[Any, FunctionRow] = {
    sympy.exp: _named("exp"),
    sympy.log: _named("log", bare=True),
    sympy.tanh: _named("tanh", raised=True),
    sympy.sinh: _named("sinh", raised=True),
    sympy.cosh: _named("cosh", raised=True),
    sympy.sin: _named("sin", raised=True),
    sympy.cos: _named("cos", raised=True),
    sympy.tan: _named("tan", raised=True),
    sympy.sech: _named("sech", raised=True),
    sympy.coth: _named("coth", raised=True),
    sympy.atan: _named("arctan"),
    sympy.asin: _named("arcsin"),
    sympy.acos: _named("arccos"),
    sympy.asinh: _named("arsinh"),
    sympy.acosh: _named("arcosh"),
    sympy.atanh: _named("artanh"),
    sympy.erf: _named("erf"),
    sympy.erfc: _named("erfc"),
    sympy.sign: _named("sgn"),
    sympy.loggamma: FunctionRow("log Γ", r"\log\Gamma", otherwise="lgamma"),
    sympy.gamma: FunctionRow("Γ", r"\Gamma", otherwise="gamma"),
    Digamma: FunctionRow("ψ", r"\psi", otherwise="digamma"),
    Trigamma: FunctionRow("ψ₁", r"\psi_1", otherwise="trigamma"),
    Tetragamma: FunctionRow("ψ₂", r"\psi_2", otherwise="tetragamma"),
    sympy.Max: _named("max"),
    sympy.Min: _named("min"),
    Sigmoid: FunctionRow("σ", r"\sigma", otherwise="sigmoid"),
    Softplus: _named("softplus"),
    StopGradient: _named("sg"),
    Log1p: _named("log1p"),
    Expm1: _named("expm1"),
    Log1mexp: _named("log1mexp"),
    Logcosh: _named("logcosh"),
    Series: _named("series"),
}

FENCES: Mapping[Any, FenceRow] = {
    sympy.Abs: FenceRow("| |", r"\lvert \rvert"),
    sympy.floor: FenceRow("⌊ ⌋", r"\lfloor \rfloor"),
    sympy.ceiling: FenceRow("⌈ ⌉", r"\lceil \rceil"),
}

REDUCTIONS: Mapping[Any, Row] = {
    SumOver: Row("Σ", r"\sum", MUL),
    MeanOver: Row("mean", r"\sum", MUL),
    ProdOver: Row("Π", r"\prod", MUL),
    MaxOver: Row("max", r"\max", MUL),
    MinOver: Row("min", r"\min", MUL),
    ArgMaxOver: Row("argmax", r"\operatorname*{arg\,max}", MUL),
    ArgMinOver: Row("argmin", r"\operatorname*{arg\,min}", MUL),
}

RELATIONS: Mapping[Any, Row] = {
    relational.Equality: Row(" = ", " = ", REL),
    relational.Unequality: Row(" ≠ ", r" \ne ", REL),
    relational.StrictGreaterThan: Row(" > ", " > ", REL),
    relational.GreaterThan: Row(" ≥ ", r" \ge ", REL),
    relational.StrictLessThan: Row(" < ", " < ", REL),
    relational.LessThan: Row(" ≤ ", r" \le ", REL),
}

REMAINDER = Row(" mod ", r" \bmod ", ADD)

CONNECTIVES: Mapping[Any, Row] = {
    boolalg.And: Row(" ∧ ", r" \land ", 3),
    boolalg.Or: Row(" ∨ ", r" \lor ", 2),
}

CONSTANTS: Mapping[Any, Row] = {
    sympy.S.Pi: Row("π", r"\pi"),
    sympy.S.Exp1: Row("e", r"\mathrm{e}"),
    sympy.S.Infinity: Row("∞", r"\infty"),
    sympy.S.true: Row("true", r"\text{true}"),
    sympy.S.false: Row("false", r"\text{false}"),
}
