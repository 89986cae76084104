"""PyTorch's own tables of operators, modules and optimizers, which its tests are made from.

They are internal: PyTorch's version is pinned, and only this module imports them.
"""

from __future__ import annotations

import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # about packages that only PyTorch's own tests want
    from torch.testing._internal.common_methods_invocations import op_db
    from torch.testing._internal.common_modules import ModuleErrorEnum, module_db
    from torch.testing._internal.common_optimizers import OptimizerErrorEnum, optim_db
    from torch.testing._internal.opinfo.core import BinaryUfuncInfo, UnaryUfuncInfo

OPERATORS: list[Any] = list(op_db)
MODULES: list[Any] = list(module_db)
OPTIMIZERS: list[Any] = list(optim_db)

UNBUILT: Any = ModuleErrorEnum.CONSTRUCTION_ERROR
UNMADE: Any = OptimizerErrorEnum.CONSTRUCTION_ERROR


def elementwise_operands(info: Any) -> int:
    """How many tensors an elementwise operator takes; 0 for others."""
    return {UnaryUfuncInfo: 1, BinaryUfuncInfo: 2}.get(type(info), 0)
