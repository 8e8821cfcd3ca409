"""Scores: one formula a kind, equal to dm-clrs's, pooled over all samples whatever the batches."""

import dataclasses

import every_kind
import jax
import numpy as np
import oracle
import pytest

import nar
from nar.data import FIRST_SUFFIX, Transforms, cyclic_predecessors, take
from nar.evaluation import (
    SCORES,
    Evaluator,
    decode_outputs,
    mean_score,
    score_outputs,
    score_predictions,
    score_sizes,
    score_split,
)
from nar.evaluation.scores import join_permutations
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.specs import Kind, Location, Spec, Stage
from nar.traces import CLRS30_SPLITS, clrs30_sample, sample_traces

NODES, BATCH = 4, 6
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)


# ---------------------------------------------------------------------------------------------------
# Each kind


def their_score(probe, truth, decided):
    kind = Kind.POINTER if probe.kind in (*INDICES, Kind.PERMUTATION_POINTER) else probe.kind

    def point(value):
        return oracle.probing.DataPoint(probe.name, probe.location.value, kind.value, value)

    return oracle.evaluation.evaluate((point(truth),), {probe.name: point(decided)})["score"]


@pytest.mark.parametrize("masked", [0.0, 0.5])
@pytest.mark.parametrize("num_nodes", [1, NODES])
@pytest.mark.parametrize(
    ("location", "kind"),
    [place for place in every_kind.PROBE_TYPES if place[1] is not Kind.PERMUTATION_POINTER],
)
def test_scores_are_those_of_dm_clrs(location, kind, num_nodes, masked):
    probe = every_kind.make_probe(Stage.OUTPUT, location, kind)
    random = np.random.default_rng(0)
    for _ in range(5):
        truth = every_kind.random_truth(random, probe, (BATCH,), num_nodes, masked)
        # Half right, half by chance.
        decided = every_kind.random_truth(random, probe, (BATCH,), num_nodes)
        decided[::2] = truth[::2]
        assert SCORES[kind](truth, decided) == pytest.approx(their_score(probe, truth, decided), abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "decided", "score"),
    [
        ([0, 0, 0], [0, 0, 0], 1.0),
        ([0, 0, 0], [0, 1, 0], 0.0),
        ([1, 1, 0], [0, 0, 0], 0.0),
        ([1, 1, 0], [1, 1, 0], 1.0),
        ([1, 1, 0], [1, 0, 1], 0.5),
        ([1, 1, 0, -1], [1, 0, 1, 1], 0.5),
        ([-1, -1], [1, 0], 1.0),
    ],
)
def test_micro_f1(truth, decided, score):
    probe = every_kind.make_probe(Stage.OUTPUT, Location.NODE, Kind.MASK)
    truth, decided = np.array([truth]), np.array([decided])
    assert SCORES[Kind.MASK](truth, decided) == pytest.approx(score)
    assert their_score(probe, truth, decided) == pytest.approx(score)


def test_micro_f1_is_pooled_over_samples():
    truth = np.array([[1, 0, 0, 0], [1, 1, 1, 1]])
    decided = np.array([[0, 1, 0, 0], [1, 1, 1, 1]])
    assert SCORES[Kind.MASK](truth, decided) == pytest.approx(2 * 4 / (5 + 5))


@pytest.mark.parametrize("kind", [Kind.MASK_ONE, Kind.CATEGORICAL])
def test_masked_classes_do_not_count(kind):
    truth = np.array([[1, 0, 0], [-1, -1, -1], [0, 0, 1], [0, 1, 0]])
    decided = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]])
    assert SCORES[kind](truth, decided) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", [Kind.MASK_ONE, Kind.CATEGORICAL])
def test_nothing_to_predict_is_all_right(kind):
    """As for masks; dm-clrs divides zero by zero."""
    assert SCORES[kind](np.full((2, 3), -1), np.eye(3)[:2]) == 1.0


# ---------------------------------------------------------------------------------------------------
# Whole specs


