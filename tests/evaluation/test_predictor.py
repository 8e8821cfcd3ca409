"""Predictions for problems without labels equal those for traces, and have the format of a trace."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import networkx
import numpy as np
import pytest
import tasks

import nar
from nar import ALGORITHMS
from nar.data import Transforms
from nar.evaluation import Inference, Predictor, compiler_options
from nar.evaluation.predictor import OutOfRangeWarning
from nar.model import Budget, FromTrace, Learned, NetConfig, make_model
from nar.processors import PGN
from nar.specs import Kind
from nar.traces import collect, record_first_step

HIDDEN = 8
RULES = {"trace": FromTrace(), "budget": Budget(2, 0.5), "learned": Learned(Budget(1, 1.0), prior=0.3)}


@functools.cache
def network(task, rule="trace", **options):
    model = make_model(
        NetConfig(PGN, HIDDEN, termination=RULES[rule], **options),
        {task: Transforms().spec(ALGORITHMS[task])},
    )
    batch = Transforms().apply(ALGORITHMS[task], nar.sample_traces(task, 5, 2, 0))
    shapes = jax.eval_shape(model.init, jax.random.key(0), {task: batch})
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: (random.standard_normal(leaf.shape) / leaf.shape[0] ** 0.5).astype(np.float32), shapes
    )
    return model, params


@functools.cache
def predictor(task, rule="trace", **options):
    return Predictor(*network(task, rule, **options))


def instance_of(task, seed=1):
    problem = ALGORITHMS[task].problem
    return problem.sample(np.random.RandomState(seed), max(5, problem.min_size))


@pytest.mark.parametrize("task", tasks.ALL)
def test_first_step_equals_that_of_the_whole_trace(task):
    """The inputs and initial hints are known without running the algorithm."""
    instances = [instance_of(task)]
    known, whole = record_first_step(ALGORITHMS[task], instances), collect(ALGORITHMS[task], instances)
    assert known.outputs == {}
    assert (known.lengths == 1).all()
    for name, value in whole.inputs.items():
        np.testing.assert_array_equal(known.inputs[name], value)
    assert set(known.hints) == set(whole.hints)
    for name, value in whole.hints.items():
        np.testing.assert_array_equal(known.hints[name], value[:1])
        assert known.hints[name].dtype == value.dtype


@pytest.mark.parametrize(
    "task",
    [pytest.param(task, marks=() if task in ("bfs",) else pytest.mark.slow) for task in tasks.COVERING],
)
def test_predictions_have_the_format_of_a_trace(task):
    """Outputs equal those of batched inference; hints have the shape, dtype and one-hot form of a trace."""
    arguments = instance_of(task)
    prediction = predictor(task)(task, *arguments)
    trace = nar.run_algorithm(task, *arguments)
    assert prediction.steps == max(1, trace.length - 1)
    model, params = network(task)
    batch = Transforms().apply(ALGORITHMS[task], collect(ALGORITHMS[task], [arguments]))
    expected = Inference(model, Transforms()).run_transformed(params, task, batch).outputs
    assert set(prediction.outputs) == set(trace.outputs)
    for name, value in trace.outputs.items():
        predicted = prediction.outputs[name]
        assert (predicted.shape, predicted.dtype) == (value.shape, value.dtype)
        np.testing.assert_array_equal(predicted, expected[name][0])
    assert set(prediction.hints) == {probe.name for probe in model.specs[task].hints}
    for name, predicted in prediction.hints.items():
        value, kind = trace.hints[name], model.specs[task][name].kind
        assert predicted.shape == (prediction.steps + 1, *value.shape[1:]), name
        assert predicted.dtype == value.dtype, name
        np.testing.assert_array_equal(predicted[0], value[0])
        if kind in (Kind.MASK_ONE, Kind.CATEGORICAL):
            np.testing.assert_array_equal(predicted[1:].sum(axis=-1), 1)
        if kind is Kind.MASK:
            assert set(np.unique(predicted[1:])) <= {0, 1}


def test_equivalent_input_formats_have_equal_predictions():
    predict = predictor("bfs")
    matrix = np.zeros((5, 5), int)
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)]
    for i, j in edges:
        matrix[i, j] = matrix[j, i] = 1
    graphs = [matrix, matrix.tolist(), edges, networkx.Graph(edges)]
    predictions = [predict("bfs", A=graph, s=0).outputs["pi"] for graph in graphs]
    predictions.append(predict("bfs", matrix, 0).outputs["pi"])
    for value in predictions[1:]:
        np.testing.assert_array_equal(value, predictions[0])


def test_weights_do_not_reach_a_network_of_an_algorithm_that_ignores_them():
    predict = predictor("bfs")
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)]
    weighted = [(*edge, weight) for edge, weight in zip(edges, (17, -31, 0.5, 1e50, 4), strict=True)]
    expected, prediction = predict("bfs", edges=edges, s=0), predict("bfs", edges=weighted, s=0)
    np.testing.assert_array_equal(prediction.outputs["pi"], expected.outputs["pi"])
    for name, value in expected.hints.items():
        np.testing.assert_array_equal(prediction.hints[name], value)


def test_predictions_are_read_by_the_labels_of_the_nodes():
    predict = predictor("bfs")
    edges = [(0, 1), (1, 2), (2, 3), (3, 4), (1, 4)]
    plain, letters = predict("bfs", edges=edges, s=1), dict(enumerate("abcde"))
    assert plain.nodes is None and list(plain.by_node("pi").values()) == plain.outputs["pi"].tolist()
    graph = networkx.relabel_nodes(networkx.Graph(edges), letters)
    labeled = predict("bfs", A=graph, s="b")
    assert labeled.nodes == tuple(graph.nodes)
    assert labeled.by_node("pi") == {letters[v]: letters[u] for v, u in plain.by_node("pi").items()}


def test_numbers_that_overflow_in_float32_raise():
    predict = predictor("dijkstra")
    edges = [(0, 1, 1.0), (1, 2, 2.0), (2, 3, 1.0), (3, 4, 1.0)]
    assert predict("dijkstra", edges=edges, s=0).outputs["pi"].shape == (5,)
    with pytest.raises(ValueError, match=r"dijkstra: networks run in float32, so A must .*, got 1e\+39"):
        predict("dijkstra", edges=[*edges, (0, 4, 1e39)], s=0)
    with pytest.raises(ValueError, match=r"dijkstra: the network's predictions are not numbers \(NaN\)"):
        predict("dijkstra", edges=[*edges, (0, 4, 1e38), (0, 3, 3e38)], s=0)


@pytest.mark.parametrize("rule", ["budget", pytest.param("learned", marks=pytest.mark.slow)])
def test_prediction_needs_no_labels(rule):
    """The algorithm runs to its end only if termination follows the trace."""
    arguments = instance_of("bfs")
    expected = predictor("bfs", rule)("bfs", *arguments)

    @functools.wraps(ALGORITHMS["bfs"].steps)
    def stopped(*arguments):
        yield next(ALGORITHMS["bfs"].steps(*arguments))
        raise AssertionError("the algorithm must not be run to its end")

    algorithm = dataclasses.replace(ALGORITHMS["bfs"], steps=stopped)
    prediction = predictor("bfs", rule)(algorithm, *arguments)
    assert prediction.steps == expected.steps
    np.testing.assert_array_equal(prediction.outputs["pi"], expected.outputs["pi"])
    if rule == "budget":
        assert prediction.steps == 5
    else:
        assert 1 <= prediction.steps <= 6
    with pytest.raises(AssertionError, match="to its end"):
        list(stopped(*arguments, np.zeros(5, int)))


@pytest.mark.parametrize("rule", RULES)
def test_num_steps_overrides_the_termination_rule(rule):
    """With the trace's number of steps, the predictions equal those of termination by the trace."""
    arguments = instance_of("bfs")
    for num_steps in (1, 4, 11):
        prediction = predictor("bfs", rule)("bfs", *arguments, num_steps=num_steps)
        assert prediction.steps == num_steps
        assert prediction.hints["reach_h"].shape == (num_steps + 1, 5)
    by_trace = predictor("bfs")("bfs", *arguments)
    given = predictor("bfs")("bfs", *arguments, num_steps=by_trace.steps)
    np.testing.assert_array_equal(given.hints["pi_h"], by_trace.hints["pi_h"])


