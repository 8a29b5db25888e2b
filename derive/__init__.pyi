"""The public names of derive, for readers that do not run code; `__init__.py` loads them when first used."""

from sympy import (
    Abs as Abs,
)
from sympy import (
    Max as Max,
)
from sympy import (
    Min as Min,
)
from sympy import (
    acos as acos,
)
from sympy import (
    acosh as acosh,
)
from sympy import (
    asin as asin,
)
from sympy import (
    asinh as asinh,
)
from sympy import (
    atan as atan,
)
from sympy import (
    atanh as atanh,
)
from sympy import (
    ceiling as ceiling,
)
from sympy import (
    cos as cos,
)
from sympy import (
    cosh as cosh,
)
from sympy import (
    erf as erf,
)
from sympy import (
    exp as exp,
)
from sympy import (
    floor as floor,
)
from sympy import (
    log as log,
)
from sympy import (
    loggamma as loggamma,
)
from sympy import (
    oo as oo,
)
from sympy import (
    pi as pi,
)
from sympy import (
    sin as sin,
)
from sympy import (
    sinh as sinh,
)
from sympy import (
    sqrt as sqrt,
)
from sympy import (
    tan as tan,
)
from sympy import (
    tanh as tanh,
)

from derive.api import (
    Derivative as Derivative,
)
from derive.api import (
    catalogue as catalogue,
)
from derive.api import (
    check_claim as check_claim,
)
from derive.api import (
    equivalent as equivalent,
)
from derive.api import (
    from_latex as from_latex,
)
from derive.api import (
    gauss_newton as gauss_newton,
)
from derive.api import (
    gradient as gradient,
)
from derive.api import (
    hessian as hessian,
)
from derive.api import (
    hessian_diagonal as hessian_diagonal,
)
from derive.api import (
    hvp as hvp,
)
from derive.api import (
    jacobian as jacobian,
)
from derive.api import (
    jvp as jvp,
)
from derive.api import (
    plot as plot,
)
from derive.api import (
    to_numpy as to_numpy,
)
from derive.api import (
    verify as verify,
)
from derive.api import (
    vjp as vjp,
)
from derive.axes import (
    AssumptionError as AssumptionError,
)
from derive.axes import (
    Axis as Axis,
)
from derive.axes import (
    Bool as Bool,
)
from derive.axes import (
    DeriveError as DeriveError,
)
from derive.axes import (
    Int as Int,
)
from derive.axes import (
    NameProblem as NameProblem,
)
from derive.axes import (
    NotIterable as NotIterable,
)
from derive.axes import (
    Scalar as Scalar,
)
from derive.axes import (
    ShapeError as ShapeError,
)
from derive.axes import (
    Size as Size,
)
from derive.axes import (
    T as T,
)
from derive.axes import (
    Tensor as Tensor,
)
from derive.axes import (
    Unsupported as Unsupported,
)
from derive.axes import (
    absolute as absolute,
)
from derive.axes import (
    argmax_over as argmax_over,
)
from derive.axes import (
    argmin_over as argmin_over,
)
from derive.axes import (
    axes as axes,
)
from derive.axes import (
    axis as axis,
)
from derive.axes import (
    cholesky as cholesky,
)
from derive.axes import (
    clip as clip,
)
from derive.axes import (
    definite as definite,
)
from derive.axes import (
    definite_part as definite_part,
)
from derive.axes import (
    det as det,
)
from derive.axes import (
    detach as detach,
)
from derive.axes import (
    diag as diag,
)
from derive.axes import (
    digamma as digamma,
)
from derive.axes import (
    eig as eig,
)
from derive.axes import (
    eigh as eigh,
)
from derive.axes import (
    equals as equals,
)
from derive.axes import (
    expm as expm,
)
from derive.axes import (
    expm1 as expm1,
)
from derive.axes import (
    inv as inv,
)
from derive.axes import (
    kron as kron,
)
from derive.axes import (
    log1p as log1p,
)
from derive.axes import (
    logdet as logdet,
)
from derive.axes import (
    logm as logm,
)
from derive.axes import (
    logsumexp_over as logsumexp_over,
)
from derive.axes import (
    matrix_power as matrix_power,
)
from derive.axes import (
    max_over as max_over,
)
from derive.axes import (
    maximum as maximum,
)
from derive.axes import (
    mean_over as mean_over,
)
from derive.axes import (
    min_over as min_over,
)
from derive.axes import (
    minimum as minimum,
)
from derive.axes import (
    norm as norm,
)
from derive.axes import (
    one_hot as one_hot,
)
from derive.axes import (
    padded as padded,
)
from derive.axes import (
    pinv as pinv,
)
from derive.axes import (
    prod_over as prod_over,
)
from derive.axes import (
    qr as qr,
)
from derive.axes import (
    real_spectrum as real_spectrum,
)
from derive.axes import (
    sigmoid as sigmoid,
)
from derive.axes import (
    slogdet as slogdet,
)
from derive.axes import (
    softplus as softplus,
)
from derive.axes import (
    solve as solve,
)
from derive.axes import (
    sqrtm as sqrtm,
)
from derive.axes import (
    stop_gradient as stop_gradient,
)
from derive.axes import (
    sum_over as sum_over,
)
from derive.axes import (
    svd as svd,
)
from derive.axes import (
    trace as trace,
)
from derive.axes import (
    tril as tril,
)
from derive.axes import (
    triu as triu,
)
from derive.axes import (
    where as where,
)
from derive.formula import (
    Formula as Formula,
)
from derive.formula import (
    assume as assume,
)
from derive.formula import (
    formula as formula,
)
from derive.formula import (
    let as let,
)
from derive.graph import (
    chain as chain,
)
from derive.notation import (
    Notation as Notation,
)

__version__: str
__all__: list[str]
