"""Discrete reasoners: exact choices, the same on graphs of any size, that are learned in seconds."""

import itertools

import jax
import numpy as np
import pytest

import nar
from configs import discrete as recipe
from nar.data import Transforms, pad_nodes
from nar.evaluation import Predictor
from nar.model import NetConfig, make_model
from nar.processors.discrete import Discrete
from nar.traces.neighbors import with_neighbors

HIDDEN = 16


def network(task, hidden_size=HIDDEN, **options):
    """A model of `configs/discrete.py`, and random parameters."""
    choice = {**recipe.CHOICES[task], **options}
    config = NetConfig(
        lambda size: Discrete(size, **choice), hidden_size, hint_feedback="hard_on_eval", pairs="edges"
    )
    model = make_model(config, {task: Transforms().spec(nar.ALGORITHMS[task])})
    batch = batch_of(task)
    return model, jax.jit(model.init)(jax.random.key(0), {task: batch})


def batch_of(task, size=7, count=4):
    algorithm = nar.ALGORITHMS[task]
    return Transforms().apply(algorithm, nar.sample_traces(task, size, count, 3, p=(0.6,)))


@pytest.mark.parametrize("task", ["discrete_dijkstra", "bfs"])
def test_training_equals_in_both_layouts(task):
    """The softmax of training, whose temperature depends on the training step, and padding nodes."""
    model, params = network(task)
    spec = model.specs[task]
    dense = pad_nodes(batch_of(task), spec, 9)
    apply = jax.jit(
        lambda batch, step: (
            model.apply(params, jax.random.key(1), task, batch, True, training_step=step).hints
        ),
        static_argnums=1,
    )
    early, late = apply(dense, 0), apply(dense, 400)
    sparse = apply(with_neighbors(dense, spec), 400)
    real = np.arange(9) < 7
    np.testing.assert_allclose(sparse["reach_h"][..., real], late["reach_h"][..., real], rtol=1e-4, atol=1e-4)
    assert np.abs(np.asarray(early["reach_h"] - late["reach_h"])).max() > 1e-3


def test_distances_are_those_of_the_chosen_paths():
    """A number at a node is either kept, or that of a sender plus the weight of an edge, exactly."""
    model, params = network("discrete_dijkstra")
    batch = batch_of("discrete_dijkstra")
    d = model.apply(params, None, "discrete_dijkstra", batch, False).hints["d"]
    before = np.zeros_like(d[0])
    for step in np.asarray(d):
        paths = before[:, :, None] + np.asarray(batch.inputs["A"], np.float32)
        is_path = (step[:, None] == paths) & (batch.inputs["adj"] > 0)
        assert ((step == before) | is_path.any(axis=1)).all()
        assert ((step != before).sum(axis=1) <= 1).all()
        before = step


def test_choices_do_not_depend_on_the_scale_of_numbers():
    predict = Predictor(*network("discrete_mst_prim"))
    edges = [(0, 1, 0.5), (1, 2, 0.25), (0, 2, 0.75), (2, 3, 0.125)]
    scaled = [(u, v, 2**20 * w) for u, v, w in edges]
    one, other = (predict("discrete_mst_prim", edges=x, s=0) for x in (edges, scaled))
    for name, value in one.hints.items():
        np.testing.assert_array_equal(other.hints[name], value)


def test_every_parameter_gets_a_gradient_in_training():
    model, params = network("discrete_dijkstra")
    batch = batch_of("discrete_dijkstra")

    def loss(params):
        predictions = model.apply(params, jax.random.key(1), "discrete_dijkstra", batch, True)
        return sum((value**2).mean() for value in jax.tree.leaves((predictions.hints, predictions.outputs)))

    for path, gradient in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(params)):
        assert np.abs(gradient).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize("task", ["discrete_dfs", "discrete_dijkstra"])
def test_padding_nodes_are_never_chosen(task):
    predict = Predictor(*network(task))
    edges = [(0, 1, 0.5), (1, 2, 0.25), (2, 3, 0.125)]
    problem = {"edges": edges} if task == "discrete_dfs" else {"edges": edges, "s": 0}
    alone, padded = predict(task, num_steps=9, **problem), predict.many(task, [problem], num_steps=9)[0]
    for name, value in alone.hints.items():
        np.testing.assert_array_equal(padded.hints[name], value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"attention": "sender"}, "attention 'sender'.*receiver, global"),
        ({"score": "weight"}, "score 'weight'.*sender, receiver, edge, path"),
        ({"end_temperature": 5.0}, "end_temperature must lie between 0 and start_temperature"),
        ({"annealing_steps": 0}, "annealing_steps"),
    ],
)
def test_invalid_options(options, message):
    with pytest.raises(ValueError, match=message):
        network("bfs", **options)


def test_a_score_without_its_number_is_an_error():
    with pytest.raises(ValueError, match="exactly one number at nodes besides positions, got none"):
        network("discrete_mst_prim", score="path")


@pytest.mark.parametrize("wrapper", [{"lstm": True}, {"dropout": 0.5}, {"message_passing_steps": 2}])
def test_wrappers_that_would_encode_numbers_are_errors(wrapper):
    """Numbers would reach the network as features, and the choice would ignore them."""
    config = NetConfig(lambda size: Discrete(size), HIDDEN, **wrapper)
    model = make_model(config, {"bfs": Transforms().spec(nar.ALGORITHMS["bfs"])})
    with pytest.raises(ValueError, match="Discrete needs numbers as they are .* lstm"):
        jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch_of("bfs")})


@pytest.mark.slow
@pytest.mark.parametrize("task", ["bfs", "discrete_dijkstra"])
def test_recipe_learns_every_transition(task, tmp_path):
    """After training on at most sixteen nodes, answers are exact on graphs of 40 nodes.

    And all transitions on graphs of four nodes are those of the algorithm: each graph, each source, each
    order of three weights, which covers each pair of states that a step can compare.
    """
    config = recipe.get_config(task).to_dict()
    config["training"] |= {"steps": 300, "eval_every": 100}
    config["model"]["hidden_size"] = 32
    config["model"]["processor_options"]["annealing_steps"] = 300
    config["evaluation"]["test"] |= {"sizes": (40,), "count": 5}
    run = nar.train(nar.RunConfig().merged(config), tmp_path)
    for name, scores in run.result["scores"]["test"][task].items():
        assert scores["exact"] == 1.0, name
    problems = list(small_problems(task))
    predictions = nar.load_run(tmp_path, execution="dense").predict_many(task, problems, scale_inputs=False)
    for problem, prediction in zip(problems, predictions, strict=True):
        trace = nar.run_algorithm(task, **problem)
        for name in ("reach_h", "pi_h"):
            np.testing.assert_array_equal(
                prediction.hints[name][: trace.length], trace.hints[name], str(problem)
            )


def small_problems(task):
    """All undirected graphs of four nodes, with each source, or for weighted ones with orders of weights."""
    pairs = list(itertools.combinations(range(4), 2))
    random = np.random.default_rng(0)
    for chosen in itertools.product((0, 1), repeat=len(pairs)):
        matrix = np.zeros((4, 4))
        for present, (u, v) in zip(chosen, pairs, strict=True):
            matrix[u, v] = matrix[v, u] = present
        if task in ("discrete_dijkstra", "discrete_mst_prim"):
            weights = random.permutation(np.arange(1, 17) / 16).reshape(4, 4)
            matrix *= np.maximum(weights, weights.T)
        if task == "discrete_dfs":
            yield {"matrix": matrix}
        else:
            yield from ({"matrix": matrix, "s": s} for s in range(4))
