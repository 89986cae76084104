"""What a backend claims of a row, and which plugin answers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import plugrad
from plugrad.backends import BODIES
from plugrad_conformance.journal import Answer
from plugrad_conformance.layouts import Layout
from plugrad_conformance.rows import Row, leaves, nested, to_tensor

#: "computes": must give the right answer. "stores": may decline with an UnsupportedError. "lacks":
#: must raise one.
Claim = Literal["computes", "stores", "lacks"]


def backend_of(device: str) -> Any:
    """The backend behind a device's name."""
    return plugrad.backends.backend(plugrad.device(device).type)


def claim(row: Row, device: str) -> Claim:
    """What the backend's manifest says of the dtypes that a row's call has to do with."""
    manifest = backend_of(device).manifest
    computed = manifest.dtypes if manifest.computes is None else manifest.computes
    if row.dtypes <= set(computed):
        return "computes"
    return "stores" if row.dtypes <= set(manifest.dtypes) else "lacks"


def kernels_of(operator: Any, device: str) -> list[Any]:
    """The kernels in calling order, the backend's own and those of other plugins, without wrappers
    and bodies.
    """
    return [
        hook
        for hook in backend_of(device).answering(operator.name)
        if not (hook.wrapper or hook.hookwrapper) and hook.plugin_name != BODIES
    ]


def call_kernel(
    row: Row, device: str, kernel: Callable[..., Any], layout: Layout | None = None
) -> Any:
    """What a kernel gives for a row's tensors, of a layout where they have it, as native arrays;
    None where it declines.
    """
    operator = row.case.operator

    def laid_out(array: Any) -> Any:
        if layout is None or not layout.fits(array.shape):
            return to_tensor(array, device)
        return layout.look(to_tensor(layout.store(array), device), array.shape)

    arguments, params = nested(laid_out, row.arrays()), row.params(device)
    if operator.prepare is not None:
        arguments, params = operator.prepare(arguments, params)
    for position in operator.writes:
        for target in leaves((arguments[position],)):
            target.settle()
    return kernel(*nested(lambda tensor: tensor.native(), arguments), *params)


def who_answers(row: Row, device: str) -> tuple[Answer, str]:
    """Who answers a row, and the plugin's name.

    A kernel of the backend or of a plugin (native), one of the backend that it builds on
    (inherited), the body because there is no kernel (composite) or because all decline (declined),
    nobody because it is a view.
    """
    operator = row.case.operator
    if operator.geometry is not None:
        return "view", ""
    kernels = kernels_of(operator, device)
    for hook in kernels:
        if call_kernel(row, device, hook.function) is not None:
            inherited = hook.plugin_name in _plugins_below(plugrad.device(device).type)
            return "inherited" if inherited else "native", hook.plugin_name
    return "declined" if kernels else "composite", BODIES


def _plugins_below(name: str) -> set[str]:
    """The plugins of the backends that a backend builds on."""
    found: set[str] = set()
    while below := plugrad.backends.backend(name).manifest.builds_on:
        found |= {below, *plugrad.backends.backend(below).manifest.modules}
        name = below
    return found
