"""Optimizers and schedules of their learning rates. Adam and SGD come with the package, the others
when they are first named.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from plugrad.optim import lr_scheduler as lr_scheduler
from plugrad.optim.adam import Adam as Adam
from plugrad.optim.adam import AdamW as AdamW
from plugrad.optim.optimizer import Optimizer as Optimizer
from plugrad.optim.optimizer import ParamsT as ParamsT
from plugrad.optim.optimizer import required as required
from plugrad.optim.sgd import SGD as SGD

if TYPE_CHECKING:
    from plugrad.optim import swa_utils as swa_utils
    from plugrad.optim.adadelta import Adadelta as Adadelta
    from plugrad.optim.adafactor import Adafactor as Adafactor
    from plugrad.optim.adagrad import Adagrad as Adagrad
    from plugrad.optim.adamax import Adamax as Adamax
    from plugrad.optim.asgd import ASGD as ASGD
    from plugrad.optim.lbfgs import LBFGS as LBFGS
    from plugrad.optim.muon import Muon as Muon
    from plugrad.optim.nadam import NAdam as NAdam
    from plugrad.optim.radam import RAdam as RAdam
    from plugrad.optim.rmsprop import RMSprop as RMSprop
    from plugrad.optim.rprop import Rprop as Rprop
    from plugrad.optim.sparse_adam import SparseAdam as SparseAdam

_LATER = (
    *("ASGD", "Adadelta", "Adafactor", "Adagrad", "Adamax", "LBFGS", "Muon", "NAdam", "RAdam"),
    *("RMSprop", "Rprop", "SparseAdam"),
)
_MODULES = {name: name.lower() for name in _LATER} | {"SparseAdam": "sparse_adam"}


def __getattr__(name: str) -> Any:
    if name == "swa_utils":
        return import_module("plugrad.optim.swa_utils")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"plugrad.optim.{_MODULES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *_MODULES, "swa_utils"]
