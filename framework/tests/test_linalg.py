"""Linear algebra against NumPy: values, gradients, failures."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from math import inf
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import func, linalg
from plugrad.errors import (
    ArgumentError,
    DtypeError,
    LinAlgError,
    PlugradError,
    ShapeError,
    UnsupportedError,
)

from .helpers import check_gradients


def values(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def definite(size: int) -> np.ndarray:
    x = values(size, size)
    return x @ x.T + np.eye(size)


def assert_near(actual: pg.Tensor, expected: Any) -> None:
    np.testing.assert_allclose(actual.detach().numpy(), expected, rtol=1e-9, atol=1e-9)


# solving ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [True, False])
def test_solve_takes_matrices_and_vectors(left: bool) -> None:
    a, b = values(2, 3, 3), values(2, 3, 3, seed=1)
    found = linalg.solve(pg.tensor(a), pg.tensor(b), left=left)
    assert_near(found, np.linalg.solve(a, b) if left else b @ np.linalg.inv(a))
    vectors = linalg.solve(pg.tensor(a), pg.tensor(b[:, 0]))
    assert_near(vectors, np.linalg.solve(a, b[:, 0, :, None])[..., 0])
    check_gradients(lambda a, b: linalg.solve(a, b, left=left), a, b, second_order=False)


@pytest.mark.parametrize(
    ("upper", "left", "unit"), list(itertools.product((True, False), repeat=3)), ids=str
)
def test_solve_triangular_reads_its_triangle_only(upper: bool, left: bool, unit: bool) -> None:
    a, b = values(3, 3) + 3 * np.eye(3), values(3, 3, seed=1)
    triangle = np.triu(a) if upper else np.tril(a)
    if unit:
        triangle = triangle - np.diag(np.diag(a)) + np.eye(3)
    found = linalg.solve_triangular(
        pg.tensor(a), pg.tensor(b), upper=upper, left=left, unitriangular=unit
    )
    inverse = np.linalg.inv(triangle)
    assert_near(found, inverse @ b if left else b @ inverse)


@pytest.mark.parametrize(("left", "adjoint"), list(itertools.product((True, False), repeat=2)))
def test_lu_solve_goes_on_from_the_factors(left: bool, adjoint: bool) -> None:
    a = values(4, 4) + 1j * values(4, 4, seed=2)
    b = values(4, 4, seed=1) + 0j
    found = linalg.lu_solve(
        *linalg.lu_factor(pg.tensor(a)), pg.tensor(b), left=left, adjoint=adjoint
    )
    matrix = a.conj().T if adjoint else a
    assert_near(found, np.linalg.solve(matrix, b) if left else b @ np.linalg.inv(matrix))


@pytest.mark.parametrize("shape", [(4, 4), (3, 5), (5, 3), (70, 70)])
def test_lu_multiplies_back_to_the_matrix(shape: tuple[int, int]) -> None:
    x = values(2, *shape)
    order, left, right = linalg.lu(pg.tensor(x))
    assert_near(order @ left @ right, x)
    assert_near(order.sum(-1), np.ones((2, shape[0])))
    assert left.abs().amax().item() <= 1


def test_cholesky_solves_and_inverts() -> None:
    x, b = definite(3), values(3, 2)
    factor = linalg.cholesky(pg.tensor(x))
    upper = linalg.cholesky(pg.tensor(x), upper=True)
    assert_near(factor, np.linalg.cholesky(x))
    assert_near(upper, np.linalg.cholesky(x).T)
    for each, flag in ((factor, False), (upper, True)):
        assert_near(pg.cholesky_solve(pg.tensor(b), each, flag), np.linalg.solve(x, b))
        assert_near(pg.cholesky_inverse(each, flag), np.linalg.inv(x))


def test_old_names_call_the_new_functions() -> None:
    x = pg.tensor(definite(3))
    assert_near(x.inverse(), np.linalg.inv(x.numpy()))
    assert_near(pg.lu_solve(x, *pg.lu(x)), np.eye(3))
    assert_near(x.cholesky(), np.linalg.cholesky(x.numpy()))
    assert_near(pg.triangular_solve(x, x.cholesky(), upper=False)[0], x.cholesky().numpy().T)
    u, s, v = x.svd()
    assert_near(u * s @ v.mT, x.numpy())
    assert pg.svd(x, compute_uv=False).U.abs().sum().item() == 0
    assert_near(x.logdet(), np.linalg.slogdet(x.numpy())[1])
    assert_near(x.pinverse(), np.linalg.inv(x.numpy()))


# failures -----------------------------------------------------------------------------------------

SINGULAR = np.array([[[2.0, 0.0], [0.0, 3.0]], [[1.0, 2.0], [2.0, 4.0]]])


def test_singular_matrix_is_an_error_that_says_which() -> None:
    x = pg.tensor(SINGULAR)
    for call in (linalg.inv, linalg.lu_factor, lambda x: linalg.solve(x, x)):
        with pytest.raises(LinAlgError, match="matrix 1 of the batch has a zero pivot, number 2"):
            call(x)
    with pytest.raises(RuntimeError, match="one that has a zero pivot"):
        linalg.inv(x[1])


def test_functions_ending_in_ex_say_it_in_info_instead() -> None:
    x = pg.tensor(SINGULAR)
    inverse, info = linalg.inv_ex(x)
    assert (info.tolist(), info.dtype) == ([0, 2], pg.int32)
    assert_near(inverse[0], np.linalg.inv(SINGULAR[0]))
    assert linalg.solve_ex(x, x).info.tolist() == [0, 2]
    assert linalg.lu_factor_ex(x).info.tolist() == [0, 2]
    for call in (linalg.inv_ex, linalg.lu_factor_ex, linalg.cholesky_ex):
        with pytest.raises(LinAlgError):
            call(x, check_errors=True)


def test_cholesky_says_which_minor_is_not_positive() -> None:
    x = pg.eye(4)
    x[2, 2] = -1.0
    with pytest.raises(LinAlgError, match="a leading minor, of order 3"):
        linalg.cholesky(x)
    factor, info = linalg.cholesky_ex(x)
    assert info.item() == 3
    assert_near(factor[:2, :2], np.eye(2))


def test_singular_matrix_inside_vmap_is_an_error() -> None:
    with pytest.raises(LinAlgError, match="matrix 1"):
        func.vmap(linalg.inv)(pg.tensor(SINGULAR))


def test_algorithm_that_does_not_converge_is_an_error() -> None:
    with pytest.raises(LinAlgError, match="look for NaN"):
        linalg.eigh(pg.full((3, 3), float("nan")))


@pytest.mark.parametrize(
    ("call", "error", "said"),
    [
        (lambda: linalg.inv(pg.ones(2, 3)), ShapeError, "square"),
        (lambda: linalg.svd(pg.ones(3)), ShapeError, "two axes"),
        (lambda: linalg.det(pg.ones(2, 2, dtype=pg.int64)), DtypeError, "float32"),
        (lambda: linalg.qr(pg.ones(2, 2, dtype=pg.float16)), DtypeError, "float32"),
        (lambda: linalg.qr(pg.ones(2, 2), "x"), ArgumentError, "'reduced'"),
        (lambda: linalg.eigh(pg.ones(2, 2), "x"), ArgumentError, "'L' or 'U'"),
        (lambda: linalg.solve(pg.ones(2, 2), pg.ones(3, 1)), ShapeError, "B"),
        (lambda: linalg.solve(pg.eye(2), pg.eye(2).double()), DtypeError, "B"),
        (lambda: linalg.lu(pg.eye(2), pivot=False), UnsupportedError, "unstable"),
        (lambda: linalg.lstsq(pg.ones(3, 2), pg.ones(2, 1)), ShapeError, "3 rows"),
        (lambda: linalg.lstsq(pg.eye(2), pg.eye(2), driver="x"), ArgumentError, "'gels'"),
        (lambda: linalg.norm(pg.ones(2, 2, 2), "fro"), ArgumentError, "over 3 axes"),
        (lambda: linalg.matrix_norm(pg.eye(2), 3), ArgumentError, "'nuc'"),
        (lambda: linalg.matrix_norm(pg.eye(2), dim=(0, 0)), ArgumentError, "different"),
        (lambda: linalg.vector_norm(pg.ones(0), inf), ShapeError, "at least one"),
        (lambda: linalg.vector_norm(pg.ones(2, dtype=pg.int64)), DtypeError, "floating"),
        (lambda: pg.norm(pg.ones(2), "x"), ArgumentError, "'nuc'"),
        (lambda: linalg.multi_dot([pg.eye(2)]), ArgumentError, "at least two"),
        (lambda: linalg.tensorinv(pg.ones(2, 3)), ShapeError, "as many"),
        (lambda: linalg.tensorsolve(pg.ones(2, 3), pg.ones(2)), ShapeError, "2 elements"),
        (lambda: linalg.householder_product(pg.ones(2, 3), pg.ones(2)), ShapeError, "rows"),
        (lambda: linalg.vander(pg.tensor(1.0)), ArgumentError, "2 or more"),
        (lambda: pg.cross(pg.ones(2), pg.ones(2)), ShapeError, "three elements"),
        (lambda: pg.addmm(pg.ones(3, 3), pg.ones(2, 2), pg.ones(2, 2)), ShapeError, "product"),
        (lambda: pg.inner(pg.ones(2), pg.ones(3)), ShapeError, "2 elements"),
        (lambda: pg.cdist(pg.ones(2, 3), pg.ones(2, 4)), ShapeError, "3"),
        (lambda: pg.cdist(pg.ones(2, 3), pg.ones(2, 3), -1), ArgumentError, "0 or more"),
        (lambda: pg.cdist(pg.ones(2, 3), pg.ones(2, 3), 2, "x"), ArgumentError, "use_mm"),
        (lambda: pg.pdist(pg.ones(2)), ShapeError, "two axes"),
        (lambda: pg.ones(2, 2, 2).H, ShapeError, "a matrix"),
        (lambda: pg.adjoint(pg.ones(2)), ShapeError, "two axes"),
    ],
)
def test_call_that_makes_no_sense_is_refused(
    call: Callable[[], Any], error: type[PlugradError], said: str
) -> None:
    with pytest.raises(error, match=said):
        call()


# factors ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (4, 2)])
def test_factors_multiply_back_to_the_matrix(shape: tuple[int, int]) -> None:
    x = values(2, *shape)
    for full in (True, False):
        u, s, vh = linalg.svd(pg.tensor(x), full_matrices=full)
        count = min(shape)
        assert_near((u[..., :count] * s.unsqueeze(-2)) @ vh[..., :count, :], x)
    for mode in ("reduced", "complete"):
        q, r = linalg.qr(pg.tensor(x), mode)
        assert_near(q @ r, x)
    assert linalg.qr(pg.tensor(x), "r").Q.shape == (0,)


def test_eigenvectors_are_those_of_the_matrix() -> None:
    x = pg.tensor(values(2, 3, 3))
    found = linalg.eig(x)
    vectors = found.eigenvectors
    assert_near(x.to(pg.complex128) @ vectors - vectors * found.eigenvalues.unsqueeze(-2), 0)
    lower, upper = x.tril() + x.tril(-1).mT, x.triu() + x.triu(1).mT
    for triangle, whole in (("L", lower), ("U", upper)):
        assert_near(linalg.eigh(x, triangle).eigenvalues, np.linalg.eigvalsh(whole.numpy()))
        assert_near(linalg.eigvalsh(x, triangle), np.linalg.eigvalsh(whole.numpy()))


def test_singular_vectors_are_differentiable_where_only_the_first_are_used() -> None:
    def rebuilt(x: pg.Tensor) -> pg.Tensor:
        u, s, vh = linalg.svd(x)
        return (u[:, :2] * s**2) @ vh[:2]

    check_gradients(rebuilt, values(4, 2), second_order=False)


def test_complete_qr_refuses_to_differentiate_its_arbitrary_columns() -> None:
    x = pg.tensor(values(4, 2), requires_grad=True)
    with pytest.raises(UnsupportedError, match="arbitrary"):
        linalg.qr(x, "complete").Q.sum().backward()


def test_determinant_of_a_singular_matrix_has_its_cofactors_as_gradient() -> None:
    x = pg.tensor(SINGULAR[1], requires_grad=True)
    linalg.det(x).backward()
    assert x.grad is not None
    assert_near(x.grad, [[4.0, -2.0], [-2.0, 1.0]])


def test_pseudoinverse_and_rank_cut_off_small_singular_values() -> None:
    u, _, vh = np.linalg.svd(values(4, 3), full_matrices=False)
    x = pg.tensor((u * [1.0, 0.1, 1e-3]) @ vh)
    assert linalg.matrix_rank(x).item() == 3
    assert linalg.matrix_rank(x, rtol=1e-2).item() == 2
    assert linalg.matrix_rank(x, atol=0.5).item() == 1
    assert_near(linalg.pinv(x, rtol=1e-2), np.linalg.pinv(x.numpy(), 1e-2))
    assert_near(linalg.pinv(x, atol=0.5, rtol=0.0), vh[:1].T @ u[:, :1].T)
    even = pg.tensor(definite(3))
    assert_near(linalg.pinv(even, hermitian=True), np.linalg.inv(even.numpy()))
    assert linalg.matrix_rank(even, hermitian=True).item() == 3
    check_gradients(lambda x: linalg.pinv(x, rtol=1e-5), values(3, 2), second_order=False)


def test_least_squares_are_numpys() -> None:
    a, b = values(5, 3), values(5, 2, seed=1)
    found = linalg.lstsq(pg.tensor(a), pg.tensor(b), driver="gelsd")
    solution, residuals, rank, singular = np.linalg.lstsq(a, b)
    assert_near(found.solution, solution)
    assert_near(found.residuals, residuals)
    assert_near(found.singular_values, singular)
    assert found.rank.item() == rank
    assert linalg.lstsq(pg.tensor(a), pg.tensor(b)).residuals.shape == (0,)
    vector = linalg.lstsq(pg.tensor(a), pg.tensor(b[:, 0]))
    assert_near(vector.solution, solution[:, 0])
    wide = linalg.lstsq(pg.tensor(a.T), pg.tensor(values(3, 1)), driver="gels")
    assert_near(wide.solution, np.linalg.lstsq(a.T, values(3, 1))[0])
    assert wide.rank.shape == (0,)


def test_householder_product_is_q() -> None:
    x = values(5, 3)
    raw, tau = np.linalg.qr(x, mode="raw")
    found = linalg.householder_product(pg.tensor(raw.T.copy()), pg.tensor(tau))
    assert_near(found, np.linalg.qr(x)[0])
    check_gradients(linalg.householder_product, raw.T.copy(), tau, second_order=False)


@pytest.mark.parametrize("n", [-3, -1, 0, 1, 2, 5])
def test_matrix_power_is_numpys(n: int) -> None:
    x = values(2, 3, 3)
    assert_near(linalg.matrix_power(pg.tensor(x), n), np.linalg.matrix_power(x, n))


def test_matrix_exponential_of_a_rotation_turns() -> None:
    turn = pg.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=pg.float64)
    angles = pg.tensor([0.5, 30.0], dtype=pg.float64)
    found = linalg.matrix_exp(angles.reshape(2, 1, 1) * turn)
    cos, sin = np.cos(angles.numpy()), np.sin(angles.numpy())
    assert_near(found, np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2))


# norms and distances ------------------------------------------------------------------------------


@pytest.mark.parametrize("keepdim", [True, False])
@pytest.mark.parametrize("order", ["fro", "nuc", 1, -1, 2, -2, inf, -inf])
def test_matrix_norms_are_numpys(order: Any, keepdim: bool) -> None:
    x = values(3, 2, 4)
    found = linalg.norm(pg.tensor(x), order, (2, 0), keepdim)
    assert_near(found, np.linalg.norm(x, order, (2, 0), keepdim))


@pytest.mark.parametrize("order", [0, 0.5, 1, 2, 3, -1, inf, -inf])
def test_vector_norms_are_numpys(order: float) -> None:
    x = values(3, 4)
    for found in (linalg.vector_norm, linalg.norm, pg.norm):
        assert_near(found(pg.tensor(x), order, 1), np.linalg.norm(x, order, 1))


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0, 3.0, inf])
def test_norm_of_zero_has_gradient_zero_both_ways(order: float) -> None:
    x = pg.zeros(2, 3, requires_grad=True)
    pg.norm(x, order, 1).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum().item() == 0
    _, moved = func.jvp(lambda x: pg.norm(x, order, 1), (pg.zeros(2, 3),), (pg.ones(2, 3),))
    assert moved.abs().sum().item() == 0


def test_condition_number_is_numpys() -> None:
    x = values(3, 3)
    for order in (None, 2, -2, "fro", 1, inf):
        assert_near(linalg.cond(pg.tensor(x), order), np.linalg.cond(x, order))
    assert linalg.cond(pg.tensor(SINGULAR), 1)[1].item() == inf


@pytest.mark.parametrize("p", [0.0, 1.0, 2.0, 3.0, inf])
def test_distances_are_norms_of_differences(p: float) -> None:
    x, y = values(2, 3, 4), values(5, 4, seed=1)
    want = np.linalg.norm(x[:, :, None] - y[None, None], p, -1) if p else np.full((2, 3, 5), 4)
    assert_near(pg.cdist(pg.tensor(x), pg.tensor(y), p), want)
    rows = np.triu_indices(3, 1)
    apart = values(3, 4)[rows[0]] - values(3, 4)[rows[1]]
    assert_near(pg.pdist(pg.tensor(values(3, 4)), p), np.linalg.norm(apart, p, -1))


def test_distances_by_products_agree_and_are_differentiable_where_rows_meet() -> None:
    x = pg.tensor(values(30, 4), requires_grad=True)
    found = pg.cdist(x, x)
    exact = pg.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    np.testing.assert_allclose(found.detach().numpy(), exact.detach().numpy(), atol=1e-6)
    found.sum().backward()
    assert x.grad is not None
    assert bool(pg.isfinite(x.grad).all())
    assert pg.pdist(pg.ones(1, 3)).shape == (0,)


# products -----------------------------------------------------------------------------------------


def test_products_are_numpys() -> None:
    x, y, v = values(3, 4), values(4, 5, seed=1), values(4, seed=2)
    z = v + 1j * v[::-1]
    assert_near(pg.inner(pg.tensor(x), pg.tensor(y.T)), np.inner(x, y.T))
    assert_near(pg.inner(pg.tensor(x), pg.tensor(2.0)), 2 * x)
    assert_near(pg.vdot(pg.tensor(z), pg.tensor(z * 1j)), np.vdot(z, z * 1j))
    assert_near(linalg.vecdot(pg.tensor(z), pg.tensor(z * 1j)), np.vdot(z, z * 1j))
    assert_near(pg.kron(pg.tensor(x), pg.tensor(v)), np.kron(x, v))
    assert_near(pg.trace(pg.tensor(x)), np.trace(x))
    assert_near(linalg.vander(pg.tensor(v), N=3), np.vander(v, 3, increasing=True))
    assert_near(linalg.diagonal(pg.tensor(x), offset=1), np.diagonal(x, 1))
    a, b = values(3, 2), values(3, 2, seed=1)
    assert_near(pg.cross(pg.tensor(a), pg.tensor(b)), np.cross(a, b, axis=0))
    assert_near(linalg.cross(pg.tensor(a), pg.tensor(b), dim=0), np.cross(a, b, axis=0))
    assert_near(pg.tensor(z).reshape(2, 2).mH, z.reshape(2, 2).conj().T)


def test_chain_of_products_is_the_product() -> None:
    parts = [values(3), values(3, 7), values(7, 2), values(2, 5), values(5)]
    found = linalg.multi_dot([pg.tensor(each) for each in parts])
    assert_near(found, np.linalg.multi_dot(parts))
    matrices = [pg.tensor(each) for each in parts[1:4]]
    assert_near(pg.chain_matmul(*matrices), np.linalg.multi_dot(parts[1:4]))


def test_sums_with_products_scale_both_parts() -> None:
    x, y = values(2, 3, 4), values(2, 4, 5, seed=1)
    add = values(3, 5, seed=2)
    batches, first, second, sums = map(pg.tensor, (x, y, x[0], add))
    scale = {"beta": 0.5, "alpha": 2.0}
    want = 0.5 * add + 2 * (x @ y)
    assert_near(pg.baddbmm(sums, batches, first, **scale), want)
    assert_near(pg.addbmm(sums, batches, first, **scale), 0.5 * add + 2 * (x @ y).sum(0))
    assert_near(pg.addmm(sums, second, first[0], **scale), want[0])
    assert_near(pg.addmv(sums[:, 0], second, first[0, :, 0], **scale), want[0, :, 0])
    assert_near(
        pg.addr(sums, second[:, 0], first[0, 0], **scale),
        0.5 * add + 2 * np.outer(x[0, :, 0], y[0, 0]),
    )
    assert_near(sums.addmm_(second, first[0], **scale), want[0])
    nothing = pg.full((3, 5), float("nan"), dtype=pg.float64)
    assert_near(nothing.addmm(second, first[0], beta=0), x[0] @ y[0])


def test_tensors_are_inverted_and_solved_as_matrices() -> None:
    x, b = values(6, 6), values(2, 3)
    cube = pg.tensor(x.reshape(2, 3, 6))
    assert_near(linalg.tensorinv(cube), np.linalg.tensorinv(x.reshape(2, 3, 6)))
    assert_near(linalg.tensorsolve(cube, pg.tensor(b)), np.linalg.tensorsolve(cube.numpy(), b))
    moved = x.reshape(2, 6, 3)
    assert_near(
        linalg.tensorsolve(pg.tensor(moved), pg.tensor(b), (1,)),
        np.linalg.tensorsolve(moved, b, (1,)),
    )


def test_added_products_keep_the_dtype_of_integers() -> None:
    x = pg.tensor([[1, 2], [3, 4]], dtype=pg.uint8)
    found = pg.addmm(x, x, x, beta=0.5, alpha=2.7)
    assert found.dtype is pg.uint8
    assert found.tolist() == [[14, 20], [30, 44]]
    assert pg.addbmm(x, x[None], x[None]).dtype is pg.uint8


def test_product_of_halves_is_summed_in_float32_when_asked() -> None:
    x = pg.full((1, 4), 0.1).half()
    wide = pg.mm(x, x.T, pg.float32)
    assert wide.dtype is pg.float32
    assert pg.equal(wide, x.float() @ x.float().T)
    for product in (pg.mm(x, x.T, out_dtype=pg.float16), pg.addmm(wide, x, x.T, pg.float32)):
        assert product.shape == (1, 1)
    with pytest.raises(DtypeError, match="out_dtype"):
        pg.mm(x, x.T, pg.float64)


def test_one_element_of_a_contracted_axis_multiplies_all_of_the_other() -> None:
    a, b = values(2, 1), values(3, 4)
    expected = (a[:, 0, None] * b.sum(0)).tolist()
    assert_near(pg.tensordot(pg.tensor(a), pg.tensor(b), ([1], [0])), expected)
    assert_near(pg.tensordot(pg.tensor(b), pg.tensor(a), ([0], [1])), np.transpose(expected))


def test_bounds_of_a_pseudoinverse_are_real_and_without_gradient() -> None:
    x = pg.tensor(values(2, 3, 4))
    assert linalg.pinv(x, rtol=pg.full((5, 2), 0.1)).shape == (5, 2, 4, 3)
    assert linalg.pinv(x[:0], rtol=pg.full((5, 1), 0.1)).shape == (0, 4, 3)
    with pytest.raises(DtypeError, match="rtol: expected a real dtype"):
        linalg.pinv(x, rtol=pg.tensor(0.1j))
    with pytest.raises(PlugradError, match="no gradient flows to a bound"):
        linalg.pinv(x, atol=pg.tensor(0.1, requires_grad=True))
