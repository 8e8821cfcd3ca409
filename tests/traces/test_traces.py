"""Traces: equal to dm-clrs, functions of their index, zero-padded, the same compiled and in plain Python."""

import functools
from typing import NamedTuple

import hypothesis
import numpy as np
import oracle
import pytest
from examples import EXAMPLES_PER_ALGORITHM
from hypothesis import given, settings
from hypothesis import strategies as st
from trace_checks import assert_same, plain_and_compiled, run_python

import nar
from nar.algorithms import Algorithm
from nar.problems import SEQUENCE
from nar.specs import MASKED, Kind, Location, Spec, make_spec
from nar.traces import (
    CLRS30_SPLITS,
    clrs30_sample,
    clrs30_split,
    collect,
    run_algorithm,
    sample,
    sample_traces,
)

every_algorithm = pytest.mark.parametrize("name", nar.ALGORITHMS)
IN_DM_CLRS = [name for name in nar.ALGORITHMS if name in oracle.specs.SPECS]
every_dm_clrs_algorithm = pytest.mark.parametrize("name", IN_DM_CLRS)
ONLY_IN_DM_CLRS = [name for name in IN_DM_CLRS if name not in oracle.specs.CLRS_30_ALGS]


def min_size(name):
    return nar.ALGORITHMS[name].problem.min_size


MIN_SIZE_OF_DM_CLRS = {"find_maximum_subarray": 2, "quicksort": 2, "strongly_connected_components": 4}
"""Smallest sizes of dm-clrs, if larger: it records no step of a single key, or needs a node per community."""


# ---------------------------------------------------------------------------------------------------
# Equal to dm-clrs


def compare_samples(name, sizes, seeds, count):
    minimum = max(min_size(name), MIN_SIZE_OF_DM_CLRS.get(name, 1))
    for size in sorted({max(size, minimum) for size in sizes}):
        for seed in seeds:
            assert_same(clrs30_sample(name, size, count, seed), oracle.sample(name, size, count, seed), 1e-9)


@every_dm_clrs_algorithm
def test_samples_equal_dm_clrs(name):
    compare_samples(name, (1, 2, 3, 5, 12), (2, 2**32 - 1), count=4)


@pytest.mark.jit
@pytest.mark.slow
@every_dm_clrs_algorithm
def test_samples_equal_dm_clrs_at_many_sizes(name):
    compare_samples(name, range(1, 17), (0, 2**32 - 1), count=4)
    compare_samples(name, (31, 64), (5,), count=1)


OPTIONS = {
    "p": [{"p": (0.1,)}, {"p": (0.1, 0.5, 0.9)}, {"p": (0.0, 1.0)}],
    "low": [{"low": 0.2, "high": 5.0}, {"low": 3, "high": 4}],
    "eps": [{"k": 1}, {"k": 2, "p": (0.9,)}, {"k": 9, "eps": 0.5}, {"k": 5, "eps": 1.0, "p": (0.0,)}],
    "length_2": [{"length_2": 1}, {"length_2": 12}],
    "max_deadline": [{"max_deadline": 3}, {"max_deadline": 100, "low": 0.5, "high": 0.75}],
    "chars": [{"chars": 1}, {"chars": 2}],
    "length_needle": [{"length_needle": k} for k in (1, 3, 4, -1, -2, -4)],
    "radius": [{"radius": 1e-3}, {"origin_x": 5.0, "origin_y": -1e3, "radius": 10}],
}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        (name, options)
        for name in IN_DM_CLRS
        for option in sorted(set(OPTIONS) & set(nar.ALGORITHMS[name].problem.options))
        for options in OPTIONS[option]
    ],
)
def test_samples_with_options_equal_dm_clrs(name, options):
    assert_same(clrs30_sample(name, 9, 6, 7, **options), oracle.sample(name, 9, 6, 7, **options), 1e-9)


def round_up(argument):
    """Rounds up to quarters, so that there are many ties."""
    return np.ceil(4 * argument) / 4 if np.asarray(argument).dtype.kind == "f" else argument


UNSTABLE_TIES = ["dijkstra", "mst_kruskal", "mst_prim", "task_scheduling"]
"""Algorithms where dm-clrs breaks ties by numpy's default sort, which depends on the machine."""

