"""Optimizers, and schedules of their learning rates."""

from plugrad.optim import lr_scheduler as lr_scheduler
from plugrad.optim import swa_utils as swa_utils
from plugrad.optim.adadelta import Adadelta as Adadelta
from plugrad.optim.adafactor import Adafactor as Adafactor
from plugrad.optim.adagrad import Adagrad as Adagrad
from plugrad.optim.adam import Adam as Adam
from plugrad.optim.adam import AdamW as AdamW
from plugrad.optim.adamax import Adamax as Adamax
from plugrad.optim.asgd import ASGD as ASGD
from plugrad.optim.lbfgs import LBFGS as LBFGS
from plugrad.optim.muon import Muon as Muon
from plugrad.optim.nadam import NAdam as NAdam
from plugrad.optim.optimizer import Optimizer as Optimizer
from plugrad.optim.optimizer import ParamsT as ParamsT
from plugrad.optim.optimizer import required as required
from plugrad.optim.radam import RAdam as RAdam
from plugrad.optim.rmsprop import RMSprop as RMSprop
from plugrad.optim.rprop import Rprop as Rprop
from plugrad.optim.sgd import SGD as SGD
from plugrad.optim.sparse_adam import SparseAdam as SparseAdam
