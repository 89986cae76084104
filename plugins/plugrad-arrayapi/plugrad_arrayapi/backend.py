"""The plugin: all families in one object."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from plugrad.hooks import Manifest, kernel
from plugrad_arrayapi.arrays import Arrays
from plugrad_arrayapi.comparison import Comparison
from plugrad_arrayapi.creation import Creation
from plugrad_arrayapi.decomposition import Decomposition
from plugrad_arrayapi.elementwise import Elementwise
from plugrad_arrayapi.fourier import Fourier
from plugrad_arrayapi.indexing import Indexing
from plugrad_arrayapi.joining import Joining
from plugrad_arrayapi.kernels import STORED
from plugrad_arrayapi.linalg import Linalg
from plugrad_arrayapi.numbers import Numbers
from plugrad_arrayapi.reduction import Reduction
from plugrad_arrayapi.sampling import Sampling
from plugrad_arrayapi.systems import Systems

CONTRACT = 1


class ArrayApi(
    Arrays,
    Creation,
    Elementwise,
    Comparison,
    Numbers,
    Reduction,
    Joining,
    Linalg,
    Systems,
    Decomposition,
    Fourier,
    Indexing,
    Sampling,
):
    """A backend over one library's namespace. Everything that has a body is left to it."""

    def __init__(self, library: Any, name: str) -> None:
        super().__init__(library)
        self.library = library
        self.name = name
        # Infinities and NaNs are results; libraries over NumPy would warn of them.
        for attribute in dir(self):
            function = getattr(self, attribute)
            if hasattr(function, "plugrad_impl"):
                setattr(self, attribute, np.errstate(all="ignore")(function))

    @kernel
    def plugrad_manifest(self) -> Manifest:
        """The dtypes are the standard's: no half precision."""
        return Manifest(
            name=self.name,
            version=_version(self.library),
            description=f"the array API of {self.library.__name__}, on the CPU",
            modules=(),
            contract=CONTRACT,
            dtypes=STORED,
            features=("host memory",),
        )

    @kernel
    def device_count(self) -> int:
        """The host's memory, which every such library has."""
        return 1


def over(library: Any, *, name: str) -> ArrayApi:
    """A backend over a library that follows the standard of 2024.12 or later, to be offered under
    that name.

    Its arrays must be mutable, lie in the host's memory, and exchange it by DLPack without a copy.
    """
    return ArrayApi(library, name)


def _version(library: Any) -> str:
    try:
        return f"{library.__name__} {version(library.__name__)}"
    except PackageNotFoundError:
        return library.__name__