WITHOUT_TIES = {"activity_selector", "graham_scan", "jarvis_march"}
"""Algorithms whose arguments cannot have ties: an activity must start before it finishes, and dm-clrs needs
points in general position."""


@pytest.mark.parametrize("size", [4, 16])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        *((name, np.copy) for name in IN_DM_CLRS),
        *((name, round_up) for name in IN_DM_CLRS if name not in {*UNSTABLE_TIES, *WITHOUT_TIES}),
    ],
)
def test_runs_on_given_arguments_equal_dm_clrs(name, size, change):
    compare_runs(name, size, change)


@pytest.mark.parametrize("name", UNSTABLE_TIES)
def test_ties_are_broken_like_a_stable_sort(name, monkeypatch):
    monkeypatch.setattr(np, "argsort", functools.partial(np.argsort, kind="stable"))
    compare_runs(name, 16, round_up)


def compare_runs(name, size, change):
    with oracle.relaxed():
        sampler, _ = oracle.samplers.build_sampler(name, 1, length=size, seed=11)
        drawn = [sampler._sample_data(length=size) for _ in range(4)]
    run = getattr(oracle.clrs._src.algorithms, name)
    for instance in drawn:
        arguments = [change(argument) for argument in instance]
        before = [np.copy(argument) for argument in arguments]
        trace = run_algorithm(name, *arguments)
        for argument, copy in zip(arguments, before, strict=True):
            np.testing.assert_array_equal(argument, copy)
        _, probes = run(*arguments)
        for probe in nar.ALGORITHMS[name].spec.values():
            data = probes[probe.stage.value][probe.location.value][probe.name]["data"]
            ours = getattr(trace, f"{probe.stage.value}s")[probe.name]
            np.testing.assert_allclose(ours, data, rtol=1e-9, atol=1e-9, err_msg=probe.name)


@pytest.mark.parametrize("split", CLRS30_SPLITS)
@pytest.mark.parametrize("name", ONLY_IN_DM_CLRS)
def test_only_the_thirty_have_canonical_splits(name, split):
    with pytest.raises(ValueError, match=f"{name} is not one of the thirty algorithms of CLRS-30"):
        clrs30_split(name, split)


def test_bellman_ford_of_dm_clrs_ends_too_early():
    """dm-clrs treats nodes at distance 0 as unreached, so it misses the nodes reached through them."""
    A = np.zeros((4, 4))
    A[0, 1], A[1, 2], A[2, 3] = 1, -1, 2
    trace = run_algorithm("bellman_ford", A, 0)
    np.testing.assert_array_equal(trace.outputs["pi"], [0, 0, 1, 2])
    np.testing.assert_array_equal(trace.hints["d"][-1], [0, 1, 0, 2])
    pi, _ = oracle.clrs._src.algorithms.bellman_ford(A, 0)
    np.testing.assert_array_equal(pi, [0, 0, 1, 3])


# ---------------------------------------------------------------------------------------------------
# Shapes and values


@every_algorithm
def test_dtypes_and_shapes_match_the_spec(name):
    spec = nar.ALGORITHMS[name].spec
    batch = sample_traces(name, 6, 5, 0)
    num_nodes = batch.inputs["pos"].shape[1]
    groups = [(spec.inputs, batch.inputs), (spec.per_step, batch.hints), (spec.outputs, batch.outputs)]
    for leading, (expected, probes) in zip([(5,), (batch.num_steps, 5), (5,)], groups, strict=True):
        assert list(probes) == [probe.name for probe in expected]
        for key, value in probes.items():
            assert value.shape == leading + spec[key].shape(num_nodes)
            assert value.dtype == spec[key].dtype
    assert batch.batch_size == 5
    assert batch.lengths.shape == (5,)
    assert batch.lengths.dtype == np.int32
    assert batch.num_steps == batch.lengths.max()


def values_of(name, batch):
    """(probe, its values without padding steps, [M, ...]) for every probe of a batch."""
    not_padding = np.arange(batch.num_steps)[:, None] < batch.lengths
    for probe in nar.ALGORITHMS[name].spec.values():
        value = {**batch.inputs, **batch.hints, **batch.outputs}[probe.name]
        yield probe, value[not_padding] if probe.stage.is_per_step else value


