"""Custom algorithms: registration, lookup by module and attribute, contract check, sampling and training."""

import dataclasses
import gc
import sys
import types
import weakref
from typing import NamedTuple

import networkx
import numpy as np
import pytest
from commands import TINY, run
from hypothesis import given
from hypothesis import strategies as st
from numba.extending import overload

import nar
from experiments.examples.tarjan import TARJAN_SCC
from nar.algorithms import BUILT_IN, Algorithm, find_algorithm, register
from nar.algorithms.graphs.bfs import BFS
from nar.data import Transforms
from nar.problems import SEQUENCE
from nar.runs.components.tasks import make_tasks
from nar.runs.config import RunConfig
from nar.specs import Kind, Location, Spec, make_spec
from nar.traces import check_algorithm
from nar.traces.recorder import compiled_loops
from nar.traces.recorder.inlining import inline_yields

TARJAN = "experiments.examples.tarjan:TARJAN_SCC"


# ---------------------------------------------------------------------------------------------------
# The registry


def test_registered_algorithms_are_found_by_name():
    custom = dataclasses.replace(BFS, name="custom_search")
    register(custom)
    register(custom)
    assert nar.ALGORITHMS["custom_search"] is custom
    assert find_algorithm("custom_search") is custom
    traces = nar.sample_traces("custom_search", 5, 2, 0)
    np.testing.assert_array_equal(traces.hints["pi_h"], nar.sample_traces(custom, 5, 2, 0).hints["pi_h"])
    assert nar.run_algorithm("custom_search", [[0, 1], [1, 0]], 0).outputs["pi"].tolist() == [0, 0]


def test_registry_starts_with_the_built_in_algorithms():
    assert tuple(nar.ALGORITHMS.values())[: len(BUILT_IN)] == BUILT_IN


def test_registering_a_taken_name_raises():
    with pytest.raises(ValueError, match="the name 'bfs' is taken by another algorithm"):
        register(dataclasses.replace(BFS))
    assert nar.ALGORITHMS["bfs"] is BFS


def steps_of(name, text, module="__main__"):
    """A generator as a cell of a notebook defines it."""
    scope = {"__name__": module, "np": np, "Search": Search}
    exec(compile(text, name, "exec"), scope)
    return scope["steps"]


CELL = "def steps(A, s, pi):\n    pi[:] = s\n    yield Search(np.zeros(len(A), np.int8), pi)\n"


def test_running_a_cell_again_replaces_the_algorithm(recwarn):
    for cell in ("one", "two", "three"):
        algorithm = dataclasses.replace(BFS, name="from_a_cell", steps=steps_of(cell, CELL))
        register(algorithm)
        assert nar.ALGORITHMS["from_a_cell"] is algorithm
    assert not recwarn.list
    changed = dataclasses.replace(algorithm, steps=steps_of("four", CELL.replace("= s", "= 0")))
    with pytest.warns(UserWarning, match="another definition of 'from_a_cell' replaces the registered one"):
        register(changed)
    assert nar.ALGORITHMS["from_a_cell"] is changed
    assert nar.run_algorithm("from_a_cell", edges=[(0, 1)], s=1).outputs["pi"].tolist() == [0, 0]


def test_another_algorithm_of_a_module_raises():
    algorithm = dataclasses.replace(BFS, name="of_a_module", steps=steps_of("one", CELL, "some_module"))
    register(algorithm)
    register(dataclasses.replace(algorithm))
    for changes in (
        {"steps": steps_of("two", CELL.replace("= s", "= 0"), "some_module")},
        {"problem": dataclasses.replace(BFS.problem, min_size=2)},
        {"steps": steps_of("three", CELL.replace("= s", "= 0"))},
    ):
        with pytest.raises(ValueError, match="the name 'of_a_module' is taken by another algorithm"):
            register(dataclasses.replace(algorithm, **changes))


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("bsf", "bfs"),
        ("BFS", "bfs"),
        ("Dijkstra's", "dijkstra"),
        ("mst-prim", "mst_prim"),
        ("quick", "quickselect"),
        ("xyz", None),
        (3, None),
    ],
)
def test_unknown_names_suggest_the_nearest(name, near):
    for look_up in (nar.ALGORITHMS.__getitem__, find_algorithm):
        with pytest.raises(ValueError, match="unknown algorithm .*; known: activity_selector") as caught:
            look_up(name)
        message = str(caught.value)
        assert message.endswith(f"; did you mean {near}?") if near else "did you mean" not in message
    with pytest.raises(KeyError):
        nar.ALGORITHMS[name]
    assert name not in nar.ALGORITHMS and nar.ALGORITHMS.get(name) is None


