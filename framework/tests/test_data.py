"""Data sets, samplers, collation and the loader."""

from __future__ import annotations

from collections import Counter, OrderedDict, namedtuple
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import plugrad as pg
from plugrad.errors import ArgumentError, KindError, RangeError, ShapeError
from plugrad.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    Sampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    random_split,
)

Point = namedtuple("Point", "x y")


def stream(seed: int = 0) -> pg.Generator:
    return pg.Generator().manual_seed(seed)


class Squares(Dataset):
    def __init__(self, size: int = 10) -> None:
        self.size = size

    def __getitem__(self, index: int) -> tuple[int, int]:
        if not 0 <= index < self.size:
            raise IndexError(index)
        return index, index * index

    def __len__(self) -> int:
        return self.size


class Countdown(IterableDataset):
    def __iter__(self) -> Iterator[int]:
        return iter(range(7, 0, -1))


class SizedCountdown(Countdown):
    def __len__(self) -> int:
        return 7


def rows(count: int = 10) -> TensorDataset:
    return TensorDataset(pg.arange(2.0 * count).reshape(count, 2), pg.arange(count))


# data sets ----------------------------------------------------------------------------------------


def test_a_tensor_dataset_gives_row_i_of_each_tensor() -> None:
    data = rows()
    x, y = data[-2]
    assert (len(data), x.tolist(), y.item()) == (10, [16.0, 17.0], 8)


def test_data_sets_add_up() -> None:
    both = Squares(3) + Squares(2)
    assert [both[i] for i in range(5)] == [(0, 0), (1, 1), (2, 4), (0, 0), (1, 1)]
    assert (len(both), both[-1], both[-5]) == (5, (1, 1), (0, 0))
    assert isinstance(both, ConcatDataset)


@pytest.mark.parametrize("index", [5, -6])
def test_a_sum_of_data_sets_knows_its_range(index: int) -> None:
    with pytest.raises(RangeError, match=f"index: expected -5 to 4, got {index}"):
        (Squares(3) + Squares(2))[index]


def test_a_subset_renumbers() -> None:
    part = Subset(Squares(), [3, 1])
    assert (len(part), part[0], part[1]) == (2, (3, 9), (1, 1))


def test_streams_are_chained() -> None:
    both = Countdown() + SizedCountdown()
    assert isinstance(both, ChainDataset)
    assert list(both) == [*range(7, 0, -1)] * 2
    assert len(ChainDataset([SizedCountdown()] * 3)) == 21
    batches = DataLoader(both, 4)
    assert [batch.tolist() for batch in batches][1] == [3, 2, 1, 7]


def test_data_sets_are_stacked() -> None:
    pairs = StackDataset(Squares(3), rows(3))
    assert (len(pairs), pairs[1][0], pairs[1][1][1].item()) == (3, (1, 1), 1)
    named = StackDataset(square=Squares(3), text="abc")
    assert named[2] == {"square": (2, 4), "text": "c"}
    assert named.__getitems__([0, 2]) == [named[0], named[2]]
    batch = next(iter(DataLoader(named, 2)))
    assert (batch["square"][1].tolist(), batch["text"]) == ([0, 1], ["a", "b"])


class AtOnce(Squares):
    """Gives several samples at once, and nothing one by one."""

    def __getitem__(self, index: int) -> Any:
        raise AssertionError("one by one")

    def __getitems__(self, indices: list[int]) -> list[int]:
        return [index * 10 for index in indices]


@pytest.mark.parametrize(
    "dataset", [AtOnce(4), Subset(AtOnce(9), [0, 1, 2, 3])], ids=["itself", "a subset"]
)
def test_a_data_set_may_give_several_samples_at_once(dataset: Any) -> None:
    assert [batch.tolist() for batch in DataLoader(dataset, 2)] == [[0, 10], [20, 30]]


