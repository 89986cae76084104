"""Mixed precision on CUDA under PyTorch's older names; `plugrad.amp` says what they do."""

from __future__ import annotations

from plugrad import amp
from plugrad.dtypes import DType, float16


class autocast(amp.autocast):
    """`plugrad.amp.autocast("cuda")`."""

    def __init__(
        self, enabled: bool = True, dtype: DType = float16, cache_enabled: bool = True
    ) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """`plugrad.amp.GradScaler("cuda")`."""

    def __init__(
        self,
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        super().__init__(
            "cuda", init_scale, growth_factor, backoff_factor, growth_interval, enabled
        )
