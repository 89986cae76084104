"""The first operator that made a NaN, by name, on any backend.

    from plugrad_nanguard import nan_guard

    with nan_guard():
        loss = model(x).mean()
        loss.backward()

stops with a NanError that says which operator it was, what its inputs were, and in whose backward.
While no guard is up nothing is installed, so that it costs nothing.
"""

from plugrad_nanguard.guard import Guard as Guard
from plugrad_nanguard.guard import disable as disable
from plugrad_nanguard.guard import enable as enable
from plugrad_nanguard.guard import nan_guard as nan_guard
from plugrad_nanguard.report import Finding as Finding
from plugrad_nanguard.report import NanError as NanError
from plugrad_nanguard.report import NanWarning as NanWarning

__version__ = "0.1.0"