@pytest.mark.parametrize(
    ("lengths", "expected"),
    [([7, 3], [7, 3]), ([0.5, 0.5], [5, 5]), ([0.25, 0.25, 0.5], [3, 2, 5]), ([10, 0], [10, 0])],
)
def test_random_split_deals_every_sample_once(lengths: list[Any], expected: list[int]) -> None:
    parts = random_split(Squares(), lengths, stream())
    assert [len(part) for part in parts] == expected
    assert sorted(i for part in parts for i in part.indices) == list(range(10))
    again = random_split(Squares(), lengths, stream())
    assert [part.indices for part in parts] == [part.indices for part in again]
    other = random_split(Squares(), lengths, stream(1))
    assert [part.indices for part in parts] != [part.indices for part in other]


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (TensorDataset, ArgumentError, "tensors: expected at least one, got none"),
        (
            lambda: TensorDataset(pg.ones(2), pg.ones(3)),
            ShapeError,
            r"tensors\[1\]: .*as many rows",
        ),
        (lambda: TensorDataset(pg.tensor(1.0)), ShapeError, r"tensors\[0\]"),
        (lambda: StackDataset(), ArgumentError, "positional or named, got none"),
        (lambda: StackDataset([1], a=[1]), ArgumentError, "positional or named, got both"),
        (lambda: StackDataset([1], [1, 2]), ShapeError, r"of one length, got \[1, 2\]"),
        (
            lambda: list(ChainDataset([Squares()])),
            KindError,
            r"datasets\[0\]: expected an IterableDataset, got Squares; ConcatDataset",
        ),
        (lambda: ConcatDataset([]), ArgumentError, "datasets: expected at least one"),
        (lambda: ConcatDataset([Countdown()]), ArgumentError, "got Countdown, an IterableDataset"),
        (lambda: random_split(Squares(), [4, 5]), ArgumentError, r"add up to 10.* got \[4, 5\]"),
        (lambda: random_split(Squares(), [11, -1]), ArgumentError, "add up to 10"),
        (lambda: Dataset()[0], NotImplementedError, "Dataset does not define __getitem__"),
        (lambda: iter(IterableDataset()), NotImplementedError, "does not define __iter__"),
    ],
)
def test_a_wrong_data_set_is_refused(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        make()


# samplers -----------------------------------------------------------------------------------------


def test_a_sequential_sampler_counts() -> None:
    assert list(SequentialSampler(Squares(3))) == [0, 1, 2]


def test_a_random_sampler_orders_anew_each_time_and_the_same_for_a_seed() -> None:
    sampler = RandomSampler(Squares(50), generator=stream())
    first, second = list(sampler), list(sampler)
    assert sorted(first) == sorted(second) == list(range(50))
    assert first != second
    assert first == list(RandomSampler(Squares(50), generator=stream()))


def test_a_random_sampler_without_generator_obeys_manual_seed() -> None:
    pg.manual_seed(3)
    first = list(RandomSampler(Squares(50)))
    pg.manual_seed(3)
    assert first == list(RandomSampler(Squares(50)))


def test_more_samples_than_there_are_go_round_again() -> None:
    sampler = RandomSampler(Squares(4), num_samples=10, generator=stream())
    counts = Counter(sampler)
    assert (len(sampler), sum(counts.values())) == (10, 10)
    assert set(counts.values()) <= {2, 3}


def test_later_rounds_do_not_depend_on_what_is_drawn_meanwhile() -> None:
    def order(disturb: bool) -> list[int]:
        pg.manual_seed(3)
        taken = []
        for index in RandomSampler(Squares(5), num_samples=15):
            taken.append(index)
            if disturb:
                pg.rand(1)
        return taken

    assert order(True) == order(False)


def test_replacement_lets_an_index_come_again() -> None:
    drawn = list(RandomSampler(Squares(5), replacement=True, num_samples=100, generator=stream()))
    assert (len(drawn), set(drawn)) == (100, set(range(5)))


def test_a_subset_random_sampler_orders_the_given_indices() -> None:
    sampler = SubsetRandomSampler([2, 4, 8, 16], generator=stream())
    assert (len(sampler), sorted(sampler)) == (4, [2, 4, 8, 16])


def test_weights_decide_how_often_an_index_comes() -> None:
    sampler = WeightedRandomSampler([1, 0, 3], 4000, generator=stream())
    counts = Counter(sampler)
    assert (len(sampler), counts[1]) == (4000, 0)
    assert counts[2] / 4000 == pytest.approx(0.75, abs=0.03)


def test_weights_decide_who_comes_first_without_replacement() -> None:
    g = stream()
    draws = [list(WeightedRandomSampler([1, 0, 3], 2, False, g)) for _ in range(1000)]
    assert {tuple(sorted(draw)) for draw in draws} == {(0, 2)}
    assert sum(draw[0] == 2 for draw in draws) / 1000 == pytest.approx(0.75, abs=0.05)


def test_a_batch_sampler_keeps_or_drops_the_rest() -> None:
    keep = BatchSampler(range(7), 3, drop_last=False)
    drop = BatchSampler(range(7), 3, drop_last=True)
    assert (list(keep), len(keep)) == ([[0, 1, 2], [3, 4, 5], [6]], 3)
    assert (list(drop), len(drop)) == ([[0, 1, 2], [3, 4, 5]], 2)


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("size", [2, 9, 10])
def test_processes_share_the_indices(drop_last: bool, size: int) -> None:
    def shares(shuffle: bool, epoch: int = 0, seed: int = 0) -> list[list[int]]:
        samplers = [
            DistributedSampler(Squares(size), 3, rank, shuffle, seed, drop_last)
            for rank in range(3)
        ]
        for sampler in samplers:
            sampler.set_epoch(epoch)
            assert len(list(sampler)) == len(sampler)
        return [list(sampler) for sampler in samplers]

    length = size // 3 if drop_last else -(-size // 3)
    plain = shares(False)
    assert [len(share) for share in plain] == [length] * 3
    assert plain == [[place % size for place in range(rank, 3 * length, 3)] for rank in range(3)]
    dealt = shares(True)
    every = [index for share in dealt for index in share]
    assert set(every) <= set(range(size))
    assert len(set(every)) == min(size, 3 * length)
    assert shares(True) == dealt
    if size == 9:
        assert shares(True, epoch=1) != dealt
        assert shares(True, seed=1) == shares(True, epoch=1)


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: DistributedSampler([]), ArgumentError, "num_replicas: expected at least 1"),
        (lambda: DistributedSampler([], 2, 2), ArgumentError, "rank: expected 0 to 1, got 2"),
        (
            lambda: RandomSampler([], num_samples=0),
            ArgumentError,
            "num_samples: expected at least 1",
        ),
        (
            lambda: BatchSampler([], 0, False),
            ArgumentError,
            "batch_size: expected an integer above",
        ),
        (lambda: BatchSampler([], True, False), ArgumentError, "batch_size"),
        (lambda: WeightedRandomSampler([0, 0], 1), ArgumentError, "weights: expected finite"),
        (lambda: WeightedRandomSampler([1, -1], 1), ArgumentError, "weights: expected finite"),
        (lambda: WeightedRandomSampler([1], 0), ArgumentError, "num_samples: expected at least 1"),
        (
            lambda: WeightedRandomSampler([1, 0], 2, False),
            ArgumentError,
            "at most 1, .*replacement",
        ),
        (lambda: iter(Sampler()), NotImplementedError, "does not define __iter__"),
    ],
)
def test_a_wrong_sampler_is_refused(make: Any, error: Any, said: str) -> None:
    with pytest.raises(error, match=said):
        make()


