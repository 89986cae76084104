"""Training on the digits: models, the loop that can be stopped and resumed, and what a run leaves
in its folder.
"""

from plugrad.training.loop import EpochResult as EpochResult
from plugrad.training.loop import Settings as Settings
from plugrad.training.loop import Training as Training
from plugrad.training.models import MODELS as MODELS
from plugrad.training.report import ClassScore as ClassScore
from plugrad.training.report import class_scores as class_scores
from plugrad.training.run import Run as Run
