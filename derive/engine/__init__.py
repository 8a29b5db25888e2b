"""A derivation from start to end: differentiate, simplify, name what is found, record every step."""

from .build import Derived, gradient_of, hessian_of, jacobian_of, tangent_of, upstreams_of
from .code import CodeView

__all__ = ["CodeView", "Derived", "gradient_of", "hessian_of", "jacobian_of", "tangent_of", "upstreams_of"]
