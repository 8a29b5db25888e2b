"""The mathematics of deep learning as definitions; every derivative is derived from them."""

from derive import DeriveError, catalogue

from .activations import *
from .linear import *
from .losses import *
from .networks import *
from .normalisation import *

DERIVE_CATALOGUE = True  # tells this package from others of the same name on the registry


def __getattr__(name: str) -> object:
    if name.startswith("_"):
        raise AttributeError(f"module 'formulas' has no attribute {name!r}")
    try:
        return catalogue[name]
    except DeriveError as problem:  # an ImportError, because `from formulas import …` hides other messages
        raise ImportError(str(problem)) from None