# collation ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "expected", "dtype"),
    [
        ([1, 2], [1, 2], pg.int64),
        ([1.0, 2.5], [1.0, 2.5], pg.float64),
        ([True, False], [True, False], pg.bool),
        ([pg.ones(2), pg.zeros(2)], [[1.0, 1.0], [0.0, 0.0]], pg.float32),
        ([np.int32([1, 2]), np.int32([3, 4])], [[1, 2], [3, 4]], pg.int32),
        ([np.float16(1), np.float16(2)], [1.0, 2.0], pg.float16),
    ],
    ids=["ints", "floats", "bools", "tensors", "arrays", "array scalars"],
)
def test_numbers_and_tensors_are_stacked(batch: Any, expected: Any, dtype: Any) -> None:
    out = default_collate(batch)
    assert (out.tolist(), out.dtype) == (expected, dtype)


def test_strings_stay_as_they_are() -> None:
    assert default_collate(["a", "b"]) == ["a", "b"]


def test_containers_are_collated_field_by_field() -> None:
    out = default_collate(
        [{"p": Point(1, [2.0]), "s": ("a", 3)}, {"p": Point(4, [5.0]), "s": ("b", 6)}]
    )
    assert type(out["p"]) is Point
    assert (out["p"].x.tolist(), out["p"].y[0].tolist()) == ([1, 4], [2.0, 5.0])
    assert list(out["s"][0]) == ["a", "b"]
    assert out["s"][1].tolist() == [3, 6]


