"""The gate: one PluginManager per backend, every operator resolved once, then called directly.

A pluggy call costs 2-4 µs, a resolved kernel 0.1 µs. So pluggy registers, orders, validates and
wraps, and the chain of kernels of one operator is compiled to a callable on first use. Where a
wrapper or a monitor is present the compiled callable is the real hook call. The order: overrides,
the backend, what it builds on, the operator's body.
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, final

import pluggy

from plugrad import contracts, discovery
from plugrad.contracts import Kernel
from plugrad.devices import META, Device, get_default_device
from plugrad.dtypes import DType
from plugrad.errors import (
    BackendError,
    BackendImportError,
    BackendUnavailableError,
    ContractError,
    NotABackendError,
    PluginError,
    UnsupportedError,
)
from plugrad.hooks import ACCEPTED_CONTRACTS, PROJECT, Manifest, Services, kernel

BODIES = "plugrad.bodies"


@final
class Backend:
    """A loaded backend: its plugins, and for each hook the callable that answers."""

    def __init__(self, name: str) -> None:
        plugin = _offer_of_backend(name)
        manifest = plugin.manifest
        lineage = plugin.lineage()
        for link in lineage:
            _check_contract(link.manifest)
        self.name = name
        self.manifest = manifest
        self.distribution = plugin.distribution
        # Plugin name -> the distribution that it comes from.
        self.origins: dict[str, str] = {}
        self.fallbacks: Counter[str] = Counter()
        self._monitors: list[tuple[Callable[..., None], Callable[..., None]]] = []
        self._unmonitor: Callable[[], None] = lambda: None
        self._resolved: dict[str, Kernel | None] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(Services)
        self._manager.add_hookspecs(_as_namespace(contracts.operators))
        # pluggy calls the last registered first.
        self._manager.register(_as_namespace(_bodies_for(self)), BODIES)
        for link in reversed(lineage):
            self._register_backend(link)
        for other, (wanted, extension, distribution) in _extensions.items():
            if wanted in (None, name):
                self._register(extension, other, distribution)

    def _register_backend(self, plugin: _BackendPlugin) -> None:
        self._register(plugin.plugin, plugin.name, plugin.distribution)
        for module in plugin.manifest.modules:
            self._register(_imported(plugin, module), module, plugin.distribution)

    def _register(self, plugin: object, name: str, distribution: str) -> None:
        contracts.check_plugin(self.name, name, plugin)
        self._manager.register(plugin, name)
        self.origins[name] = distribution

    def extend(self, plugin: object, name: str, distribution: str) -> None:
        """Put a plugin before the kernels that are there already."""
        self._register(plugin, name, distribution)
        self.forget()

    def reduce(self, name: str) -> None:
        """Take a plugin out."""
        if self._manager.has_plugin(name):
            self._manager.unregister(name=name)
            del self.origins[name]
            self.forget()

    def accept_operator(self, name: str, function: Kernel) -> None:
        """Let an operator that was declared after loading be implemented and called."""
        self._manager.add_hookspecs(_as_namespace({name: function}))
        if name in _bodies:
            self._manager.unregister(name=BODIES)
            self._manager.register(_as_namespace(_bodies_for(self)), BODIES)
        self.forget()

    def forget(self) -> None:
        """Drop what was resolved: the plugins have changed."""
        self._resolved.clear()
        for watcher in watchers:
            watcher()

    def monitor(
        self, before: Callable[..., None], after: Callable[..., None]
    ) -> Callable[[], None]:
        """Have pluggy call `before` and `after` around every hook call; returns the undoing."""
        pair = before, after
        if not self._monitors:
            self._unmonitor = self._manager.add_hookcall_monitoring(self._before, self._after)
        self._monitors.append(pair)
        self.forget()

        def stop() -> None:
            self._monitors.remove(pair)
            if not self._monitors:
                self._unmonitor()
            self.forget()

        return stop

    # pluggy undoes monitors in the reverse order only: it gets one, for all.
    def _before(self, *call: Any) -> None:
        for before, _ in self._monitors:
            before(*call)

    def _after(self, *call: Any) -> None:
        for _, after in self._monitors:
            after(*call)

    def resolve(self, name: str) -> Kernel | None:
        """The callable behind a hook, or `None` where only the operator's own body would answer."""
        try:
            return self._resolved[name]
        except KeyError:
            resolved = self._resolved[name] = self._compile(name)
            return resolved

    def _compile(self, name: str) -> Kernel | None:
        hooks = self.answering(name)
        if self._monitors or any(hook.wrapper or hook.hookwrapper for hook in hooks):
            return self.hook(name)
        # A body is not called here: dispatch runs it on the tensors themselves, without unwrapping.
        kernels = [hook.function for hook in hooks if hook.plugin_name != BODIES]
        if len(kernels) < 2:
            return kernels[0] if kernels else None

        def first_to_answer(*arguments: Any) -> Any:
            for candidate in kernels:
                result = candidate(*arguments)
                if result is not None:
                    return result
            return None

        return first_to_answer

    def hook(self, name: str) -> Kernel:
        """The real pluggy call behind a positional signature."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)
        parameters = contracts.parameters[name]

        def call(*arguments: Any) -> Any:
            return caller(**dict(zip(parameters, arguments, strict=True)))

        return call

    def answering(self, name: str) -> list[pluggy.HookImpl]:
        """The implementations of a hook in calling order."""
        caller: pluggy.HookCaller = getattr(self._manager.hook, name)
        return list(reversed(caller.get_hookimpls()))

    def service(self, name: str) -> Kernel:
        """A service that the backend must have."""
        resolved = self.resolve(name)
        if resolved is None:
            raise BackendError(self.name, f"it does not implement the service {name!r}")
        return resolved

    def check_stores(self, operator: str, dtype: DType) -> None:
        """Refuse a dtype that the manifest does not name."""
        stored = self.manifest.dtypes
        if dtype not in stored:
            raise UnsupportedError(
                operator,
                "dtype",
                expected=f"one that {self.name!r} stores: {', '.join(map(str, stored))}",
                got=dtype,
            )

    def device_of(self, array: Any) -> Device:
        """The device that holds a native array."""
        return Device(
            self.name, self.service("array_index")(array) if self.manifest.numbered else None
        )

    def canonical(self, device: Device) -> Device:
        """The device with its index, if this backend numbers its devices and has that one."""
        if not self.manifest.numbered:
            if device.index is not None:
                raise BackendUnavailableError(
                    self.name, f"its devices are not numbered, got {str(device)!r}"
                )
            return device
        count = self.service("device_count")()
        index = device.index
        if index is None:
            choose = self.resolve("device_choose")
            index = 0 if choose is None else choose(None)
        if index >= count:
            raise BackendUnavailableError(self.name, f"it has {count} devices, got {str(device)!r}")
        return Device(device.type, index)


@final
class _BackendPlugin:
    """A backend's plugin before it is loaded into a manager."""

    def __init__(self, name: str, plugin: object, distribution: str) -> None:
        describe = getattr(plugin, "plugrad_manifest", None)
        if describe is None:
            raise NotABackendError(
                name,
                f"what {distribution} offers under this name is a plugin, not a backend",
                hint=f"switch it on with plugrad.backends.enable({name!r})",
            )
        self.name = name
        self.plugin = plugin
        self.distribution = distribution
        self.manifest: Manifest = describe()

    def lineage(self) -> list[_BackendPlugin]:
        """The backend and what it builds on, nearest first."""
        found: list[_BackendPlugin] = [self]
        while parent := found[-1].manifest.builds_on:
            if parent in [link.name for link in found]:
                raise PluginError(self.name, f"it builds on itself, by way of {found[-1].name!r}")
            found.append(_offer_of_backend(parent))
        return found