def test_every_registry_lists_and_suggests_names():
    from nar.problems.families import GRAPH_FAMILIES
    from nar.processors import PROCESSORS
    from nar.traces import CLRS30_SPLITS
    from nar.training import OPTIMIZERS, SCHEDULES, TRACKERS

    registries = {
        "triplet_gmpn": (PROCESSORS, "triplet_gmpnn"),
        "delauney": (GRAPH_FAMILIES, "delaunay"),
        "validation": (CLRS30_SPLITS, "val"),
        "adamm": (OPTIMIZERS, "adam"),
        "cosin": (SCHEDULES, "cosine"),
        "tensorbord": (TRACKERS, "tensorboard"),
    }
    for name, (registry, near) in registries.items():
        with pytest.raises(KeyError, match=f"unknown .* '{name}'; known: .*{near}.*; did you mean {near}"):
            registry[name]
        assert near in registry and list(registry) == list(registry.keys())


@pytest.mark.parametrize("value", [None, "bfs", Spec([])])
def test_registering_other_objects_raises(value):
    with pytest.raises(ValueError, match="cannot be registered as algorithm"):
        register(value)


def test_algorithms_are_found_by_module_and_attribute():
    assert find_algorithm(TARJAN) is find_algorithm(TARJAN) is TARJAN_SCC
    assert nar.ALGORITHMS["tarjan_scc"] is TARJAN_SCC
    assert find_algorithm("nar.algorithms.graphs.bfs:BFS") is BFS
    by_path = nar.sample_traces(TARJAN, 5, 3, 0)
    np.testing.assert_array_equal(by_path.inputs["A"], nar.sample_traces("tarjan_scc", 5, 3, 0).inputs["A"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:BFS", "cannot be imported: No module named 'no_such_module'"),
        ("experiments.examples.tarjan:TARJAN", r"has no algorithm 'TARJAN'; it has: TARJAN_SCC$"),
        ("experiments.examples.tarjan:SPEC", "has no algorithm 'SPEC'"),
        ("math:pi", "math has no algorithm 'pi'; it has: none"),
        (":BFS", "is not of the form module:ATTRIBUTE"),
        ("nar.algorithms:", "is not of the form"),
        (".algorithms:BFS", "is not of the form"),
        ("nar:ALGORITHMS:bfs", "is not of the form"),
        ("a b:c", "is not of the form"),
    ],
)
def test_invalid_module_and_attribute_names_raise(name, message):
    with pytest.raises(ValueError, match=message):
        find_algorithm(name)


def test_name_conflict_between_modules_raises(monkeypatch):
    other = types.ModuleType("other")
    vars(other)["BFS"] = dataclasses.replace(BFS)
    monkeypatch.setitem(sys.modules, "other", other)
    with pytest.raises(ValueError, match="'bfs' is taken"):
        find_algorithm("other:BFS")


def test_training_one_algorithm_under_two_names_raises():
    with pytest.raises(ValueError, match="at least one name, without duplicates"):
        make_tasks(RunConfig(algorithms=(TARJAN, "tarjan_scc")), Transforms())


# ---------------------------------------------------------------------------------------------------
# The contract


@pytest.mark.parametrize("algorithm", [*BUILT_IN, TARJAN_SCC], ids=repr)
def test_algorithm_fulfills_the_contract(algorithm):
    check_algorithm(algorithm, sizes=(2, 6))


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [*BUILT_IN, TARJAN_SCC], ids=repr)
def test_compiled_algorithm_fulfills_the_contract(algorithm):
    check_algorithm(algorithm)


class Hints(NamedTuple):
    pointer: np.ndarray
    mask: np.ndarray
    one: int
    number: float


SEQUENCE_SPEC = make_spec(
    inputs={"pos": (Location.NODE, Kind.SCALAR), "key": (Location.NODE, Kind.SCALAR)},
    hints={
        "pointer": (Location.NODE, Kind.POINTER),
        "mask": (Location.NODE, Kind.MASK),
        "one": (Location.NODE, Kind.MASK_ONE),
        "number": (Location.GRAPH, Kind.SCALAR),
    },
    outputs={"pred": (Location.NODE, Kind.SHOULD_BE_PERMUTATION)},
)


def minimal_algorithm(*, pointer=0, mask=0, one=0, number=0.0, chain=True, **changes):
    """Builds a two-step algorithm; by default it fulfills the contract.

    Each of the first four arguments is added to the hint of that name in the second step.
    """

    def steps(A, pred):
        n = len(A)
        for i in range(2):
            yield Hints(
                np.zeros(n, np.int64) + i * pointer, np.ones(n, np.int64) + i * mask, i * one, i * number
            )
        if chain:
            pred[1:] = np.arange(n - 1)

    fields = {
        "name": "minimal",
        "family": "sorting",
        "spec": SEQUENCE_SPEC,
        "problem": SEQUENCE,
        "steps": steps,
        "source": "-",
    }
    return Algorithm(**{**fields, **changes})


