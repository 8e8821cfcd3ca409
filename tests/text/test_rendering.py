"""Rendered texts, compared with dm-clrs 2.0.3 string for string, and texts of custom algorithms."""

import ast
import itertools
import pathlib

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from trace_checks import assert_same, plain_and_compiled, run_python

import nar
from experiments.examples.tarjan import TARJAN_SCC
from nar.kinds import BUILT_IN_KINDS
from nar.problems.truncation import POWERS_OF_TEN, truncate_arguments
from nar.text import TEXT_SETS, sample_texts, to_text, to_texts
from nar.text.rendering.columns import CONVERTERS, chain_orders
from nar.text.rendering.sample_texts import TraceSeries
from nar.text.rendering.write_numbers import FLOATS, write_texts
from nar.traces import clrs30_sample, run_algorithm, sample_traces

with oracle.relaxed():
    from clrs._src.clrs_text import clrs_utils

NAMES = [name for name in nar.ALGORITHMS if name in oracle.specs.SPECS]
every_algorithm = pytest.mark.parametrize("name", NAMES)

HULLS = ("graham_scan", "jarvis_march")
"""The oracle draws points until no triple is collinear, which rarely ends with few decimals."""

REQUESTS = [(4, 0, None), (5, 2**32 - 1, 2), (9, 3, 1), (10, 14, 3), (12, 7, None)]
"""Size, seed, decimals."""


def dm_clrs_texts(name, size, count, seed, use_hints, decimals):
    with oracle.relaxed():
        sampler, _ = oracle.samplers.build_sampler(
            name, -1, length=size, seed=seed, track_max_steps=False, truncate_decimals=decimals
        )
        return [clrs_utils.format_clrs_example(name, sampler.next(1), use_hints) for _ in range(count)]


def compare(name, size, seed, decimals, count):
    if name in HULLS and decimals in (1, 2):
        size, count = 4, 2
    for use_hints in (False, True):
        ours = sample_texts(name, size, count, seed, use_hints=use_hints, decimals=decimals)
        assert [tuple(text) for text in ours] == dm_clrs_texts(name, size, count, seed, use_hints, decimals)


@every_algorithm
def test_texts_equal_dm_clrs(name):
    """Traces are drawn in Python, so that nothing more is compiled."""
    batch = clrs30_sample(name, 7, 4, 12)
    for use_hints in (False, True):
        texts = to_texts(name, batch, use_hints=use_hints)
        assert [tuple(text) for text in texts] == dm_clrs_texts(name, 7, 4, 12, use_hints, None)


COVERING = ("activity_selector", "bfs", "dijkstra", "graham_scan", "kmp_matcher", "optimal_bst", "quicksort")
"""Algorithms that cover every kind of problem, with and without ties."""

COMPILED = ("bfs", "graham_scan", "quicksort")
"""Algorithms whose texts are compiled, which takes 10 to 50 seconds each."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in COVERING else pytest.mark.slow) for name in NAMES]
)
def test_sampled_texts_equal_dm_clrs(name):
    for size, seed, decimals in REQUESTS:
        compare(name, size, seed, decimals, count=4)


@pytest.mark.slow
@pytest.mark.parametrize("size", [16, 25])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.jit if name in COMPILED else ()) for name in NAMES]
)
def test_sampled_texts_equal_dm_clrs_at_more_sizes_and_seeds(name, size):
    size = min(size, 16) if name in HULLS else size
    for seed, decimals in ((35, 4), (0, None), (8, 40)):
        compare(name, size, seed, decimals, count=2 if name in HULLS else 4)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["activity_selector", "dijkstra", "mst_kruskal", "mst_prim", "task_scheduling"]
)
def test_ties_are_broken_as_in_dm_clrs(name):
    """Half of these texts would differ if the first of equal numbers were taken."""
    compare(name, 16, 3, 1, count=60)


def test_text_is_question_and_answer():
    (text,) = sample_texts("minimum", 4, 1, 0, decimals=3)
    assert text.question == "minimum:\nkey: [0.548 0.715 0.602 0.544]\nmin:\n"
    assert text.text == text.question + "3\n\n"


# ---------------------------------------------------------------------------------------------------
# Sampling: the random stream is that of RandomState, for any batch boundaries


@pytest.mark.parametrize(
    "name", ["bellman_ford", "kmp_matcher", "strongly_connected_components", "task_scheduling"]
)
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
@pytest.mark.jit
@pytest.mark.slow
def test_compiled_sampling_equals_numpy(name, seed):
    series = TraceSeries(name, 11, seed)
    assert series._is_compiled
    batches = [series.next(count) for count in (1, 40, 7)]
    expected = clrs30_sample(name, 11, 48, seed)
    traces = [batch.trace(index) for batch in batches for index in range(batch.batch_size)]
    for index, trace in enumerate(traces):
        assert_same(trace, expected.trace(index))


def test_growing_buffers_does_not_change_the_random_stream():
    """A trace that exceeds the buffer for its steps is recorded again from a redrawn problem."""
    series = TraceSeries("quickselect", 40, 1)
    expected = clrs30_sample("quickselect", 40, 30, 1)
    assert_same(series.next(30), expected)


def test_texts_from_an_offset_equal_a_slice_of_the_whole():
    whole = list(sample_texts("bfs", 6, 50, 3))
    assert list(sample_texts("bfs", 6, 7, 3, first=43)) == whole[43:]
    assert list(itertools.islice(sample_texts("bfs", 6, None, 3), 50)) == whole
    assert list(sample_texts("bfs", 6, 0, 3)) == []


PLAIN = """
from nar.text import sample_texts
for name in ("insertion_sort", "dijkstra", "lcs_length", "graham_scan"):
    print([tuple(text) for text in sample_texts(name, 6, 3, 5, use_hints=True, decimals=2)])
