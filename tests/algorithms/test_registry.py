"""Algorithms of one's own: registered, found by module and attribute, checked, sampled and trained."""

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
from numba.core.errors import NumbaError
from numba.extending import overload

import nar
from configs import base
from experiments.cli.build_tasks import make_tasks
from experiments.examples.tarjan import TARJAN_SCC
from nar.algorithms import BUILT_IN, Algorithm, find_algorithm, register
from nar.algorithms.graphs.bfs import BFS
from nar.data import Transforms
from nar.problems import SEQUENCE
from nar.specs import Kind, Location, Spec, make_spec
from nar.traces import check_algorithm
from nar.traces.recorder import compiled_loops
from nar.traces.recorder.inlining import inline_yields

TARJAN = "experiments.examples.tarjan:TARJAN_SCC"


# ---------------------------------------------------------------------------------------------------
# The table


def test_register():
    own = dataclasses.replace(BFS, name="own_search")
    register(own)
    register(own)
    assert nar.ALGORITHMS["own_search"] is own
    assert find_algorithm("own_search") is own
    traces = nar.sample_traces("own_search", 5, 2, 0)
    np.testing.assert_array_equal(traces.hints["pi_h"], nar.sample_traces(own, 5, 2, 0).hints["pi_h"])
    assert nar.run_algorithm("own_search", [[0, 1], [1, 0]], 0).outputs["pi"].tolist() == [0, 0]


def test_the_table_begins_with_what_belongs_to_nar():
    assert tuple(nar.ALGORITHMS.values())[: len(BUILT_IN)] == BUILT_IN


def test_a_name_that_is_taken():
    with pytest.raises(ValueError, match="the name 'bfs' is taken by another algorithm"):
        register(dataclasses.replace(BFS))
    assert nar.ALGORITHMS["bfs"] is BFS


@pytest.mark.parametrize("value", [None, "bfs", Spec([])])
def test_only_algorithms_are_registered(value):
    with pytest.raises(ValueError, match="only an Algorithm can be registered, got"):
        register(value)


def test_module_and_attribute():
    assert find_algorithm(TARJAN) is find_algorithm(TARJAN) is TARJAN_SCC
    assert nar.ALGORITHMS["tarjan_scc"] is TARJAN_SCC
    assert find_algorithm("nar.algorithms:BFS") is BFS
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
def test_bad_modules_and_attributes(name, message):
    with pytest.raises(ValueError, match=message):
        find_algorithm(name)


def test_two_modules_with_one_name(monkeypatch):
    other = types.ModuleType("other")
    vars(other)["BFS"] = dataclasses.replace(BFS)
    monkeypatch.setitem(sys.modules, "other", other)
    with pytest.raises(ValueError, match="'bfs' is taken"):
        find_algorithm("other:BFS")


def test_one_algorithm_under_two_names_is_trained_once():
    with pytest.raises(ValueError, match="name each algorithm once"):
        make_tasks({**base.get_config().to_dict(), "algorithms": (TARJAN, "tarjan_scc")}, Transforms())


# ---------------------------------------------------------------------------------------------------
# The contract


@pytest.mark.parametrize("algorithm", [*BUILT_IN, TARJAN_SCC], ids=repr)
def test_contract(algorithm):
    check_algorithm(algorithm, sizes=(2, 6))


@pytest.mark.jit
@pytest.mark.slow
@pytest.mark.parametrize("algorithm", [*BUILT_IN, TARJAN_SCC], ids=repr)
def test_contract_of_compiled_algorithms(algorithm):
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


