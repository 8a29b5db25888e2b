"""Index calculus: derivatives by occurrence, and the chain rule through named definitions."""

from .partial import DERIVATIVES, partials, tangent
from .reverse import Backward, reachable

__all__ = ["DERIVATIVES", "Backward", "partials", "reachable", "tangent"]