def test_network_without_hints_predicts_outputs_only():
    prediction = predictor("bfs", hint_mode="none")("bfs", *instance_of("bfs"))
    assert prediction.hints == {}
    assert prediction.outputs["pi"].shape == (5,)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("dfs", {"A": [(0, 1)]}, "this network does not support 'dfs'; known: bfs"),
        ("bsf", {}, "unknown algorithm 'bsf'"),
        ("bfs", {"A": [(0, 1)]}, "bfs: missing argument 's'"),
        ("bfs", {"A": [(0, 1)], "s": 7}, "bfs: s must"),
        (
            "bfs",
            {"A": [(0, 1)], "s": 0, "num_steps": 0},
            "num_steps must be an integer from 1 to .*, got 0",
        ),
        ("bfs", {"A": [(0, 1)], "s": 0, "num_steps": 1.5}, "num_steps must be .*, got 1.5"),
        ("bfs", {"A": [(0, 1)], "s": 0, "num_steps": 10**9}, "num_steps must be .*, got 1000000000"),
    ],
)
def test_invalid_arguments_raise_value_error(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        predictor("bfs")(name, **arguments)


def chain(x, w):
    """A chain of matrix products, like that of messages, without use of the intermediate values."""
    return jnp.max(jax.nn.relu(jax.nn.relu(x @ w) @ w) @ w, axis=0)


def test_cpu_options_disable_fusion_of_matrix_products():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(64, 32)).astype("f"), rng.normal(size=(32, 32)).astype("f")
    default, without_fusion = (
        jax.jit(chain, compiler_options=options).lower(x, w).compile()
        for options in (None, compiler_options.options_for("cpu"))
    )
    assert "__ynn_fusion" not in str(without_fusion.as_text())
    np.testing.assert_allclose(without_fusion(x, w), default(x, w), rtol=1e-4)
    assert compiler_options.options_for("gpu") is None