@every_algorithm
@pytest.mark.parametrize("size", [2, 9])
def test_values_match_the_kind(name, size):
    batch = sample_traces(name, max(size, min_size(name)), 20, 3)
    num_nodes = batch.inputs["pos"].shape[1]
    for probe, value in values_of(name, batch):
        if probe.kind is Kind.SCALAR:
            assert np.isfinite(value).all()
        elif probe.kind is Kind.MASK:
            assert np.isin(value, (0, 1, MASKED)).all()
        elif probe.kind in (Kind.MASK_ONE, Kind.CATEGORICAL):
            assert np.isin(value, (0, 1, MASKED)).all()
            np.testing.assert_array_equal(np.abs(value).sum(-1), 1)
        else:
            assert ((value >= 0) & (value < num_nodes)).all()
        if probe.kind is Kind.SHOULD_BE_PERMUTATION:
            assert all(is_chain(pointers) for pointers in value)


def is_chain(pointers):
    """True if one node points to itself and all others are reached from the end of the chain."""
    (first,) = np.flatnonzero(pointers == np.arange(len(pointers)))
    ends = set(range(len(pointers))) - {p for i, p in enumerate(pointers) if p != i}
    if len(ends) != 1:
        return False
    node, visited = ends.pop(), 1
    while node != first:
        node, visited = pointers[node], visited + 1
    return visited == len(pointers)


@every_algorithm
def test_hints_are_zero_after_the_end(name):
    batch = sample_traces(name, 10, 30, 1)
    for index, length in enumerate(batch.lengths):
        for hint in batch.hints.values():
            assert not hint[length:, index].any()


def test_lengths_differ_within_a_batch():
    assert len(set(sample_traces("bfs", 10, 30, 1).lengths)) > 1


@every_algorithm
def test_trace_of_a_batch_equals_the_trace_sampled_alone(name):
    batch = sample_traces(name, 8, 6, 2)
    for index in range(6):
        trace = batch.trace(index)
        assert trace.length == batch.lengths[index]
        assert_same(trace, sample_traces(name, 8, 1, 2, first=index).trace(0))
        for hint_name, hint in trace.hints.items():
            np.testing.assert_array_equal(hint, batch.hints[hint_name][: trace.length, index])


@every_algorithm
def test_fixed_hints_are_exactly_those_that_never_change(name):
    algorithm = nar.ALGORITHMS[name]
    batch = sample_traces(name, 12, 30, 4)
    for probe in algorithm.spec.hints:
        if probe.kind is Kind.POINTER:
            changes = any(
                (hint != hint[:1]).any() for hint in (t.hints[probe.name] for t in traces_of(batch))
            )
            assert changes != (probe.name in algorithm.fixed_hints), probe.name


def traces_of(batch):
    return (batch.trace(index) for index in range(batch.batch_size))


# ---------------------------------------------------------------------------------------------------
# Trace i is a function of (algorithm, size, seed, i)


@every_algorithm
def test_traces_do_not_depend_on_the_requested_range(name):
    whole = sample_traces(name, 7, 12, 5)
    for first, count in ((0, 1), (3, 4), (11, 1), (2, 10)):
        window = sample_traces(name, 7, count, 5, first=first)
        for index in range(count):
            assert_same(window.trace(index), whole.trace(first + index))


@every_algorithm
def test_sampling_neither_reads_nor_changes_global_state(name):
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    first = sample_traces(name, 7, 4, 5)
    np.testing.assert_array_equal(np.random.get_state()[1], state)
    np.random.seed(2)
    sample_traces(name, 5, 2, 6)
    assert_same(sample_traces(name, 7, 4, 5), first)


@every_algorithm
def test_seeds_and_indices_give_different_problems(name):
    batches = [
        sample_traces(name, 12, 4, seed, first=first)
        for seed, first in ((0, 0), (1, 0), (-1, 0), (2**70, 0), (0, 4), (0, 2**32), (0, 2**63))
    ]
    streams = [probe.name for probe in nar.ALGORITHMS[name].spec.streams]
    texts = {
        (
            *(value[index].tobytes() for value in batch.inputs.values()),
            *(batch.hints[stream][:, index].tobytes() for stream in streams),
        )
        for batch in batches
        for index in range(4)
    }
    assert len(texts) >= len(batches) * 4 - 2  # a small graph may repeat by chance