def test_a_mapping_keeps_its_class() -> None:
    assert type(default_collate([OrderedDict(a=1)])) is OrderedDict


def test_arrays_become_tensors_wherever_they_are() -> None:
    array = np.float32([1, 2])
    out = default_convert({"a": [array, ("text", 2.5)], "p": Point(array, b"x")})
    assert (type(out["a"][0]), out["a"][0].dtype) == (pg.Tensor, pg.float32)
    assert out["a"][1] == ["text", 2.5]
    assert type(out["p"]) is Point
    assert (out["p"].x.tolist(), out["p"].y) == ([1.0, 2.0], b"x")
    tensor = pg.ones(1)
    assert default_convert(tensor) is tensor
    assert type(default_convert(OrderedDict(a=1))) is OrderedDict
    (single,) = DataLoader([array], batch_size=None)
    assert type(single) is pg.Tensor


def test_what_cannot_be_collated_is_refused() -> None:
    with pytest.raises(KindError, match=r"expected tensors, arrays.*got object; pass a collate_fn"):
        default_collate([object()])
    with pytest.raises(ShapeError, match=r"samples of equal length, got lengths \[1, 2\]"):
        default_collate([(1,), (1, 2)])


# the loader ---------------------------------------------------------------------------------------


class Slow(TensorDataset):
    """The same samples, which the loader must take one by one."""

    def __getitem__(self, index: Any) -> tuple[Any, ...]:
        return super().__getitem__(index)


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("drop_last", [False, True])
def test_rows_taken_at_once_are_those_taken_one_by_one(shuffle: bool, drop_last: bool) -> None:
    def batches(kind: Any) -> list[Any]:
        data = Subset(kind(*rows(11).tensors), [*range(10, 0, -1), -11])
        loader = DataLoader(data, 3, shuffle, drop_last=drop_last, generator=stream())
        assert len(loader) == (3 if drop_last else 4)
        return [(type(batch), [(t.tolist(), t.dtype) for t in batch]) for batch in loader]

    assert batches(TensorDataset) == batches(Slow)


def test_a_loader_gives_every_sample_once_and_another_order_each_time() -> None:
    loader = DataLoader(rows(40), 7, shuffle=True, generator=stream())
    first, second = ([n for _, y in loader for n in y.tolist()] for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(40))
    assert first != second


def test_a_loader_goes_on_with_the_state_of_its_generator() -> None:
    g = stream()
    loader = DataLoader(rows(40), 7, shuffle=True, generator=g)
    list(loader)
    state = g.get_state()
    expected = [y.tolist() for _, y in loader]
    other = pg.Generator().set_state(state)
    assert [y.tolist() for _, y in DataLoader(rows(40), 7, True, generator=other)] == expected


