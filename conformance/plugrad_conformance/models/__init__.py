"""Small models with data, optimizer and goal, and the bands in which their training must run."""

from plugrad_conformance.models.band import recorded as recorded
from plugrad_conformance.models.exercises import EXERCISES as EXERCISES
from plugrad_conformance.models.training import Exercise as Exercise
from plugrad_conformance.models.training import Training as Training