@pytest.mark.parametrize("name", nar.ALGORITHMS)
def test_truth_scores_full_marks(name):
    algorithm = nar.ALGORITHMS[name]
    traces = sample_traces(name, max(5, algorithm.problem.min_size), BATCH, 0)
    transforms = Transforms()
    spec, batch = transforms.spec(algorithm), transforms.apply(algorithm, traces)
    decided = join_permutations(spec, batch.outputs)
    assert set(decided) == set(traces.outputs)
    for output, value in traces.outputs.items():
        np.testing.assert_array_equal(decided[output], value)
    scores = score_predictions(spec, batch.outputs, decided)
    assert scores == dict.fromkeys([*traces.outputs, "score"], 1.0)


def test_cyclic_permutations_can_be_joined_again():
    random = np.random.default_rng(0)
    orders = random.permuted(np.broadcast_to(np.arange(7), (20, 7)), axis=1)
    pointers = np.empty_like(orders)
    np.put_along_axis(pointers, orders, np.concatenate([orders[:, :1], orders[:, :-1]], axis=1), axis=1)
    cyclic, first = cyclic_predecessors(pointers)
    spec = Spec(
        [
            every_kind.make_probe(Stage.OUTPUT, Location.NODE, Kind.PERMUTATION_POINTER),
            every_kind.make_probe(Stage.OUTPUT, Location.NODE, Kind.MASK_ONE),
        ]
    )
    name, first_name = spec
    assert first_name == name + FIRST_SUFFIX
    values = {name: cyclic, first_name: first}
    joined = join_permutations(spec, values)
    assert list(joined) == [name]
    np.testing.assert_array_equal(joined[name], pointers)
    assert list(values) == [name, first_name]


def sure_logits(probe, truth):
    """Logits of which the truth is the decision."""
    if probe.kind is Kind.SCALAR:
        return truth.astype(np.float32)
    if probe.kind in INDICES:
        truth = truth[..., None] == np.arange(NODES)
    return (10 * (truth == 1) - 5).astype(np.float32)


def test_sure_predictions_score_full_marks():
    spec, batch = every_kind.SPEC, every_kind.random_batch(0, batch_size=BATCH, num_nodes=NODES)
    logits = {probe.name: sure_logits(probe, batch.outputs[probe.name]) for probe in spec.outputs}
    decided = decode_outputs(spec, logits)
    truth = join_permutations(spec, batch.outputs)
    assert set(decided) == set(truth)
    for name, value in truth.items():
        assert decided[name].shape == value.shape, name
        np.testing.assert_allclose(decided[name], value, rtol=1e-6, err_msg=name)
    scores = score_outputs(spec, batch, logits)
    errors = {probe.name for probe in spec.outputs if probe.kind is Kind.SCALAR}
    assert all(scores[name] == pytest.approx(0 if name in errors else 1, abs=1e-6) for name in truth)
    assert scores["score"] == pytest.approx(np.mean([scores[name] for name in truth]))


# ---------------------------------------------------------------------------------------------------
# The evaluator

TASKS = ("bfs", "insertion_sort")


@pytest.fixture(scope="module")
def network():
    """A network that was never trained, and so is right by chance, which tells samples apart."""
    transforms = Transforms()
    specs = {task: transforms.spec(nar.ALGORITHMS[task]) for task in TASKS}
    model = make_model(NetConfig(MPNN, 8), specs)
    batches = {
        task: transforms.apply(nar.ALGORITHMS[task], sample_traces(task, 4, 2, seed=0)) for task in TASKS
    }
    shapes = jax.eval_shape(model.init, jax.random.key(0), batches)
    random = np.random.default_rng(0)
    params = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype(np.float32), shapes)
    return model, params


