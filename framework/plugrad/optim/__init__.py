"""Optimizers and schedules of their learning rates."""

from plugrad.optim import lr_scheduler as lr_scheduler
from plugrad.optim.adam import Adam as Adam
from plugrad.optim.adam import AdamW as AdamW
from plugrad.optim.optimizer import Optimizer as Optimizer
from plugrad.optim.sgd import SGD as SGD