def test_algorithms_and_sizes_have_different_series():
    keys = {
        sample_traces(name, size, 1, 0).inputs["key"][0, 0]
        for name in ("minimum", "heapsort", "insertion_sort")
        for size in (4, 5)
    }
    assert len(keys) == 6


def test_series_are_stable_across_versions():
    """Golden values: changing them would invalidate published seeds."""
    keys = sample_traces("insertion_sort", 3, 2, 0, first=10).inputs["key"]
    expected = [
        [0.1696784306417053, 0.1543801126359926, 0.18661226557155652],
        [0.6632403397944279, 0.9636453308379149, 0.07137118823014976],
    ]
    np.testing.assert_array_equal(keys, expected)


@every_algorithm
def test_numpy_integers_are_accepted(name):
    small = sample_traces(name, np.uint8(5), np.uint8(10), np.int8(3), first=np.uint8(250))
    assert_same(small, sample_traces(name, 5, 10, 3, first=250))


# ---------------------------------------------------------------------------------------------------
# Without numba, and without jax


PLAIN = """
import sys
import nar, numpy as np
for name, algorithm in nar.ALGORITHMS.items():
    for size in (algorithm.problem.min_size + 1, 9):
        batch = nar.sample_traces(name, size, 5, 8)
        arrays = {**batch.inputs, **batch.hints, **batch.outputs, "lengths": batch.lengths}
        np.savez(f"{sys.argv[1]}/{name}-{size}.npz", **arrays)
"""


@pytest.mark.jit
@pytest.mark.slow
def test_plain_python_records_the_same_traces(tmp_path):
    run_python(PLAIN, tmp_path, NUMBA_DISABLE_JIT="1")
    for name in nar.ALGORITHMS:
        for size in (min_size(name) + 1, 9):
            batch = sample_traces(name, size, 5, 8)
            arrays = {**batch.inputs, **batch.hints, **batch.outputs, "lengths": batch.lengths}
            with np.load(tmp_path / f"{name}-{size}.npz") as plain:
                assert set(plain) == set(arrays)
                for key, value in arrays.items():
                    np.testing.assert_allclose(plain[key], value, rtol=1e-12, atol=1e-12, err_msg=key)


def test_sampling_does_not_import_jax():
    code = "import sys, nar; nar.sample_traces('bfs', 4, 1, 0); print('jax' in sys.modules)"
    assert run_python(code).strip() == "False"


# ---------------------------------------------------------------------------------------------------
# Custom algorithms


class Hints(NamedTuple):
    scalar: float
    category: int
    categories: np.ndarray
    pointers: np.ndarray
    rows: np.ndarray


def steps(A, node, total):
    """Yields kinds of hints that few textbook algorithms have, and writes both kinds of scalar outputs."""
    n = len(A)
    total[()] = 0.0
    for step in range(n):
        categories = np.arange(n) % 2
        categories[step] = -1
        rows = (np.arange(n) + step) % n
        pointers = np.zeros((n, n), np.int64) + rows
        yield Hints(total[()], step % 3, categories, pointers, rows)
        total[()] += A[step]
    node[()] = n - 1


def make_custom_algorithm(steps, **changes):
    spec = make_spec(
        inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
        hints={
            "scalar": (Location.GRAPH, Kind.SCALAR),
            "category": (Location.GRAPH, Kind.CATEGORICAL, 3),
            "categories": (Location.NODE, Kind.CATEGORICAL, 2),
            "pointers": (Location.EDGE, Kind.POINTER),
            "rows": (Location.EDGE, Kind.MASK_ONE),
        },
        outputs={"node": (Location.NODE, Kind.MASK_ONE), "total": (Location.GRAPH, Kind.SCALAR)},
    )
    fields = {"name": "own", "family": "sorting", "spec": spec, "problem": SEQUENCE, "source": "this file"}
    return Algorithm(steps=steps, **{**fields, **changes})


