"""From one device to another: here to the tensor's own, which copies."""

from __future__ import annotations

from plugrad.ops import transfer as ops
from plugrad_conformance.case import DEVICE, EVERY, EXACT, Case, call, each, reals

CASES = (
    Case(
        ops.to_device,
        each(
            rows=call(reals(3, 4), device=DEVICE),
            scalar=call(reals(), device=DEVICE),
            empty=call(reals(0, 3), device=DEVICE),
        ),
        lambda x, device: x,
        EXACT,
        EVERY,
        opaque=True,  # the body goes through the host's memory
    ),
)