def stand_in(*, pointer=0, mask=0, one=0, number=0.0, chain=True, **changes):
    """An algorithm that fulfils the contract; at step i of its two, i times the given value is added."""

    def steps(A, pred):
        n = len(A)
        for i in range(2):
            yield Hints(
                np.zeros(n, np.int64) + i * pointer, np.ones(n, np.int64) + i * mask, i * one, i * number
            )
        if chain:
            pred[1:] = np.arange(n - 1)

    fields = {
        "name": "stand_in",
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


def _unsteady(random, size):
    return (random.uniform(size=size) + np.random.random(),)


def _writing(A):
    A *= 2
    return (A,)


def _own_problem(**changes):
    return dataclasses.replace(SEQUENCE, **changes)


def test_a_sound_stand_in():
    check_algorithm(stand_in(), sizes=(1, 3))
    check_algorithm(stand_in(problem=_own_problem(min_size=3)), sizes=(1, 5))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (stand_in(pointer=9), "size 1: pointer is a pointer: each must be a node"),
        (stand_in(pointer=-1), "size 1: pointer is a pointer: each must be a node"),
        (stand_in(mask=1), "size 1: mask is a mask: each entry must be 0, 1 or -1"),
        (stand_in(number=np.nan), "size 1: number is a scalar: numbers must be finite"),
        (stand_in(chain=False), "size 3: pred is a should_be_permutation: predecessors must form one chain"),
        (
            stand_in(pointer=1, fixed_hints=("pointer",), problem=_own_problem(min_size=3)),
            "size 3: pointer is a fixed hint, but changes in trace 0",
        ),
        (
            stand_in(problem=_own_problem(sample=_unsteady)),
            "stand_in: options given as their defaults: key differs",
        ),
        (stand_in(problem=_own_problem(check=_writing)), "size 1: sampled and given arguments: key differs"),
        pytest.param(
            stand_in(steps=steps_unlike_compiled),
            "size 1: compiled and plain Python: number differs",
            marks=[pytest.mark.jit, pytest.mark.slow],
        ),
    ],
)
def test_broken_contracts(wrong, message):
    with pytest.raises(AssertionError, match=message):
        check_algorithm(wrong, sizes=(3,))


@pytest.mark.parametrize("one", [-2, 9])
def test_a_mark_that_is_no_node(one):
    with pytest.raises(ValueError, match=rf"one must be from -1 to 3, got {one}$"):
        check_algorithm(stand_in(one=one, problem=_own_problem(min_size=3)), sizes=(3,))


@pytest.mark.parametrize("stage", ["hints", "outputs"])
def test_an_empty_stage(stage):
    tables = {
        "inputs": {"pos": (Location.NODE, Kind.SCALAR)},
        "hints": {"h": (Location.NODE, Kind.MASK)},
        "outputs": {"o": (Location.NODE, Kind.MASK)},
    }
    spec = make_spec(**{**tables, stage: {}})
    with pytest.raises(AssertionError, match=f"stand_in: the spec needs an? {stage[:-1]}"):
        check_algorithm(stand_in(spec=spec))
    with pytest.raises(AssertionError, match="stand_in: the spec needs the input 'pos'"):
        check_algorithm(stand_in(spec=make_spec(**{**tables, "inputs": {}})))


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
    """Edges of the graph and from a node -1 to all, so that one search finds everything in order."""
    n = len(A)
    return [(-1, v) for v in range(n)] + [(u, v) for u in range(n) for v in range(n) if A[u, v]]


@pytest.mark.slow
def test_training_by_name(tmp_path):
    arguments = (
        "--config=configs/base.py",
        f"--config.algorithms={TARJAN}",
        f"--workdir={tmp_path}",
        *TINY,
        "--config.model.processor=mpnn",
        "--config.training.steps=10",
    )
    code, output, errors = run("train", *arguments)
    assert code == 0, errors
    assert "tarjan_scc" in output


# ---------------------------------------------------------------------------------------------------
# What is compiled


def with_a_default(A, s, pi, spare=0):
    yield Search(np.zeros(len(A), np.int8), pi)


def ends_early(A, s, pi):
    """Shows one step of every second source."""
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
def test_generators_of_other_forms():
    """Yields of a name are inlined too, as are returns; a parameter more is not, nor what has no source."""
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
def test_the_generator_itself_is_compiled_where_its_inlined_form_cannot_be(monkeypatch):
    expected = nar.sample_traces(BFS, 7, 3, 0)
    own = dataclasses.replace(BFS)
    monkeypatch.setattr(compiled_loops, "inline_yields", lambda steps, name, file: cannot_be_compiled)
    found = nar.sample_traces(own, 7, 3, 0)
    for name, value in expected.hints.items():
        np.testing.assert_array_equal(found.hints[name], value)


def cannot_be_compiled(A, s, pi, hints, row, first):
    return A.no_such_attribute


def names_what_is_not_there(A, s, pi):
    yield Search(np.zeros(len(A), np.int8), pi)
    A.no_such_attribute()


@pytest.mark.jit
@pytest.mark.slow
def test_an_error_of_the_compiler_shows_the_line():
    with pytest.raises(NumbaError, match=r"no_such_attribute(.|\n)*test_register\.py"):
        nar.sample_traces(dataclasses.replace(BFS, name="broken", steps=names_what_is_not_there), 7, 3, 0)


def test_plain_python_keeps_no_algorithm():
    """A predictor makes one for each problem that it is asked about."""
    own = dataclasses.replace(BFS)
    nar.traces.collect(own, [(np.ones((3, 3)), 0)], compiled=False)
    reference = weakref.ref(own)
    del own
    gc.collect()
    assert reference() is None
