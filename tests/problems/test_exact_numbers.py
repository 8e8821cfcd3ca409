"""Users' numbers are converted to float64 in their exact order, or refused."""

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

import nar

EPSILON = np.finfo(np.longdouble).eps
HAS_LONG_DOUBLES = np.finfo(np.float64).eps > EPSILON


def smallest(keys):
    return nar.run_algorithm("minimum", keys).outputs["min"].tolist()


@pytest.mark.parametrize(
    "keys",
    [
        [2**53, 2**53 - 1],
        [2**60, 2**59],
        [2**63, -1],
        np.array([2**63, 5], np.uint64),
        np.array([3, 1], object),
        np.array([2, 1], np.float16),
        np.array([2, 1], np.longdouble),
        [True, False],
        [Decimal("0.1"), Decimal("0.05")],
        [Fraction(1, 3), Fraction(1, 4)],
        [Fraction(1, 3), 0.25],
        np.ma.array([3, 1]),
    ],
)
def test_smallest_key(keys):
    assert smallest(keys) == [0, 1]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([2**53 + 1, 2**53], "that float64 represents, got the integer 9007199254740993"),
        ([2**53 + 1, 0.5], "that float64 represents"),
        ([2**63 + 1, -1], "that float64 represents"),
        ([np.int64(2**53 + 1), np.int64(2**53), 0.5], "that float64 represents"),
        ([np.uint64(2**63 + 1), np.int64(1)], "that float64 represents"),
        ((np.array(2**53 + 1), 0.5), "that float64 represents"),
        ([10**400, 1], "got the integer of more than 40 digits"),
        (np.array([2**63 + 1, 2**63], np.uint64), "that float64 represents"),
        (np.array([1_700_000_000_000_000_001, 1_700_000_000_000_000_000]), "that float64 represents"),
        (np.array([2**53 + 1, 1], object), "that float64 represents"),
        ([Decimal("0.1"), Decimal("0.10000000000000000001")], "that float64 tells apart"),
        (np.array(["2024-01-02", "2024-01-01"], "datetime64[ns]"), "must be an array of real numbers"),
        (np.array([2, 1], "timedelta64[ns]"), "must be an array of real numbers"),
        (np.ma.array([3, 1, 2], mask=[0, 1, 0]), "must not have masked entries"),
        ([np.ma.masked, 1], "must not have masked entries"),
        ([1j, 2], "must be an array of real numbers"),
        (["2", "1"], "must be an array of real numbers"),
        ([1, None], "must be an array of real numbers"),
        ([[1], [2, 3]], "must be an array of real numbers"),
        ([1, float("nan")], "magnitude at most"),
        ([1, float("inf")], "magnitude at most"),
        ([1, Decimal("NaN")], "magnitude at most"),
        ([1, Fraction(10**400)], "magnitude at most|that float64 represents"),
    ],
)
def test_numbers_that_float64_does_not_hold_raise(keys, message):
    with pytest.raises(ValueError, match=f"minimum: A .*({message})"):
        smallest(keys)


@pytest.mark.skipif(not HAS_LONG_DOUBLES, reason="long doubles are float64 here")
def test_long_doubles_that_float64_does_not_tell_apart_raise():
    with pytest.raises(ValueError, match="that float64 tells apart"):
        smallest(np.array([1, 1], np.longdouble) + np.array([EPSILON, 0], np.longdouble))


def test_nullable_integers():
    pandas = pytest.importorskip("pandas")
    assert smallest(pandas.Series([3, 1], dtype="Int64")) == [0, 1]
    for keys in (pandas.array([1, None], dtype="Int64"), pandas.Series([1, None], dtype="Float64")):
        with pytest.raises(ValueError, match="minimum: A must"):
            smallest(keys)
    with pytest.raises(ValueError, match="array of real numbers"):
        smallest(pandas.to_datetime(["2024-01-02", "2024-01-01"]))


def test_single_numbers():
    trace = nar.run_algorithm("binary_search", x=Fraction(1, 2), A=[0.25, Fraction(1, 2), 1])
    assert trace.outputs["return"].tolist() == [0, 1, 0]
    with pytest.raises(ValueError, match="x must contain numbers that float64 represents"):
        nar.run_algorithm("binary_search", x=2**53 + 1, A=[1, 2])
    with pytest.raises(ValueError, match="x must be a number of magnitude at most"):
        nar.run_algorithm("binary_search", x="1", A=[1, 2])


def test_matrices_and_rows_are_checked_alike():
    for A in ([[0, 2**53 + 1], [2**53 + 1, 0]], [[0, 0.5], [2**53 + 1, 0]]):
        with pytest.raises(ValueError, match="that float64 represents"):
            nar.run_algorithm("dijkstra", matrix=A, s=0)
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0, 2**53 + 1], "b": [2.5, 0]}, index=["a", "b"])
    with pytest.raises(ValueError, match="that float64 represents"):
        nar.run_algorithm("dijkstra", matrix=frame, s="a")
    rows = [np.ma.array([0, 1], mask=[0, 1]), np.array([1, 0])]
    with pytest.raises(ValueError, match="masked entries"):
        nar.run_algorithm("dijkstra", matrix=rows, s=0)


def test_numbers_of_several_arguments_and_edges_are_told_apart():
    close = Decimal("0.1"), Decimal("0.10000000000000000001")
    with pytest.raises(ValueError, match="x and A must contain numbers that float64 tells apart"):
        nar.run_algorithm("binary_search", x=close[1], A=[close[0], Decimal(1)])
    with pytest.raises(ValueError, match="s and f must contain numbers that float64 tells apart"):
        nar.run_algorithm("activity_selector", s=[0, close[0]], f=[close[1], 1])
    edges = [(0, 1, close[0]), (1, 2, close[1]), (0, 2, 1)]
    with pytest.raises(ValueError, match="weights of edges must contain numbers that float64 tells apart"):
        nar.run_algorithm("mst_prim", edges=edges, s=0)
    nar.run_algorithm("bfs", edges=edges, s=0)
    search = nar.run_algorithm("binary_search", x=close[0], A=[close[0], Decimal(1)])
    assert search.outputs["return"].tolist() == [1, 0]
