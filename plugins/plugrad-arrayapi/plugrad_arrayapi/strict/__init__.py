"""`arrayapi_strict`: the standard's reference implementation, which refuses all that is not in the
standard. What runs here runs over any library that follows it.
"""

from __future__ import annotations

import array_api_strict

from plugrad_arrayapi.backend import over

backend = over(array_api_strict, name="arrayapi_strict")
