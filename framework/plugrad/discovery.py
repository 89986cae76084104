"""Which backends and plugins are installed. Nothing is imported until its name is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, final

from plugrad.errors import (
    BackendBlockedError,
    BackendImportError,
    PluginError,
    UnknownBackendError,
)
from plugrad.hooks import PROJECT

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

# What to type where a well-known backend is missing.
INSTALL_HINTS = {
    "numpy": "pip install plugrad",
    "numba": "pip install 'plugrad[numba]'",
    "cuda": "pip install 'plugrad[cuda12]' or 'plugrad[cuda13]', by the driver's CUDA version",
}


@final
@dataclass(frozen=True, slots=True)
class Offer:
    """A name under which a distribution, or the running program, offers a backend or plugin."""

    name: str
    distribution: str
    version: str
    #: The plugin itself, or where it is to be imported from.
    plugin: object = None
    entry: EntryPoint | None = None

    @property
    def source(self) -> str:
        """The distribution with its version."""
        return f"{self.distribution} {self.version}".strip()

    def load(self) -> object:
        """The plugin itself; a failing import is chained to the error."""
        if self.entry is None:
            return self.plugin
        try:
            return self.entry.load()
        except Exception as cause:
            raise BackendImportError(
                self.name,
                f"{self.distribution} {self.version} is installed, but importing "
                f"{self.entry.value!r} failed: {type(cause).__name__}: {cause}",
                hint=_way_out(self.name, cause),
            ) from cause


def _way_out(name: str, cause: Exception) -> str:
    """What to do about an import that failed."""
    if isinstance(cause, ModuleNotFoundError) and name in INSTALL_HINTS:
        return INSTALL_HINTS[name]  # a library that is an extra of the distribution
    return "mend that import, or block the backend with PLUGRAD_BLOCK=" + name


THIS_PROGRAM = "(this program)"
_offered: dict[str, Offer] = {}


def offer(name: str, plugin: object) -> None:
    """Offer a backend or plugin under a name without installing it, as a test suite does."""
    if name in _offered or name in _installed():
        raise PluginError(name, "a backend or plugin of this name is offered already")
    _offered[name] = Offer(name, THIS_PROGRAM, "", plugin)


def withdraw(name: str) -> None:
    """Take back what `offer` offered."""
    del _offered[name]


def names() -> list[str]:
    """Every name that is offered, the reference first."""
    return sorted({*_installed(), *_offered}, key=lambda name: (name != "numpy", name))


def find(name: str) -> Offer:
    """The one offer of that name; the errors say what to install, or which two collide."""
    if name in blocked():
        raise BackendBlockedError(
            name, "PLUGRAD_BLOCK forbids it", hint="take the name out of that environment variable"
        )
    offers = [*_installed().get(name, ())]
    if name in _offered:
        offers.append(_offered[name])
    if not offers:
        hint = INSTALL_HINTS.get(name, "install the distribution that offers it")
        raise UnknownBackendError(name, f"not installed; there are {', '.join(names())}", hint=hint)
    if len(offers) > 1:
        rivals = " and ".join(f"{o.distribution} {o.version}" for o in offers)
        raise PluginError(name, f"{rivals} both offer this name", hint="uninstall one of the two")
    return offers[0]


def offer_of(module: str) -> Offer | None:
    """The installed offer whose code a module belongs to, by their common package."""
    package = module.partition(".")[0]
    for offers in _installed().values():
        for each in offers:
            if each.entry is not None and each.entry.module.partition(".")[0] == package:
                return each
    return None


def blocked() -> frozenset[str]:
    """The names that the environment variable `PLUGRAD_BLOCK` (comma-separated) forbids."""
    return frozenset(filter(None, os.environ.get("PLUGRAD_BLOCK", "").replace(" ", "").split(",")))


@cache
def _installed() -> dict[str, list[Offer]]:
    # Importing it takes as long as the rest of plugrad, and `import plugrad` alone has no use for
    # it.
    from importlib.metadata import entry_points

    found: dict[str, list[Offer]] = {}
    for entry in entry_points(group=PROJECT):
        distribution = entry.dist
        found.setdefault(entry.name, []).append(
            Offer(
                entry.name,
                distribution.name if distribution else "(unknown)",
                distribution.version if distribution else "",
                entry=entry,
            )
        )
    return found