def unlike_compiled():
    return 0.0


@overload(unlike_compiled)
def _compiled():
    return lambda: 1.0


def steps_unlike_compiled(A, pred):
    n = len(A)
    yield Hints(np.zeros(n, np.int64), np.zeros(n, np.int64), 0, unlike_compiled())
    pred[1:] = np.arange(n - 1)


def _nondeterministic(random, size):
    return (random.uniform(size=size) + np.random.random(),)


def _doubling(A):
    A *= 2
    return (A,)


def modified_sequence_problem(**changes):
    return dataclasses.replace(SEQUENCE, **changes)


def test_valid_algorithm_passes_the_check():
    check_algorithm(minimal_algorithm(), sizes=(1, 3))
    check_algorithm(minimal_algorithm(problem=modified_sequence_problem(min_size=3)), sizes=(1, 5))


@pytest.mark.parametrize(
    ("invalid", "message"),
    [
        (minimal_algorithm(pointer=9), "size 1: pointer is a pointer: each must be a node"),
        (minimal_algorithm(pointer=-1), "size 1: pointer is a pointer: each must be a node"),
        (minimal_algorithm(mask=1), "size 1: mask is a mask: each entry must be 0, 1 or -1"),
        (minimal_algorithm(number=np.nan), "size 1: number is a scalar: numbers must be finite"),
        (
            minimal_algorithm(chain=False),
            "size 3: pred is a should_be_permutation: predecessors must form one chain",
        ),
        (
            minimal_algorithm(
                pointer=1, fixed_hints=("pointer",), problem=modified_sequence_problem(min_size=3)
            ),
            "size 3: pointer is a fixed hint, but changes in trace 0",
        ),
        (
            minimal_algorithm(problem=modified_sequence_problem(sample=_nondeterministic)),
            "minimal: options given as their defaults: key differs",
        ),
        (
            minimal_algorithm(problem=modified_sequence_problem(check=_doubling)),
            "size 1: sampled and given arguments: key differs",
        ),
        pytest.param(
            minimal_algorithm(steps=steps_unlike_compiled),
            "size 1: compiled and plain Python: number differs",
            marks=[pytest.mark.jit, pytest.mark.slow],
        ),
    ],
)
def test_contract_violations_are_reported(invalid, message):
    with pytest.raises(AssertionError, match=message):
        check_algorithm(invalid, sizes=(3,))


def test_the_algorithm_to_check_may_be_named():
    check_algorithm("experiments.examples.tarjan:TARJAN_SCC", sizes=(2,))
    with pytest.raises(ValueError, match="unknown algorithm 'bsf'; .* did you mean bfs"):
        check_algorithm("bsf")


@pytest.mark.parametrize("one", [-2, 9])
def test_mask_one_outside_of_the_nodes_raises(one):
    with pytest.raises(ValueError, match=rf"one must be from -1 to 3, got {one}$"):
        check_algorithm(minimal_algorithm(one=one, problem=modified_sequence_problem(min_size=3)), sizes=(3,))


@pytest.mark.parametrize("stage", ["hints", "outputs"])
def test_spec_without_inputs_hints_or_outputs_raises(stage):
    tables = {
        "inputs": {"pos": (Location.NODE, Kind.SCALAR)},
        "hints": {"h": (Location.NODE, Kind.MASK)},
        "outputs": {"o": (Location.NODE, Kind.MASK)},
    }
    spec = make_spec(**{**tables, stage: {}})
    with pytest.raises(AssertionError, match=f"minimal: the spec needs an? {stage[:-1]}"):
        check_algorithm(minimal_algorithm(spec=spec))
    with pytest.raises(AssertionError, match="minimal: the spec needs the input 'pos'"):
        check_algorithm(minimal_algorithm(spec=make_spec(**{**tables, "inputs": {}})))


# ---------------------------------------------------------------------------------------------------
# Tarjan's strongly connected components


@st.composite
def directed_graphs(draw):
    num_nodes = draw(st.integers(1, 9))
    cells = st.sampled_from(draw(st.sampled_from([[0], [1], [0, 1], [0, 0, 0, 1], [0, 0, 0, 0, 0, 1]])))
    rows = draw(st.lists(cells, min_size=num_nodes**2, max_size=num_nodes**2))
    return np.reshape(rows, (num_nodes, num_nodes))


