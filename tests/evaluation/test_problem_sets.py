"""Sets of problems: sizes, families, options and counts, and what cannot be drawn."""

import dataclasses

import numpy as np
import pytest

import nar
from nar.evaluation import problem_sets
from nar.evaluation.problem_sets import check_options_used, make_problem_sets
from nar.traces import CLRS30_SPLITS, clrs30_sample

BFS, MINIMUM = nar.ALGORITHMS["bfs"], nar.ALGORITHMS["minimum"]


def test_defaults_are_the_canonical_splits(monkeypatch):
    drawn = []
    monkeypatch.setattr(problem_sets, "clrs30_split", lambda algorithm, name, **_: drawn.append(name))
    for name, (size, seed) in {"val": (16, 2), "test": (64, 3)}.items():
        for algorithm in (BFS, MINIMUM):
            (one,) = make_problem_sets(algorithm, (size,), (seed,))
            assert one.num_instances == CLRS30_SPLITS[name].origin(algorithm)["count"]
            one.draw()
    assert drawn == ["val", "val", "test", "test"]


def test_options_count_and_family_are_drawn():
    (one,) = make_problem_sets(BFS, (9,), (7,), ("watts_strogatz",), {"k": 2, "rewiring": 0.0}, 5)
    traces = one.draw()
    expected = clrs30_sample("bfs", 9, 5, 7, family="watts_strogatz", k=2, rewiring=0.0)
    np.testing.assert_array_equal(traces.inputs["A"], expected.inputs["A"])
    np.testing.assert_array_equal((traces.inputs["A"] > 0).sum(axis=(1, 2)), 18)
    assert one.label == "9, watts_strogatz"


def test_options_go_to_the_sets_that_have_them():
    sets = [
        one
        for algorithm in (BFS, MINIMUM)
        for one in make_problem_sets(
            algorithm, (4, 8), (3,), ("clrs30", "watts_strogatz"), {"p": 0.3, "k": 4}
        )
    ]
    assert [(one.algorithm.name, one.label, dict(one.options)) for one in sets] == [
        ("bfs", "4", {"p": 0.3}),
        ("bfs", "4, watts_strogatz", {"p": 0.3, "k": 4}),
        ("bfs", "8", {"p": 0.3}),
        ("bfs", "8, watts_strogatz", {"p": 0.3, "k": 4}),
        ("minimum", "4", {}),
        ("minimum", "8", {}),
    ]
    check_options_used({"p": 0.3, "k": 4}, sets)
    with pytest.raises(ValueError, match=r"option 'rewiring' has no effect on any of: minimum \(clrs30\)"):
        check_options_used({"rewiring": 0.1}, sets[4:])


def test_number_of_communities_is_an_option_without_a_family():
    algorithm = nar.ALGORITHMS["strongly_connected_components"]
    (one,) = make_problem_sets(algorithm, (8,), (3,), options={"k": 2})
    assert one.options == {"k": 2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": (0,)}, "bfs: size must be an integer from 1 to 65536, got 0"),
        ({"sizes": (4.0,)}, "bfs: size must be an integer"),
        ({"sizes": ()}, "bfs: at least one size is needed"),
        ({"sizes": (4, 4)}, "bfs: size 4 is given twice"),
        ({"seeds": (-1,)}, "bfs: seed must be an integer from 0 to"),
        ({"seeds": (2**32,)}, "bfs: seed must be an integer from 0 to"),
        ({"seeds": ()}, "bfs: at least one seed is needed"),
        ({"families": ("star",)}, "bfs: family must be one of"),
        ({"families": ()}, "bfs: at least one family is needed"),
        ({"options": {"p": 2}}, "bfs: p must lie between 0 and 1, got 2"),
        ({"options": {"family": "grid"}}, "bfs: families are given by name, not as the option family"),
        ({"count": -1}, "bfs: count must be an integer of at least 0, got -1"),
        ({"count": 10**12}, "^bfs: 1000000000000 traces of size 4 need at least"),
        ({"sizes": (2**16,), "count": 10**5}, "^bfs: 100000 traces of size 65536 need at least"),
    ],
)
def test_invalid_sets_raise(changes, message):
    arguments = {"algorithm": BFS, "sizes": (4,), "seeds": (3,), **changes}
    with pytest.raises(ValueError, match=message):
        make_problem_sets(**arguments)


def test_sizes_beyond_those_of_the_problem_raise():
    small = dataclasses.replace(BFS, problem=dataclasses.replace(BFS.problem, max_size=20))
    with pytest.raises(ValueError, match="bfs: size must be an integer from 1 to 20, got 64"):
        make_problem_sets(small, (16, 64), (3,))


def test_traces_are_drawn_once_and_kept(monkeypatch):
    draws = []

    def sample(*arguments, **options):
        draws.append(options["all_hints"])
        return clrs30_sample(*arguments, **options)

    monkeypatch.setattr(problem_sets, "clrs30_sample", sample)
    (one,) = make_problem_sets(BFS, (4,), (3,), count=2)
    first = one.draw_once(all_hints=False)
    assert one.draw_once(all_hints=False) is first and draws == [False]
    assert len(next(iter(first.hints.values()))) == 1
    whole = one.draw_once()
    assert draws == [False, True] and whole.num_steps > 1
    monkeypatch.setattr(problem_sets, "_MAX_KEPT_BYTES", 10)
    (large,) = make_problem_sets(BFS, (4,), (3,), count=2)
    assert large.draw_once(all_hints=False) is not large.draw_once(all_hints=False)


def test_canonical_splits_without_hints_keep_the_first():
    (one,) = make_problem_sets(BFS, (16,), (2,))
    few, whole = one.draw(all_hints=False), one.draw()
    for name, value in whole.hints.items():
        np.testing.assert_array_equal(few.hints[name], value[:1])
