"""The public names: derivation, code, notation and verification tied together; each is loaded when first used."""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue import Catalogue, catalogue
    from .claims import Verdict, check_claim
    from .code import NumpyModule, to_numpy
    from .compare import equivalent
    from .derivative import Derivative, gradient, hessian, jacobian, jvp, vjp
    from .latex import from_latex
    from .plotting import plot
    from .products import gauss_newton, hessian_diagonal, hvp
    from .sweeping import stability
    from .verifying import verify

_HOME = {
    "catalogue": "Catalogue catalogue",
    "claims": "Verdict check_claim",
    "code": "NumpyModule to_numpy",
    "compare": "equivalent",
    "derivative": "Derivative gradient hessian jacobian jvp vjp",
    "plotting": "plot",
    "latex": "from_latex",
    "products": "gauss_newton hessian_diagonal hvp",
    "sweeping": "stability",
    "verifying": "verify",
}
_WHERE = {name: home for home, names in _HOME.items() for name in names.split()}
__all__ = [
    "Catalogue",
    "Derivative",
    "NumpyModule",
    "Verdict",
    "catalogue",
    "check_claim",
    "equivalent",
    "from_latex",
    "gauss_newton",
    "gradient",
    "hessian",
    "hessian_diagonal",
    "hvp",
    "jacobian",
    "jvp",
    "stability",
    "plot",
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


class _Api(ModuleType):
    """This package: `catalogue` is the public name, also once the module of that name has been imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _WHERE and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Api
