"""What stands around models: data."""

from plugrad.utils import data as data
