"""The operators: importing this package declares them all; `operators` has them by name."""

from plugrad.dispatch import operators as operators
from plugrad.ops import activation as activation
from plugrad.ops import attention as attention
from plugrad.ops import comparison as comparison
from plugrad.ops import convolution as convolution
from plugrad.ops import creation as creation
from plugrad.ops import elementwise as elementwise
from plugrad.ops import indexing as indexing
from plugrad.ops import joining as joining
from plugrad.ops import linalg as linalg
from plugrad.ops import loss as loss
from plugrad.ops import normalization as normalization
from plugrad.ops import optimizer as optimizer
from plugrad.ops import pooling as pooling
from plugrad.ops import reduction as reduction
from plugrad.ops import sampling as sampling
from plugrad.ops import transfer as transfer
from plugrad.ops import views as views
