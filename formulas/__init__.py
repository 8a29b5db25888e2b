"""The mathematics of deep learning as definitions; every derivative is derived from them."""

from .activations import *
from .linear import *
from .losses import *
from .networks import *
from .normalisation import *

DERIVE_CATALOGUE = True  # tells this package from others of the same name on the registry