def test_unsupported_compiler_options_are_dropped(monkeypatch):
    monkeypatch.setattr(compiler_options, "EIGEN", {"xla_cpu_of_another_version": ""})
    compiler_options._is_supported.cache_clear()
    try:
        assert compiler_options.options_for("cpu") is None
    finally:
        compiler_options._is_supported.cache_clear()


RANGES = {"dijkstra": lambda size: {"A": (0.0, 1.0)}, "insertion_sort": lambda size: {"A": (0.0, 1.0)}}
EDGES = [(0, 1, 0.25), (1, 2, 0.5), (0, 2, 1.0), (2, 3, 0.125)]


@functools.cache
def ranged_predictor(task):
    return Predictor(*network(task), ranges=RANGES)


@pytest.mark.slow
def test_weights_in_other_units_give_the_same_prediction():
    predict = ranged_predictor("dijkstra")
    expected = predict("dijkstra", edges=EDGES, s=0)
    assert expected.change is None
    for power in (10, -20, 100):
        factor = 2.0**power
        prediction = predict("dijkstra", edges=[(u, v, w * factor) for u, v, w in EDGES], s=0)
        assert prediction.change.factor == 1 / factor
        np.testing.assert_array_equal(prediction.outputs["pi"], expected.outputs["pi"])
        np.testing.assert_allclose(prediction.hints["d"], expected.hints["d"] * factor, rtol=1e-6)
    thousand = predict("dijkstra", edges=[(u, v, w * 1000) for u, v, w in EDGES], s=0)
    assert str(thousand.change) == "A * 0.000976562"


@pytest.mark.slow
def test_numbers_that_stay_out_of_range_get_a_warning():
    predict, larger = ranged_predictor("dijkstra"), [(u, v, 1000 * w) for u, v, w in EDGES]
    with pytest.warns(
        OutOfRangeWarning, match="dijkstra: A has numbers from 125 to 1000, in training .* 0 to 1"
    ):
        prediction = predict("dijkstra", edges=larger, s=0, scale_inputs=False)
    assert prediction.change is None
    with pytest.warns(OutOfRangeWarning, match="A has numbers from -1 to 3"):
        Predictor(*network("minimum"), ranges={"minimum": lambda size: {"A": (5.0, 5.0)}})(
            "minimum", [-1.0, 3.0]
        )


