"""The public names: derivation, code, notation and verification tied together; each is loaded when first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue import Catalogue, catalogue
    from .code import NumpyModule, to_numpy
    from .compare import equivalent
    from .derivative import Derivative, gradient, hessian, jacobian, jvp, vjp
    from .products import gauss_newton, hessian_diagonal, hvp
    from .sweeping import stability
    from .verifying import verify

_HOME = {
    "catalogue": "Catalogue catalogue",
    "code": "NumpyModule to_numpy",
    "compare": "equivalent",
    "derivative": "Derivative gradient hessian jacobian jvp vjp",
    "products": "gauss_newton hessian_diagonal hvp",
    "sweeping": "stability",
    "verifying": "verify",
}
_WHERE = {name: home for home, names in _HOME.items() for name in names.split()}
__all__ = [
    "Catalogue",
    "Derivative",
    "NumpyModule",
    "catalogue",
    "equivalent",
    "gauss_newton",
    "gradient",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jacobian",
    "jvp",
    "stability",
    "to_numpy",
    "verify",
    "vjp",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_WHERE[name]}", __name__), name)
    globals()[name] = value
    return value
