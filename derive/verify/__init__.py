"""Verification: derived results and generated code, held against the oracle and against measured derivatives."""

from .assumptions import broken
from .code import check_code, elementwise
from .gradient import check_gradient
from .higher import check_hessian, check_jacobian, check_jvp
from .report import Check, Report
from .sample import Sampler, sample_point
from .steps import check_steps

__all__ = [
    "Check",
    "Report",
    "Sampler",
    "broken",
    "check_code",
    "check_gradient",
    "check_hessian",
    "check_jacobian",
    "check_jvp",
    "check_steps",
    "elementwise",
    "sample_point",
]
