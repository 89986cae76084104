"""`arrayapi_torch`: PyTorch's tensors and kernels under plugrad's frontend and derivatives."""

from __future__ import annotations

import torch

from plugrad_arrayapi.backend import over

backend = over(torch, name="arrayapi_torch")
