"""Texts as a Hugging Face data set, compared with the generator of dm-clrs."""

import itertools
import sys

import oracle
import pytest

from nar.text import text_dataset
from nar.text.rendering.hugging_face_dataset import FEATURES, mixed_rows

with oracle.relaxed():
    from clrs._src.clrs_text.huggingface_generators import clrs_generator

LENGTHS = {"insertion_sort": [4, 7], "bfs": [5]}


def expected(count, **options):
    with oracle.relaxed():
        rows = list(clrs_generator(LENGTHS, num_samples=count, **options))
    return [{"algorithm" if key == "algo_name" else key: value for key, value in row.items()} for row in rows]


def test_rows_equal_those_of_dm_clrs():
    series = [(name, length, 3) for name, lengths in LENGTHS.items() for length in lengths]
    rows = [dict(row) for row in itertools.islice(mixed_rows(series, 3, True, 3), 40)]
    assert rows == expected(40, seed=3, use_hints=True)
    assert [list(row) for row in rows] == [list(FEATURES)] * 40


def test_finite_and_infinite_data_sets_have_the_same_rows():
    pytest.importorskip("datasets")
    finite = text_dataset(LENGTHS, 30)
    assert finite.to_list() == expected(30)
    infinite = text_dataset(LENGTHS)
    assert list(itertools.islice(infinite, 30)) == expected(30)


def test_invalid_arguments_are_rejected(monkeypatch):
    with pytest.raises(ValueError, match="no algorithms and lengths are given"):
        text_dataset({})
    with pytest.raises(ValueError, match="unknown algorithm 'sort'"):
        text_dataset({"sort": [4]}, 3)
    with pytest.raises(ValueError, match="count must be an integer of at least 1"):
        text_dataset(LENGTHS, 0)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ValueError, match=r"datasets is not installed: pip install 'nar-jax\[text\]'"):
        text_dataset(LENGTHS, 3)