@plain_and_compiled
def test_every_kind_is_recorded(mode):
    keys = np.array([1.0, 2.0, 4.0])
    trace = collect(make_custom_algorithm(steps), [(keys,), (keys[::-1],)]).trace(0)
    np.testing.assert_array_equal(trace.hints["scalar"], [0, 1, 3])
    np.testing.assert_array_equal(trace.hints["category"], np.eye(3))
    np.testing.assert_array_equal(trace.hints["categories"][0], [[0, -1], [0, 1], [1, 0]])
    np.testing.assert_array_equal(trace.hints["pointers"][1], [[1, 2, 0]] * 3)
    np.testing.assert_array_equal(trace.hints["rows"][1], [[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    np.testing.assert_array_equal(trace.outputs["node"], [0, 0, 1])
    assert trace.outputs["total"] == 7


def steps_in_wrong_order(A, node, total):
    n = len(A)
    yield WrongOrder(0, 0.0, np.zeros(n, np.int64), np.zeros((n, n), np.int64), np.zeros(n, np.int64))


class WrongOrder(NamedTuple):
    category: int
    scalar: float
    categories: np.ndarray
    pointers: np.ndarray
    rows: np.ndarray


def steps_of_wrong_shape(A, node, total):
    n = len(A)
    yield Hints(0.0, 0, np.zeros(n + 1, np.int64), np.zeros((n, n), np.int64), np.zeros(n, np.int64))


def steps_of_growing_shape(A, node, total):
    n = len(A)
    for size in range(n, n + 2):
        yield Hints(0.0, 0, np.zeros(size, np.int64), np.zeros((n, n), np.int64), np.zeros(n, np.int64))


def steps_without_names(A, node, total):
    yield 0.0, 0


def steps_with_other_parameters(keys, node, total):
    yield from ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (steps_in_wrong_order, r"own: steps must yield NamedTuples .*'category': \(\)"),
        (steps_of_wrong_shape, r"own: steps must yield NamedTuples .*'categories': \(4,\)"),
        (steps_without_names, r"own: steps must yield NamedTuples .*got \{\}"),
        (
            steps_with_other_parameters,
            r"own: steps must take the parameters \['A', 'node', 'total'\], .*'keys'",
        ),
    ],
)
def test_steps_that_do_not_match_the_spec(wrong, message):
    with pytest.raises(ValueError, match=message):
        collect(make_custom_algorithm(wrong), [(np.arange(3.0),)])


@pytest.mark.parametrize(
    "mode", ["plain", pytest.param("compiled", marks=[pytest.mark.jit, pytest.mark.slow])]
)
def test_hints_must_keep_their_shape(mode):
    with pytest.raises(ValueError, match="own: categories must keep its shape"):
        collect(make_custom_algorithm(steps_of_growing_shape), [(np.arange(3.0),)])


def test_inputs_that_do_not_match_the_spec():
    spec = make_custom_algorithm(steps).spec
    spec = Spec(probe for probe in spec.values() if probe.name != "pos")
    with pytest.raises(
        ValueError, match="inputs of the spec must be those of the problem, pos, key; got key"
    ):
        collect(make_custom_algorithm(steps, spec=spec), [(np.arange(3.0),)])


# ---------------------------------------------------------------------------------------------------
# Invalid requests


@pytest.mark.parametrize("name", ["dijkstra_", "", "BFS", None, 3, ["bfs"], b"bfs"])
def test_unknown_algorithm(name):
    for call in (
        lambda: run_algorithm(name),
        lambda: sample_traces(name, 4, 1, 0),
        lambda: clrs30_split(name, "val"),
    ):
        with pytest.raises(ValueError, match=r"unknown algorithm .*; known: .*bfs") as caught:
            call()
        assert all(known in str(caught.value) for known in nar.ALGORITHMS)


def test_algorithms_outside_clrs30_have_no_splits():
    with pytest.raises(ValueError, match="bipartite_matching is not one of the thirty algorithms of CLRS-30"):
        clrs30_split("bipartite_matching", "val")


@pytest.mark.parametrize("split", ["valid", "", None, ["test"], 0])
def test_unknown_split(split):
    with pytest.raises(ValueError, match=r"unknown split .*; known: train, val, test"):
        clrs30_split("bfs", split)


@every_algorithm
def test_size_too_small(name):
    size = min_size(name) - 1
    with pytest.raises(ValueError, match=f"^{name}: size must be an integer from {size + 1} .*, got {size}"):
        sample_traces(name, size, 1, 0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"count": 0}, "count must be an integer of at least 1, got 0"),
        ({"count": 1.0}, r"count must be an integer of at least 1, got 1\.0"),
        ({"count": True}, "got True"),
        ({"seed": 0.5}, r"seed must be an integer, got 0\.5"),
        ({"seed": None}, "seed must be an integer, got None"),
        ({"first": -1}, "first must be an integer from 0 .*, got -1"),
        ({"first": 2**64}, "first must be an integer from 0 .*, got 18446744073709551616"),
        ({"first": "0"}, "first must be an integer from 0 .*, got '0'"),
        ({"weighted": True}, "bfs: unknown problem option 'weighted'; known: p"),
    ],
)
def test_invalid_requests(changes, message):
    with pytest.raises(ValueError, match=message):
        sample_traces("bfs", **{"size": 4, "count": 1, "seed": 0, **changes})


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, None])
def test_clrs30_sample_needs_a_seed_of_random_state(seed):
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 2\*\*32 - 1, got"):
        clrs30_sample("bfs", 4, 1, seed)


