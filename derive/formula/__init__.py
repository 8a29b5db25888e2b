"""A layer as data: the decorator, its parameters, named intermediates, assumptions and the registry."""

from .core import REGISTRY, Formula, build, formula, register
from .instance import Instance, elementwise, instantiate
from .signature import Parameter
from .trace import CURRENT, Assumption, Traced, Tracing, assume, let, told_apart, with_tensors

__all__ = [name for name in dir() if not name.startswith("_")]
