"""The mathematics of deep learning as definitions; every derivative is derived from them."""

from .activations import *
from .linear import *
from .losses import *
from .networks import *
from .normalisation import *

DERIVE_CATALOGUE = True  # tells this package from others of the same name on the registry


def __getattr__(name: str) -> object:
    import difflib

    near = difflib.get_close_matches(name, globals(), n=1)
    if near and not name.startswith("_"):  # an ImportError, because `from formulas import …` hides other messages
        raise ImportError(f"cannot import name {name!r} from 'formulas'; did you mean '{near[0]}'?")
    raise AttributeError(f"module 'formulas' has no attribute {name!r}")