"""


@pytest.mark.jit
@pytest.mark.slow
def test_texts_without_numba_equal_compiled_ones_and_jax_is_not_imported():
    code = PLAIN + "import sys\nassert 'jax' not in sys.modules"
    assert run_python(code, NUMBA_DISABLE_JIT="1") == run_python(code)


@given(st.floats(-1e6, 1e6), st.integers(0, 100))
def test_truncation_of_decimals(number, decimals):
    array, scalar, whole = truncate_arguments((np.array([number]), number, np.array([3])), decimals)
    expected = np.trunc(number * 10**decimals) / 10**decimals if decimals else number
    assert array[0] == scalar == expected
    assert whole[0] == 3
    assert POWERS_OF_TEN[decimals] == float(10**decimals)


# ---------------------------------------------------------------------------------------------------
# Numbers


def written(values, source=FLOATS):
    """Floats of a list, formatted by the compiled writer."""
    values = np.asarray(values, np.float64)[None]
    no_segments, empty = np.zeros((0, 5), np.int64), np.zeros((1, 1, 0))
    segment = np.array([[source, 0, 1, 1, values.size]])
    buffer = np.zeros(30 * values.size + 10, np.uint8)
    bits = (
        values.astype(np.int64) if source != FLOATS else np.zeros((1, 0), np.int64),
        values.view(np.uint64),
    )
    steps = (empty.astype(np.int64), empty.view(np.uint64))
    lengths = np.ones(1, np.int64)
    ends = write_texts(segment, no_segments, no_segments, buffer[:0], bits, steps, lengths, buffer)
    return buffer[: ends[0, 0]].tobytes().decode()[1:-1].split(" ")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_floats_are_written_like_python_repr(numbers):
    assert written(numbers) == [repr(number) for number in numbers]


@plain_and_compiled
def test_many_floats_are_written_like_python_repr(mode):
    random = np.random.RandomState(0)
    bits = random.randint(1, 2047 << 52, size=30_000, dtype=np.int64).view(np.float64)
    powers = [2.0**k for k in range(-1074, 1024)] + [10.0**k for k in range(-300, 300)]
    short = np.trunc(random.uniform(-1, 1, size=5_000) * 1000) / 1000
    for numbers in (bits, powers, random.uniform(size=30_000), short, np.arange(1, 3000) * 5e-324):
        assert written(numbers) == [repr(float(number)) for number in numbers]


# ---------------------------------------------------------------------------------------------------
# Custom problems and algorithms


def test_text_of_a_custom_problem():
    trace = run_algorithm("insertion_sort", [3.0, 1.0, 2.5])
    assert to_text("insertion_sort", trace, use_hints=True) == (
        "insertion_sort:\nkey: [3.0 1.0 2.5], initial_trace: [3.0 1.0 2.5]\ntrace | pred:\n",
        "[1.0 3.0 2.5] | [1.0 2.5 3.0]\n\n",
    )
    weighted = run_algorithm("bfs", A=[(0, 1, 2.5)], s=0)
    assert to_text("bfs", weighted).question == "bfs:\ns: 0, A: [[0 1], [1 0]]\npi:\n"
    weighted = run_algorithm("dijkstra", A=[(0, 1, 2.5)], s=0)
    assert to_text("dijkstra", weighted).question == "dijkstra:\ns: 0, A: [[0.0 2.5], [2.5 0.0]]\npi:\n"


def test_batched_texts_equal_texts_of_single_traces():
    batch = sample_traces("topological_sort", 5, 6, 0)
    for use_hints in (False, True):
        texts = to_texts("topological_sort", batch, use_hints=use_hints)
        assert texts == [to_text("topological_sort", batch.trace(k), use_hints=use_hints) for k in range(6)]


def test_text_of_a_custom_algorithm():
    trace = run_algorithm(TARJAN_SCC, [[0, 1, 0], [1, 0, 1], [0, 0, 0]])
    text = to_text(TARJAN_SCC, trace, use_hints=True)
    assert text.question == (
        "tarjan_scc:\n"
        "A: [[0.0 1.0 0.0], [1.0 0.0 1.0], [0.0 0.0 0.0]], initial_trace: [0 1 2]\n"
        "trace | scc:\n"
    )
    assert text.answer.endswith(" | [0 0 2]\n\n")
    name = "experiments.examples.tarjan:TARJAN_SCC"
    assert list(sample_texts(name, 5, 3, 0)) == list(sample_texts(TARJAN_SCC, 5, 3, 0))
    random = np.random.RandomState(0)
    drawn = TARJAN_SCC.problem.sample(random, 5)
    (first,) = sample_texts(name, 5, 1, 0)
    assert first == to_text(name, run_algorithm(TARJAN_SCC, *drawn))


def test_every_kind_has_a_converter():
    assert set(CONVERTERS) >= set(BUILT_IN_KINDS)


@given(st.lists(st.integers(0, 6), min_size=7, max_size=7))
def test_chain_order_of_arbitrary_pointers_is_a_permutation(pointers):
    (order,) = chain_orders(np.array([pointers]))
    assert sorted(order) == list(range(7))


@given(st.permutations(range(6)))
def test_chain_order_of_a_chain_is_its_order(order):
    pointers = np.zeros(6, np.int64)
    pointers[order[0]] = order[0]
    for before, node in itertools.pairwise(order):
        pointers[node] = before
    assert chain_orders(pointers[None])[0].tolist() == list(order)


# ---------------------------------------------------------------------------------------------------
# The published sets


def test_published_sets_equal_those_of_the_generator_script():
    folder = pathlib.Path(clrs_utils.__file__).parent
    tree = ast.parse((folder / "generate_clrs_text.py").read_text())
    tables = {}
    for line in tree.body:
        if isinstance(line, ast.Assign) and line.targets[0].id.startswith("_DEFAULT"):
            exec(ast.unparse(line), tables)
    for name, text_set in TEXT_SETS.items():
        lengths, samples, seeds = (
            tables[f"_DEFAULT_{name.upper()}_{what}"]
            for what in ("ALGOS_AND_LENGTHS", "NUMBER_OF_SAMPLES", "SEEDS")
        )
        assert list(text_set.lengths.items()) == [(key, tuple(value)) for key, value in lengths.items()]
        assert (text_set.samples, list(text_set.seeds)) == (samples, seeds)


# ---------------------------------------------------------------------------------------------------
# Invalid arguments


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "sort"}, "unknown algorithm 'sort'; known: "),
        ({"size": 0}, "minimum: size must be an integer from 1 to 65536, got 0"),
        ({"count": -1}, "count must be an integer of at least 0, got -1"),
        ({"seed": 2**32}, r"seed must be an integer from 0 to 2\*\*32 - 1"),
        ({"first": -1}, "first must be an integer of at least 0, got -1"),
        ({"decimals": -1}, r"decimals must be an integer from 0 \(keep all\) to 100, or None, got -1"),
        ({"decimals": 2.5}, "got 2.5"),
        ({"p": 0.5}, "minimum: unknown problem option 'p'; known: low, high"),
    ],
)
def test_invalid_arguments_are_rejected(changes, message):
    with pytest.raises(ValueError, match=message):
        sample_texts(**{"name": "minimum", "size": 4, "count": 1, "seed": 0, **changes})


def test_trace_of_another_algorithm_is_rejected():
    trace = run_algorithm("minimum", [1.0, 2.0])
    with pytest.raises(
        ValueError, match=r"bfs has the inputs \['pos', 's', 'A', 'adj'\], the traces \['pos', 'key'\]"
    ):
        to_text("bfs", trace)
