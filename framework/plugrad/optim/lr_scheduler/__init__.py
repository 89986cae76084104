"""Schedules: learning rates that change with the epoch. Call `step()` once per epoch, after the
optimizer's.

Most rates follow from the one before, so that several schedules on one optimizer multiply, as
PyTorch's do.
"""

from plugrad.optim.lr_scheduler.composed import ChainedScheduler as ChainedScheduler
from plugrad.optim.lr_scheduler.composed import SequentialLR as SequentialLR
from plugrad.optim.lr_scheduler.cosine import (
    CosineAnnealingLR as CosineAnnealingLR,
)
from plugrad.optim.lr_scheduler.cosine import (
    CosineAnnealingWarmRestarts as CosineAnnealingWarmRestarts,
)
from plugrad.optim.lr_scheduler.cycles import CyclicLR as CyclicLR
from plugrad.optim.lr_scheduler.cycles import OneCycleLR as OneCycleLR
from plugrad.optim.lr_scheduler.factors import ConstantLR as ConstantLR
from plugrad.optim.lr_scheduler.factors import ExponentialLR as ExponentialLR
from plugrad.optim.lr_scheduler.factors import LambdaLR as LambdaLR
from plugrad.optim.lr_scheduler.factors import LinearLR as LinearLR
from plugrad.optim.lr_scheduler.factors import MultiplicativeLR as MultiplicativeLR
from plugrad.optim.lr_scheduler.factors import MultiStepLR as MultiStepLR
from plugrad.optim.lr_scheduler.factors import PolynomialLR as PolynomialLR
from plugrad.optim.lr_scheduler.factors import StepLR as StepLR
from plugrad.optim.lr_scheduler.plateau import ReduceLROnPlateau as ReduceLROnPlateau
from plugrad.optim.lr_scheduler.scheduler import LRScheduler as LRScheduler
from plugrad.optim.lr_scheduler.scheduler import LRScheduler as _LRScheduler  # noqa: F401 - old name
