"""The public names: derivation, code, notation and verification tied together."""

from .catalogue import Catalogue, catalogue
from .code import NumpyModule, to_numpy
from .compare import equivalent
from .derivative import Derivative, gradient, hessian, jacobian, jvp, vjp
from .verifying import verify

__all__ = [
    "Catalogue",
    "Derivative",
    "NumpyModule",
    "catalogue",
    "equivalent",
    "gradient",
    "hessian",
    "jacobian",
    "jvp",
    "to_numpy",
    "verify",
    "vjp",
]
