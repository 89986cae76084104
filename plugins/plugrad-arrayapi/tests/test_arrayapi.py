"""The array API backend: what the conformance kit does not ask of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad import discovery
from plugrad.errors import LinAlgError, RangeError, UnsupportedError
from plugrad_arrayapi import over


@pytest.fixture(params=["arrayapi_strict", "arrayapi_torch"])
def device(request: pytest.FixtureRequest) -> str:
    library = {"arrayapi_strict": "array_api_strict", "arrayapi_torch": "torch"}[request.param]
    pytest.importorskip(library)
    return request.param


def test_arrays_are_the_library_s_own(device: str) -> None:
    native = pg.ones(2, device=device).native()
    assert type(native).__module__.partition(".")[0] == (
        "torch" if device == "arrayapi_torch" else "array_api_strict"
    )


def test_a_write_is_seen_through_every_view(device: str) -> None:
    base = pg.zeros(4, 6, device=device)
    turned, part, overlapping = base.T, base[1:3, ::2], base.view(-1).unfold(0, 3, 1)
    for view in (turned, part, overlapping):
        view.native()  # made, and kept
    base[1, 2] = 7.0
    part[0, 0] = 5.0
    assert turned.tolist()[2][1] == 7.0
    assert part.tolist() == [[5.0, 7.0, 0.0], [0.0, 0.0, 0.0]]
    assert base.tolist()[1][:3] == [5.0, 0.0, 7.0]
    assert overlapping.tolist()[6] == [5.0, 0.0, 7.0]


def test_memory_is_shared_with_numpy_both_ways(device: str) -> None:
    array = np.zeros(3, np.float32)
    x = pg.from_numpy(array).to(device)
    adopted = pg.as_tensor(array, device=device)
    array[1] = 2.0
    assert adopted.tolist() == [0.0, 2.0, 0.0]
    assert x.tolist() == [0.0, 0.0, 0.0]
    adopted.numpy()[2] = 3.0
    assert adopted.tolist() == [0.0, 2.0, 3.0]


def test_a_read_only_array_is_copied(device: str) -> None:
    array = np.arange(3.0)
    array.flags.writeable = False
    x = pg.as_tensor(array, device=device)
    x += 1
    assert array.tolist() == [0.0, 1.0, 2.0]


@pytest.mark.parametrize("dtype", [pg.float16, pg.bfloat16], ids=str)
def test_half_precision_is_refused_by_name(device: str, dtype: Any) -> None:
    with pytest.raises(UnsupportedError, match=dtype.name):
        pg.zeros(2, dtype=dtype, device=device)
    with pytest.raises(UnsupportedError):
        pg.zeros(2, dtype=dtype).to(device)


def test_what_meets_at_one_place_is_added_as_often_as_it_comes(device: str) -> None:
    draw = np.random.default_rng(0)
    places, values = draw.integers(0, 7, 1000), draw.normal(size=1000)
    want = np.zeros(7)
    np.add.at(want, places, values)
    got = pg.zeros(7, dtype=pg.float64, device=device)
    got = got.scatter_add(0, pg.tensor(places, device=device), pg.tensor(values, device=device))
    np.testing.assert_allclose(got.numpy(), want, rtol=1e-12)


def test_an_infinity_added_at_one_place_stays_there(device: str) -> None:
    index = pg.tensor([2, 0, 2], device=device)
    source = pg.tensor([1.0, float("inf"), 2.0], device=device)
    out = pg.zeros(3, device=device).index_add(0, index, source)
    assert out.tolist() == [float("inf"), 0.0, 3.0]


def test_the_first_position_outside_is_named(device: str) -> None:
    with pytest.raises(RangeError, match="positions from 0 to 2 along axis 0"):
        pg.zeros(3, device=device).gather(0, pg.tensor([1, 3], device=device))


def test_each_matrix_says_at_which_order_it_is_not_positive_definite(device: str) -> None:
    matrices = [[4.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    later = [[4.0, 0.0, 0.0], [2.0, 5.0, 0.0], [0.0, 0.0, -1.0]]
    factor, info = pg.linalg.cholesky_ex(pg.tensor([matrices, later], device=device))
    assert info.tolist() == [0, 3]
    assert factor[0].tolist() == [[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    assert factor[1, :2].tolist() == [[2.0, 0.0, 0.0], [1.0, 2.0, 0.0]]


def test_a_singular_matrix_names_its_first_pivot_of_zero(device: str) -> None:
    singular = [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [1.0, 2.0, 3.0]]
    with pytest.raises(LinAlgError, match="zero pivot, number 2"):
        pg.linalg.inv(pg.tensor(singular, device=device))


def test_a_zero_on_the_diagonal_of_a_triangle_gives_infinities(device: str) -> None:
    a, b = (pg.tensor(x, device=device) for x in ([[0.0, 1.0], [0.0, 1.0]], [[1.0], [2.0]]))
    out = pg.linalg.solve_triangular(a, b, upper=True)
    assert out.tolist() == [[float("-inf")], [2.0]]


@pytest.mark.parametrize("decompose", [pg.linalg.svd, pg.linalg.eig])
def test_an_algorithm_that_does_not_converge_is_an_error(device: str, decompose: Any) -> None:
    with pytest.raises(LinAlgError, match="converges"):
        decompose(pg.tensor([[float("nan"), 1.0], [1.0, 2.0]], device=device))


def test_the_exponential_of_large_numbers_overflows_as_numbers_do(device: str) -> None:
    x = pg.tensor([[[3e38, 0.0], [0.0, 0.0]], [[-50.0, 0.0], [0.0, 3.0]]], device=device)
    out = pg.matrix_exp(x)
    assert not out[0, 0, 0].isfinite().item()
    want = np.exp([-50.0, 3.0]).astype(np.float32)
    np.testing.assert_allclose(out[1].diagonal().numpy(), want, rtol=1e-5)


def test_a_training_step_moves_as_on_numpy(device: str) -> None:
    def losses(where: str) -> list[float]:
        with pg.device(where):
            pg.manual_seed(3)
            layers = (pg.nn.Conv2d(1, 4, 3), pg.nn.BatchNorm2d(4), pg.nn.GELU(), pg.nn.MaxPool2d(2))
            model = pg.nn.Sequential(*layers, pg.nn.Flatten(), pg.nn.Linear(36, 3))
            optimizer = pg.optim.AdamW(model.parameters(), lr=1e-2)
            images, labels = pg.randn(8, 1, 8, 8), pg.randint(0, 3, (8,))
            found = []
            for _ in range(3):
                loss = pg.nn.functional.cross_entropy(model(images), labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                found.append(loss.item())
            return found

    np.testing.assert_allclose(losses(device), losses("numpy"), rtol=1e-4)


def test_any_library_of_the_standard_will_do() -> None:
    discovery.offer("arrayapi_numpy", over(np, name="arrayapi_numpy"))
    try:
        x = pg.tensor([[1.0, 2.0], [3.0, 4.0]], device="arrayapi_numpy", requires_grad=True)
        (x @ x).sum().backward()
        assert x.grad is not None
        assert x.grad.tolist() == [[7.0, 11.0], [9.0, 13.0]]
    finally:
        pg.backends.unload("arrayapi_numpy")
        discovery.withdraw("arrayapi_numpy")
