"""Linear algebra: matrices stand in the last two axes, those before are a batch.

float32, float64, complex64 and complex128, with derivatives. An algorithm that fails on a matrix
raises `LinAlgError`; the functions whose names end in `_ex` say so in `info` instead.
"""

from plugrad.errors import LinAlgError as LinAlgError
from plugrad.functions.decomposition import cholesky as cholesky
from plugrad.functions.decomposition import cholesky_ex as cholesky_ex
from plugrad.functions.decomposition import eig as eig
from plugrad.functions.decomposition import eigh as eigh
from plugrad.functions.decomposition import eigvals as eigvals
from plugrad.functions.decomposition import eigvalsh as eigvalsh
from plugrad.functions.decomposition import householder_product as householder_product
from plugrad.functions.decomposition import lstsq as lstsq
from plugrad.functions.decomposition import matrix_rank as matrix_rank
from plugrad.functions.decomposition import pinv as pinv
from plugrad.functions.decomposition import qr as qr
from plugrad.functions.decomposition import svd as svd
from plugrad.functions.decomposition import svdvals as svdvals
from plugrad.functions.linalg import matmul as matmul
from plugrad.functions.linalg import matrix_exp as matrix_exp
from plugrad.functions.linalg import matrix_power as matrix_power
from plugrad.functions.linalg import multi_dot as multi_dot
from plugrad.functions.norms import cond as cond
from plugrad.functions.norms import matrix_norm as matrix_norm
from plugrad.functions.norms import vector_norm as vector_norm
from plugrad.functions.systems import det as det
from plugrad.functions.systems import inv as inv
from plugrad.functions.systems import inv_ex as inv_ex
from plugrad.functions.systems import lu as lu
from plugrad.functions.systems import lu_factor as lu_factor
from plugrad.functions.systems import lu_factor_ex as lu_factor_ex
from plugrad.functions.systems import lu_solve as lu_solve
from plugrad.functions.systems import slogdet as slogdet
from plugrad.functions.systems import solve as solve
from plugrad.functions.systems import solve_ex as solve_ex
from plugrad.functions.systems import solve_triangular as solve_triangular
from plugrad.linalg.norms import norm as norm
from plugrad.linalg.tensors import cross as cross
from plugrad.linalg.tensors import diagonal as diagonal
from plugrad.linalg.tensors import tensorinv as tensorinv
from plugrad.linalg.tensors import tensorsolve as tensorsolve
from plugrad.linalg.tensors import vander as vander
from plugrad.linalg.tensors import vecdot as vecdot