@given(directed_graphs())
def test_tarjan(A):
    graph = networkx.from_numpy_array(A, create_using=networkx.DiGraph)
    trace = nar.run_algorithm(TARJAN_SCC, A)
    scc = trace.outputs["scc"]
    components = {frozenset(np.flatnonzero(scc == root).tolist()) for root in set(scc.tolist())}
    assert components == {frozenset(nodes) for nodes in networkx.strongly_connected_components(graph)}
    order = list(dict.fromkeys(trace.hints["u"].argmax(-1).tolist()))
    assert all(scc[min(nodes, key=order.index)] == min(nodes, key=order.index) for nodes in components)
    assert order == list(networkx.dfs_preorder_nodes(networkx.DiGraph(_from_a_root(A)), -1))[1:]
    assert not trace.hints["on_stack"][-1].any()


def _from_a_root(A):
    """Edges of the graph, and from an additional node -1 to all nodes, so that one search visits all."""
    n = len(A)
    return [(-1, v) for v in range(n)] + [(u, v) for u in range(n) for v in range(n) if A[u, v]]


@pytest.mark.slow
def test_training_by_module_and_attribute(tmp_path):
    arguments = (
        "--config=configs/base.py",
        f"--config.algorithms={TARJAN}",
        f"--workdir={tmp_path}",
        *TINY,
        "--config.model.processor=mpnn",
        "--config.model.termination=budget",  # 4 steps instead of some 200 at n = 64
        "--config.model.budget.steps=4",
        "--config.model.budget.steps_per_node=0.0",
        "--config.training.steps=10",
    )
    code, output, errors = run("train", *arguments)
    assert code == 0, errors
    assert "tarjan_scc" in output


# ---------------------------------------------------------------------------------------------------
# Compilation


def with_a_default(A, s, pi, spare=0):
    yield Search(np.zeros(len(A), np.int8), pi)


def ends_early(A, s, pi):
    """Yields one step (none from source 0) and returns before the end of its loop."""
    pi[:] = s
    for step in range(3):
        values = Search(np.zeros(len(A), np.int8), pi)
        if step % 2:
            yield values
        if step == s:
            return


class Search(NamedTuple):
    reach_h: np.ndarray
    pi_h: np.ndarray


@pytest.mark.jit
@pytest.mark.slow
def test_unusual_generators_compile_to_the_same_traces():
    """Inlines yielded variables and early returns, but not extra parameters or functions without source."""
    assert inline_yields(with_a_default, "function", __file__) is None
    scope = dict(vars(sys.modules[__name__]))
    exec("def sourceless(A, s, pi):\n    yield Search(np.zeros(len(A), np.int8), pi)", scope)
    assert inline_yields(scope["sourceless"], "function", __file__) is None
    for steps in (ends_early, scope["sourceless"]):
        algorithm = dataclasses.replace(BFS, name="other", steps=steps)
        instances = [(np.ones((3, 3)), s) for s in (2, 1, 2)]
        compiled = nar.traces.collect(algorithm, instances)
        plain = nar.traces.collect(algorithm, instances, compiled=False)
        np.testing.assert_array_equal(compiled.lengths, plain.lengths)
        np.testing.assert_array_equal(compiled.hints["pi_h"], plain.hints["pi_h"])


@pytest.mark.jit
@pytest.mark.slow
def test_generator_is_compiled_if_inlining_fails(monkeypatch):
    expected = nar.sample_traces(BFS, 7, 3, 0)
    custom = dataclasses.replace(BFS)
    monkeypatch.setattr(compiled_loops, "inline_yields", lambda steps, name, file: cannot_be_compiled)
    actual = nar.sample_traces(custom, 7, 3, 0)
    for name, value in expected.hints.items():
        np.testing.assert_array_equal(actual.hints[name], value)


def cannot_be_compiled(A, s, pi, hints, row, first):
    return A.no_such_attribute


def reads_a_missing_attribute(A, s, pi):
    yield Search(np.zeros(len(A), np.int8), pi)
    A.no_such_attribute()


@pytest.mark.jit
@pytest.mark.slow
def test_compilation_errors_show_the_user_code():
    with pytest.raises(
        ValueError, match=r"numba cannot compile(.|\n)*no_such_attribute(.|\n)*test_registry\.py"
    ):
        nar.sample_traces(dataclasses.replace(BFS, name="broken", steps=reads_a_missing_attribute), 7, 3, 0)


def test_plain_python_keeps_no_reference_to_the_algorithm():
    """A predictor creates one algorithm for each problem that it solves, so they must not accumulate."""
    custom = dataclasses.replace(BFS)
    nar.traces.collect(custom, [(np.ones((3, 3)), 0)], compiled=False)
    reference = weakref.ref(custom)
    del custom
    gc.collect()
    assert reference() is None
