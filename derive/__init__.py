"""derive: a layer written as mathematics, its gradient derived, explained, checked and emitted as NumPy code.

Names are loaded when first used, so that `derive --help` needs neither SymPy nor NumPy. Some public names (axes,
formula, verify) are also names of rooms; the public name wins, whichever is loaded first.
"""

import importlib
import sys
from opcode import opmap
from types import ModuleType
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "sympy": "Abs Max Min acos acosh asin asinh atan atanh ceiling cos cosh erf exp floor log loggamma oo pi sin "
    "sinh sqrt tan tanh",
    "derive.axes": "AssumptionError Axis Bool DeriveError Int NameProblem NotIterable Scalar ShapeError Size T "
    "Tensor Unsupported absolute argmax_over argmin_over axes axis cholesky clip definite definite_part det detach "
    "diag digamma eig eigh equals expm expm1 inv kron log1p logdet logm logsumexp_over matrix_power max_over maximum "
    "mean_over min_over minimum norm one_hot padded pinv prod_over qr real_spectrum sigmoid slogdet softplus solve "
    "sqrtm stop_gradient sum_over svd trace tril triu where",
    "derive.formula": "Formula assume formula let scan zeros",
    "derive.graph": "chain",
    "derive.notation": "Notation",
    "derive.api": "Derivative catalogue check_claim equivalent from_latex gauss_newton gradient hessian "
    "hessian_diagonal hvp jacobian jvp plot to_numpy verify vjp",
}
_WHERE = {name: home for home, names in _HOME.items() for name in names.split()}
__all__ = sorted(_WHERE)


def _public(name: str) -> Any:
    value = getattr(importlib.import_module(_WHERE[name]), name)
    globals()[name] = value
    if name == "formula":
        importlib.import_module("derive.formula").Formula.display = _display
    return value


def _display(shown: Any, form: str) -> str | None:
    """What Jupyter shows of a formula."""
    found: str | None = importlib.import_module("derive.api.presenting").DISPLAYS[form](shown)
    return found


class _Package(ModuleType):
    """The package itself: a public name that is also a room's name reads as the public one."""

    def __getattr__(self, name: str) -> Any:
        if name in _WHERE:
            return _public(name)
        caller = sys._getframe(1)
        if caller.f_code.co_code[caller.f_lasti] == opmap["IMPORT_FROM"]:  # Python would replace an AttributeError
            raise ImportError(f"cannot import name {name!r} from 'derive'{_hint(name)}")
        raise AttributeError(f"module 'derive' has no attribute {name!r}{_hint(name)}")

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _WHERE and isinstance(value, ModuleType):
            return  # the import system binds a room to the package; `from derive.axes import …` does not need it
        super().__setattr__(name, value)

    def __dir__(self) -> list[str]:
        return sorted({*__all__, "__version__"})


def _hint(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, __all__, n=1, cutoff=0.75)
    return f"; did you mean '{near[0]}'?" if near else ""


sys.modules[__name__].__class__ = _Package
