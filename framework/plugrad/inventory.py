"""What became of every backend that is installed or well known: usable, or why not. Nothing here
raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from plugrad import discovery
from plugrad.backends import Backend, backend
from plugrad.errors import (
    BackendBlockedError,
    BackendError,
    BackendImportError,
    BackendUnavailableError,
    ContractError,
    NotABackendError,
    UnknownBackendError,
)

Condition = Literal[
    "ready",
    "not installed",
    "import failed",
    "no device",
    "contract mismatch",
    "blocked",
    "plugin",
    "unusable",
]

_CONDITIONS: dict[type[BackendError], Condition] = {
    BackendBlockedError: "blocked",
    UnknownBackendError: "not installed",
    BackendImportError: "import failed",
    BackendUnavailableError: "no device",
    ContractError: "contract mismatch",
    NotABackendError: "plugin",
}


@final
@dataclass(frozen=True, slots=True)
class BackendState:
    """One backend as it stands on this machine.

    `version` is what it says of itself and `distribution` where it comes from, both empty where
    that is unknown; `devices` are the names to pass as `device=`; `reason` says why it is not
    ready, and the way out.
    """

    name: str
    version: str
    distribution: str
    devices: tuple[str, ...]
    condition: Condition
    reason: str


def backend_states() -> list[BackendState]:
    """The state of every installed backend, then of the well-known ones that are not installed.

    Loads them all. For a plugin, which is no backend, the reason says how it is switched on.
    """
    installed = discovery.names()
    missing = [name for name in discovery.INSTALL_HINTS if name not in installed]
    return [backend_state(name) for name in (*installed, *missing)]


def backend_state(name: str) -> BackendState:
    """The state of one backend."""
    try:
        loaded = backend(name)
    except BackendError as error:
        return _failed(name, _CONDITIONS.get(type(error), "unusable"), error)
    except (Exception, SystemExit) as error:  # whatever the code of a stranger does
        return _failed(name, "unusable", error)
    try:
        devices = _devices(loaded)
    except (Exception, SystemExit) as error:
        return _failed(name, "no device", error, loaded)
    if not devices:
        return _failed(name, "no device", BackendError(name, "it counts no devices"), loaded)
    manifest = loaded.manifest
    return BackendState(name, manifest.version, loaded.distribution, devices, "ready", "")


def _devices(loaded: Backend) -> tuple[str, ...]:
    count = loaded.service("device_count")()
    if loaded.manifest.numbered:
        return tuple([f"{loaded.name}:{index}" for index in range(count)])
    return (loaded.name,) if count else ()


def _failed(
    name: str, condition: Condition, error: BaseException, loaded: Backend | None = None
) -> BackendState:
    if condition == "not installed" and isinstance(error, BackendError):
        reason = error.hint
    elif isinstance(error, BackendError):
        reason = "; ".join(filter(None, [error.problem, error.hint]))
    else:
        reason = f"{type(error).__name__}: {error}"
    version = loaded.manifest.version if loaded else ""
    return BackendState(name, version, _distribution(name), (), condition, reason)


def _distribution(name: str) -> str:
    try:
        return discovery.find(name).source
    except BackendError:
        return ""