def _imported(plugin: _BackendPlugin, module: str) -> object:
    try:
        return importlib.import_module(module)
    except Exception as cause:
        raise BackendImportError(
            plugin.name,
            f"{plugin.distribution} is installed, but importing its module {module!r} failed: "
            f"{type(cause).__name__}: {cause}",
            hint="mend that import, or block the backend with PLUGRAD_BLOCK=" + plugin.name,
        ) from cause


def _offer_of_backend(name: str) -> _BackendPlugin:
    offer = discovery.find(name)
    return _BackendPlugin(name, offer.load(), offer.source)


def _check_contract(manifest: Manifest) -> None:
    if manifest.contract not in ACCEPTED_CONTRACTS:
        newer = manifest.contract > max(ACCEPTED_CONTRACTS)
        raise ContractError(
            manifest.name,
            f"it was written for contract {manifest.contract}, "
            f"spoken here are {' and '.join(map(str, ACCEPTED_CONTRACTS))}",
            hint="upgrade plugrad" if newer else "upgrade the backend",
        )


_loaded: dict[str, Backend] = {}
_bodies: dict[str, Callable[[Backend], Kernel]] = {}
_extensions: dict[str, tuple[str | None, object, str]] = {}
watchers: list[Callable[[], None]] = []
greeters: list[Callable[[Backend], None]] = []