@pytest.mark.parametrize(
    "task", [pytest.param(task, marks=pytest.mark.slow if task != TASKS[0] else ()) for task in TASKS]
)
def test_results_do_not_depend_on_the_size_of_batches(network, task):
    model, params = network
    traces = sample_traces(task, 5, 7, seed=0)
    batch = Transforms().apply(nar.ALGORITHMS[task], traces)
    results = {}
    for batch_size in (7, 3):
        evaluator = Evaluator(model, Transforms(), batch_size)
        results[batch_size] = (
            evaluator.predict(params, task, batch).outputs,
            evaluator.score(params, task, traces),
        )
    for decided, scores in results.values():
        assert scores == results[7][1]
        for name, value in decided.items():
            np.testing.assert_array_equal(value, results[7][0][name])
    assert 0 < results[7][1]["score"] < 1


def test_so_many_are_predicted_at_once(network):
    model, params = network
    seen = []

    def apply(params, key, task, batch, *rest):
        seen.append(batch.batch_size)
        return model.apply(params, key, task, batch, *rest)

    evaluator = Evaluator(dataclasses.replace(model, apply=apply), Transforms(), batch_size=3)
    evaluator.score(params, "bfs", sample_traces("bfs", 5, 7, seed=0))
    assert set(seen) == {3}


def test_order_is_kept(network):
    """Each sample's decision is the one that it gets alone."""
    model, params = network
    batch = Transforms().apply(nar.ALGORITHMS["bfs"], sample_traces("bfs", 5, 7, seed=0))
    evaluator = Evaluator(model, Transforms(), batch_size=3)
    together = evaluator.predict(params, "bfs", batch).outputs["pi"]
    assert len({tuple(row) for row in together}) > 3
    for index in range(7):
        alone = evaluator.predict(params, "bfs", take(batch, slice(index, index + 1))).outputs["pi"]
        np.testing.assert_array_equal(alone, together[index : index + 1])


def test_the_evaluator_reads_no_answers(network):
    """Later hints may be missing, and outputs too."""
    model, params = network
    batch = Transforms().apply(nar.ALGORITHMS["bfs"], sample_traces("bfs", 5, 3, seed=0))
    evaluator = Evaluator(model, Transforms(), batch_size=3)
    expected = evaluator.predict(params, "bfs", batch).outputs["pi"]
    garbage = {name: np.concatenate([value[:1], 7 - value[1:]]) for name, value in batch.hints.items()}
    other = type(batch)(batch.inputs, garbage, {"pi": 0 * batch.outputs["pi"]}, batch.lengths)
    np.testing.assert_array_equal(evaluator.predict(params, "bfs", other).outputs["pi"], expected)


def test_the_evaluator_compiles_once_for_a_bucket(network):
    model, params = network
    evaluator = Evaluator(model, Transforms(), batch_size=4)
    lengths = set()
    for seed in range(4):
        traces = sample_traces("bfs", 5, 7, seed=seed)
        lengths.add(traces.num_steps)
        evaluator.score(params, "bfs", traces)
    assert len(lengths) > 1
    assert evaluator.num_programs == 1


def test_scores_by_task_and_size(network, monkeypatch):
    model, params = network
    asked = []

    def score(params, task, traces):
        asked.append((task, traces))
        return {"score": float(len(asked))}

    evaluator = Evaluator(model, Transforms())
    monkeypatch.setattr(evaluator, "score", score)
    scores = score_sizes(evaluator, params, [4, 6], seed=5)
    assert scores == {
        "bfs": {"4": {"score": 1.0}, "6": {"score": 2.0}},
        "insertion_sort": {"4": {"score": 3.0}, "6": {"score": 4.0}},
    }
    assert mean_score(scores) == 2.5
    task, traces = asked[1]
    np.testing.assert_array_equal(traces.inputs["A"], clrs30_sample("bfs", 6, 32, 5).inputs["A"])
    asked.clear()
    split = CLRS30_SPLITS["val"]
    scores = score_split(evaluator, params, "val")
    assert {task: list(sizes) for task, sizes in scores.items()} == {
        task: [str(split.size)] for task in TASKS
    }
    task, traces = asked[0]
    np.testing.assert_array_equal(traces.inputs["A"], nar.clrs30_split(task, "val").inputs["A"])
