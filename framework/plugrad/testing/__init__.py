"""What tests of programs need: comparison within tolerances, and tensors of random elements."""

from plugrad.testing.comparison import assert_close as assert_close
from plugrad.testing.samples import make_tensor as make_tensor
