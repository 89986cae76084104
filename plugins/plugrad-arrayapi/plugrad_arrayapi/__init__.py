"""A backend over any library that speaks the Python array API standard.

`over(library, name=…)` makes the plugin: an object whose methods are the kernels, written once in
the standard's own functions. Two come installed: `arrayapi_strict`, over the standard's strict
reference implementation, and `arrayapi_torch`, over PyTorch tensors.
"""

from plugrad_arrayapi.backend import ArrayApi as ArrayApi
from plugrad_arrayapi.backend import over as over

__version__ = "0.1.0"
