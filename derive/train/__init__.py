"""Training with emitted code: optimisers, schedules, data, the loop with its checkpoints, curves."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .data import Data, Split, folds, load, split
    from .lbfgs import LBFGS
    from .loop import Curve, Diverged, Settings, Training
    from .networks import Network, fans, initial, network
    from .optimisers import Optimiser, optimiser
    from .plan import range_test
    from .schedules import Plateau, Scaled, Schedule, Sequential, schedule
    from .session import Wish, trainings

_HOME = {
    "data": "Data Split folds load split",
    "lbfgs": "LBFGS",
    "loop": "Curve Diverged Settings Training",
    "networks": "Network fans initial network",
    "optimisers": "Optimiser optimiser",
    "plan": "range_test",
    "schedules": "Plateau Scaled Schedule Sequential schedule",
    "session": "Wish trainings",
}
_WHERE = {name: home for home, names in _HOME.items() for name in names.split()}
__all__ = [
    "Curve", "Data", "Diverged", "LBFGS", "Network", "Optimiser", "Plateau", "Scaled", "Schedule", "Sequential",
    "Settings", "Split", "Training", "Wish", "fans", "folds", "initial", "load", "network", "optimiser", "range_test",
    "schedule", "split", "trainings",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_WHERE[name]}", __name__)
    globals()[name] = value = getattr(module, name)
    return value
