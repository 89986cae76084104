"""plugrad: deep learning with PyTorch's vocabulary over interchangeable backends. The public names, by floor."""

from plugrad import autograd as autograd
from plugrad import backends as backends
from plugrad import ops as ops
from plugrad._version import __version__ as __version__
from plugrad.creation import arange as arange
from plugrad.creation import as_tensor as as_tensor
from plugrad.creation import empty as empty
from plugrad.creation import empty_like as empty_like
from plugrad.creation import eye as eye
from plugrad.creation import from_numpy as from_numpy
from plugrad.creation import frombuffer as frombuffer
from plugrad.creation import full as full
from plugrad.creation import full_like as full_like
from plugrad.creation import linspace as linspace
from plugrad.creation import logspace as logspace
from plugrad.creation import ones as ones
from plugrad.creation import ones_like as ones_like
from plugrad.creation import tensor as tensor
from plugrad.creation import zeros as zeros
from plugrad.creation import zeros_like as zeros_like
from plugrad.devices import Device as device
from plugrad.devices import get_default_device as get_default_device
from plugrad.dtypes import DType as dtype
from plugrad.dtypes import bfloat16 as bfloat16
from plugrad.dtypes import bool_ as bool
from plugrad.dtypes import can_cast as can_cast
from plugrad.dtypes import complex64 as complex64
from plugrad.dtypes import complex128 as complex128
from plugrad.dtypes import finfo as finfo
from plugrad.dtypes import float16 as float16
from plugrad.dtypes import float32 as float32
from plugrad.dtypes import float64 as float64
from plugrad.dtypes import get_default_dtype as get_default_dtype
from plugrad.dtypes import iinfo as iinfo
from plugrad.dtypes import int8 as int8
from plugrad.dtypes import int16 as int16
from plugrad.dtypes import int32 as int32
from plugrad.dtypes import int64 as int64
from plugrad.dtypes import promote_types as promote_types
from plugrad.dtypes import set_default_dtype as set_default_dtype
from plugrad.dtypes import uint8 as uint8
from plugrad.tape import enable_grad as enable_grad
from plugrad.tape import is_grad_enabled as is_grad_enabled
from plugrad.tape import no_grad as no_grad
from plugrad.tape import set_grad_enabled as set_grad_enabled
from plugrad.tensor import Size as Size
from plugrad.tensor import Tensor as Tensor
from plugrad.random import Generator as Generator
from plugrad.random import manual_seed as manual_seed
from plugrad.random import rand as rand
from plugrad.random import randn as randn
from plugrad.random import randint as randint
from plugrad.random import randperm as randperm

half, float, double, cfloat, cdouble = float16, float32, float64, complex64, complex128
short, int, long = int16, int32, int64