def test_the_batch_size_is_1_by_default() -> None:
    x, y = next(iter(DataLoader(rows())))
    assert (tuple(x.shape), tuple(y.shape)) == ((1, 2), (1,))


def test_without_batch_size_samples_come_one_by_one() -> None:
    assert list(DataLoader(Squares(3), batch_size=None)) == [[0, 0], [1, 1], [2, 4]]
    assert len(DataLoader(Squares(3), batch_size=None)) == 3


def test_a_sampler_or_a_batch_sampler_decides_the_order() -> None:
    by_sampler = DataLoader(rows(), 2, sampler=[4, 2, 7])
    by_batches = DataLoader(rows(), batch_sampler=[[1], [0, 9]])
    assert [y.tolist() for _, y in by_sampler] == [[4, 2], [7]]
    assert [y.tolist() for _, y in by_batches] == [[1], [0, 9]]
    assert (len(by_sampler), len(by_batches)) == (2, 2)


def test_a_collate_fn_of_ones_own_gets_the_list_of_samples() -> None:
    assert list(DataLoader(Squares(3), 2, collate_fn=len)) == [2, 1]


def test_a_stream_is_cut_into_batches() -> None:
    assert [batch.tolist() for batch in DataLoader(Countdown(), 3)] == [[7, 6, 5], [4, 3, 2], [1]]
    assert [len(batch) for batch in DataLoader(Countdown(), 3, drop_last=True)] == [3, 3]
    assert list(DataLoader(Countdown(), None)) == [7, 6, 5, 4, 3, 2, 1]


def test_the_length_of_a_stream_is_known_if_it_says_so() -> None:
    assert len(DataLoader(SizedCountdown(), 3)) == 3
    assert len(DataLoader(SizedCountdown(), 3, drop_last=True)) == 2
    assert len(DataLoader(SizedCountdown(), None)) == 7
    with pytest.raises(TypeError, match="has no len"):
        len(DataLoader(Countdown(), 3))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"batch_size": 0}, "batch_size: expected an integer above 0, or None, got 0"),
        ({"batch_size": None, "drop_last": True}, "drop_last: expected False"),
        ({"shuffle": True, "sampler": [1]}, "shuffle: expected None beside a sampler"),
        ({"batch_size": 2, "batch_sampler": [[1]]}, "batch_sampler: expected no batch_size"),
        ({"shuffle": True, "batch_sampler": [[1]]}, "batch_sampler: expected no batch_size"),
    ],
)
def test_wrong_options_of_a_loader_are_refused(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=f"DataLoader: {said}"):
        DataLoader(rows(), **arguments)


def test_a_stream_takes_no_other_order() -> None:
    with pytest.raises(ArgumentError, match="shuffle: expected None: an IterableDataset"):
        DataLoader(Countdown(), shuffle=True)
    with pytest.raises(ArgumentError, match="sampler: expected None: an IterableDataset"):
        DataLoader(Countdown(), sampler=[1])


def test_an_index_out_of_range_is_an_index_error() -> None:
    with pytest.raises(IndexError):
        next(iter(DataLoader(rows(), 2, sampler=[0, 10])))
    with pytest.raises(IndexError):
        next(iter(DataLoader(rows(), 2, sampler=[0, -11])))


def test_asking_for_page_locked_batches_without_cuda_is_warned_about(monkeypatch):
    monkeypatch.setattr("plugrad.utils.data.loader.is_available", lambda: False)
    loader = DataLoader([1, 2, 3], batch_size=3, pin_memory=True)
    with pytest.warns(UserWarning, match="no CUDA device"):
        batches = list(loader)
    assert batches[0].tolist() == [1, 2, 3]


def test_page_locked_memory_is_what_cuda_gives(monkeypatch):
    monkeypatch.setattr("plugrad.utils.data.loader.is_available", lambda: True)
    assert len(list(DataLoader([1, 2, 3], pin_memory=True))) == 3