@pytest.mark.slow
def test_keys_are_moved_into_the_range():
    predict = ranged_predictor("insertion_sort")
    expected = predict("insertion_sort", [0.0, 1.0, 0.5, 0.25])
    prediction = predict("insertion_sort", [1700000000, 1700000400, 1700000200, 1700000100])
    assert str(prediction.change) == "(A - 1.7e+09) * 0.0025"
    np.testing.assert_array_equal(prediction.outputs["pred"], expected.outputs["pred"])


def test_without_ranges_nothing_is_changed():
    assert predictor("dijkstra")("dijkstra", edges=[(0, 1, 5.0)], s=0).change is None


@pytest.mark.slow
def test_number_of_programs_is_bounded(monkeypatch):
    """Sizes are compiled once each, and numbers of steps once per bucket."""
    monkeypatch.setattr("nar.evaluation.predictor.MAX_PROGRAMS", 2)
    model, params = network("bfs")
    predict = Predictor(model, params)
    for num_steps in (2, 3, 15):
        predict("bfs", A=[(0, 1)], s=0, num_steps=num_steps)
        assert predict.num_programs == 1
    for size in (3, 4, 5):
        predict("bfs", A=[(0, size - 1)], s=0, num_steps=2)
        assert predict.num_programs <= 2


@pytest.mark.parametrize(
    ("task", "rule"),
    [
        ("bfs", "trace"),
        ("bfs", "budget"),
        *(
            pytest.param(task, "trace", marks=pytest.mark.slow)
            for task in ("insertion_sort", "kmp_matcher", "floyd_warshall", "segments_intersect", "dfs")
        ),
    ],
)
def test_many_predictions_equal_single_ones(task, rule):
    """Problems of several sizes, which are padded to a bucket, and of one size, in any order."""
    problem = ALGORITHMS[task].problem
    sizes = [max(size, problem.min_size) for size in (7, 4, 5, 7)]
    problems = [problem.sample(np.random.RandomState(seed), size) for seed, size in enumerate(sizes)]
    predict = predictor(task, rule)
    named = [dict(zip(problem.arguments, one, strict=True)) for one in problems]
    together = predict.many(task, [problems[0], *named[1:]])
    for arguments, prediction in zip(problems, together, strict=True):
        alone = predict(task, *arguments)
        assert prediction.steps == alone.steps
        np.testing.assert_allclose(prediction.states, alone.states, rtol=1e-3, atol=1e-4)
        for expected, values in ((alone.outputs, prediction.outputs), (alone.hints, prediction.hints)):
            assert set(values) == set(expected)
            for name, value in expected.items():
                assert values[name].dtype == value.dtype
                np.testing.assert_allclose(values[name], value, rtol=1e-3, atol=1e-4, err_msg=name)


def test_many_predictions_share_a_program():
    predict = Predictor(*network("bfs"))
    chains = [{"edges": [(i, i + 1) for i in range(size - 1)], "s": 0} for size in (3, 8, 5, 6, 2)]
    predictions = predict.many("bfs", chains)
    assert predict.num_programs == 1
    assert [len(one.outputs["pi"]) for one in predictions] == [3, 8, 5, 6, 2]
    labeled = predict.many("bfs", [{"edges": [("a", "b"), ("b", "c")], "s": "a"}], num_steps=4)
    assert labeled[0].nodes == ("a", "b", "c")
    assert labeled[0].steps == 4
    assert predict.many("bfs", []) == []


def test_errors_of_many_problems_name_the_problem():
    predict = predictor("bfs")
    with pytest.raises(ValueError, match=r"problem 1: bfs: .*'t'"):
        predict.many("bfs", [{"edges": [(0, 1)], "s": 0}, {"edges": [(0, 1)], "t": 0}])
    with pytest.raises(ValueError, match="problem 0 must be a mapping of named arguments or a sequence"):
        predict.many("bfs", [3])
    with pytest.raises(ValueError, match="does not support 'dfs'"):
        predict.many("dfs", [])


def test_many_problems_that_overflow_are_named():
    edges = [(0, 1, 1.0), (1, 2, 2.0), (2, 3, 1.0), (3, 4, 1.0)]
    problems = [{"edges": one, "s": 0} for one in (edges, [*edges, (0, 4, 1e38), (0, 3, 3e38)])]
    with pytest.raises(ValueError, match="problem 1: dijkstra: the network's predictions are not numbers"):
        predictor("dijkstra").many("dijkstra", problems)