def backend(name: str) -> Backend:
    """The backend of that name, loaded on first use."""
    found = _loaded.get(name)
    if found is None:
        found = _loaded[name] = Backend(name)
        for greeter in greeters:
            greeter(found)
    return found


def loaded() -> tuple[Backend, ...]:
    """The backends that have been used so far."""
    return tuple(_loaded.values())


def unload(name: str) -> None:
    """Forget a backend; the next use of its name loads it anew."""
    found = _loaded.pop(name, None)
    if found is not None:
        found.forget()


def resolve_device(device: str | Device | None) -> Device:
    """A device that exists: `None` is the default one, `"cuda"` the first of its kind."""
    chosen = get_default_device() if device is None else Device(device)
    return chosen if chosen.type == META else backend(chosen.type).canonical(chosen)


def declare_operator(function: Kernel, body: Callable[[Backend], Kernel] | None) -> tuple[str, ...]:
    """Make a contract known to every backend, with the fallback that a body gives; returns its
    parameters.
    """
    parameters = contracts.declare(function)
    if body is not None:
        _bodies[function.__name__] = body
    for each in _loaded.values():
        each.accept_operator(function.__name__, function)
    return parameters


def register(plugin: object, *, name: str, backend: str | None = None) -> None:
    """Put a plugin before one backend's kernels, or before every backend's."""
    _extend(plugin, name, backend, discovery.THIS_PROGRAM)


def _extend(plugin: object, name: str, backend: str | None, distribution: str) -> None:
    if backend is not None and backend not in discovery.INSTALL_HINTS:
        discovery.find(backend)  # refuses a name that nobody offers
    reached = [each for each in _loaded.values() if backend in (None, each.name)]
    if name in _extensions or any([name in each.origins for each in reached]):
        raise PluginError(backend or "any", f"a plugin named {name!r} is registered already")
    if not contracts.check_plugin(backend or "any", name, plugin):
        raise PluginError(
            backend or "any",
            f"plugin {name!r} implements no hook",
            hint="mark its functions with @plugrad.kernel",
        )
    _extensions[name] = (backend, plugin, distribution)
    for each in reached:
        each.extend(plugin, name, distribution)


def enable(name: str, *, backend: str | None = None) -> None:
    """Register an installed plugin by the name of its entry point."""
    offer = discovery.find(name)
    _extend(offer.load(), name, backend, offer.source)


def unregister(name: str) -> None:
    """Take a plugin out of every backend."""
    if _extensions.pop(name, None) is None:
        raise PluginError("any", f"no plugin named {name!r} is registered")
    for each in _loaded.values():
        each.reduce(name)


def _as_namespace(functions: dict[str, Kernel]) -> Any:
    # pluggy takes any object with attributes, though its types name modules and classes only.
    return SimpleNamespace(**functions)


def _bodies_for(backend: Backend) -> dict[str, Kernel]:
    return {name: kernel(trylast=True)(make(backend)) for name, make in _bodies.items()}
