from .linear import *
from .activations import *
from .losses import *
