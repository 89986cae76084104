"""From one device to another, through the host unless a backend knows a shorter way."""

from __future__ import annotations

from plugrad.backends import backend
from plugrad.devices import META
from plugrad.families import composite
from plugrad.spec import spec_of
from plugrad.value import NO_DATA, wrap


@composite(lambda x, device: spec_of(x.shape, x.dtype, device), holomorphic=False)
def to_device(x, /, device):
    """A copy on another device."""
    spec = spec_of(x.spec.shape, x.spec.dtype, device)
    if device.type == META:
        return wrap(NO_DATA, spec)
    data = backend(x.spec.device.type).service("array_to_host")(x.native())
    owner = backend(device.type)
    owner.check_stores("to_device", spec.dtype)
    receive = owner.service("array_from_host")
    return wrap(receive(data, spec.dtype, spec.shape, device.index), spec)


to_device.vjp(x=lambda g, x_spec: to_device(g, x_spec.device))
to_device.linear("x")
