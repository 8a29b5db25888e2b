"""A layer as data: the decorator, its parameters, named intermediates, assumptions and the registry."""

from .again import as_formula
from .core import CATALOGUE, REGISTRY, Formula, build, formula, kind_of, register
from .instance import Instance, elementwise, instantiate
from .scan import scan, zeros
from .signature import Parameter
from .trace import CURRENT, Assumption, Traced, Tracing, assume, let, told_apart, with_tensors

__all__ = [
    "Assumption",
    "CATALOGUE",
    "CURRENT",
    "Formula",
    "Instance",
    "Parameter",
    "REGISTRY",
    "Traced",
    "Tracing",
    "as_formula",
    "assume",
    "build",
    "elementwise",
    "formula",
    "instantiate",
    "kind_of",
    "let",
    "register",
    "scan",
    "told_apart",
    "with_tensors",
    "zeros",
]