# ---------------------------------------------------------------------------------------------------
# Fuzzing: any input results in a trace or in a ValueError

junk_numbers = st.one_of(
    st.integers(-3, 6),
    st.sampled_from([2**31, 2**63, 2**64, -(2**63) - 1, 10**400]),
    st.floats(),
    st.booleans(),
)
junk = st.one_of(
    junk_numbers,
    st.none(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.complex_numbers(),
    st.sampled_from(
        [object(), np.datetime64("2020"), dict, np.array(3), np.array("x"), np.float32(2), {1, 2}]
    ),
    st.lists(junk_numbers, max_size=5),
    st.lists(st.lists(junk_numbers, max_size=4), max_size=4),
    st.dictionaries(st.text(max_size=2), junk_numbers, max_size=2),
    st.integers(0, 4).flatmap(
        lambda n: st.lists(st.lists(st.floats(-2, 2), min_size=n, max_size=n), min_size=n)
    ),
)


def succeeds(call):
    """True if the call returns, False if it raises a ValueError with a message; other errors propagate."""
    try:
        call()
    except ValueError as error:
        assert len(str(error)) > 10  # noqa: PT017
        return False
    return True


@every_algorithm
@settings(max_examples=EXAMPLES_PER_ALGORITHM)
@given(data=st.data())
def test_fuzzed_arguments(name, data):
    algorithm = nar.ALGORITHMS[name]
    valid = algorithm.problem.sample(np.random.RandomState(0), 4)
    arguments = {
        key: data.draw(st.just(value) | junk)
        for key, value in zip(algorithm.problem.arguments, valid, strict=True)
    }
    succeeds(lambda: run_algorithm(name, **arguments))


@every_algorithm
@settings(max_examples=EXAMPLES_PER_ALGORITHM)
@given(data=st.data())
def test_fuzzed_requests(name, data):
    options = data.draw(
        st.fixed_dictionaries({}, optional=dict.fromkeys(nar.ALGORITHMS[name].problem.options, junk))
    )
    request = {
        "size": data.draw(st.integers(1, 6) | junk),
        "count": data.draw(st.integers(1, 3) | junk.filter(lambda x: not isinstance(x, int) or x < 100)),
        "seed": data.draw(junk),
        "first": data.draw(st.just(0) | junk),
    }
    succeeds(lambda: sample_traces(name, **request, **options))


@given(junk, junk)
def test_fuzzed_names(first, second):
    hypothesis.assume(not isinstance(first, str) or first not in (*nar.ALGORITHMS, *CLRS30_SPLITS))
    assert not succeeds(lambda: run_algorithm(first, second))
    assert not succeeds(lambda: clrs30_split("bfs", first))


@pytest.mark.parametrize("group_bytes", [1, 2**12, 2**26])
def test_first_hints_are_those_of_whole_traces(monkeypatch, group_bytes):
    """Whatever the size of the groups in which traces are recorded, and whatever their lengths."""
    monkeypatch.setattr(sample, "_GROUP_BYTES", group_bytes)
    whole = clrs30_sample("bfs", 6, 9, seed=3)
    part = clrs30_sample("bfs", 6, 9, seed=3, all_hints=False)
    assert len(set(whole.lengths.tolist())) > 1
    np.testing.assert_array_equal(part.lengths, whole.lengths)
    for name, value in whole.hints.items():
        np.testing.assert_array_equal(part.hints[name], value[:1])
        assert part.hints[name].base is None  # no view that keeps the others
    for group in ("inputs", "outputs"):
        for name, value in getattr(whole, group).items():
            np.testing.assert_array_equal(getattr(part, group)[name], value)
