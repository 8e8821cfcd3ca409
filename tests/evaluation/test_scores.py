"""Scores: one formula per kind, that of dm-clrs except for scalars, pooled over all samples."""

import dataclasses
import re

import every_kind
import numpy as np
import oracle
import pytest

import nar
from experiments.examples.tarjan import TARJAN_SCC
from nar.algorithms import register
from nar.data import FIRST_SUFFIX, Transforms
from nar.data.transforms import cyclic_predecessors
from nar.evaluation import (
    SCORES,
    InferenceResult,
    decode_outputs,
    score_outputs,
    score_predictions,
)
from nar.evaluation.decoding import join_permutations
from nar.evaluation.metrics import valid
from nar.evaluation.scores import score_result
from nar.specs import Kind, Location, Probe, Spec, Stage
from nar.traces import check_algorithm, sample_traces

NODES, BATCH = 4, 6
INDICES = (Kind.POINTER, Kind.SHOULD_BE_PERMUTATION)


# ---------------------------------------------------------------------------------------------------
# By kind


def dm_clrs_score(probe, truth, predicted):
    kind = Kind.POINTER if probe.kind in (*INDICES, Kind.PERMUTATION_POINTER) else probe.kind

    def point(value):
        return oracle.probing.DataPoint(probe.name, probe.location.value, kind.name, value)

    return oracle.evaluation.evaluate((point(truth),), {probe.name: point(predicted)})["score"]


@pytest.mark.parametrize("masked", [0.0, 0.5])
@pytest.mark.parametrize("num_nodes", [1, NODES])
@pytest.mark.parametrize(
    ("location", "kind"),
    [place for place in every_kind.PROBE_TYPES if place[1] is not Kind.PERMUTATION_POINTER],
)
def test_scores_equal_those_of_dm_clrs(location, kind, num_nodes, masked):
    probe = every_kind.make_probe(Stage.OUTPUT, location, kind)
    random = np.random.default_rng(0)
    for _ in range(5):
        truth = every_kind.random_truth(random, probe, (BATCH,), num_nodes, masked)
        # Half correct, half random.
        predicted = every_kind.random_truth(random, probe, (BATCH,), num_nodes)
        predicted[::2] = truth[::2]
        score = SCORES[kind](truth, predicted)
        assert 0 <= score <= 1
        if kind is not Kind.SCALAR:  # dm-clrs has an error, the lower the better
            assert score == pytest.approx(dm_clrs_score(probe, truth, predicted), abs=1e-6)


@pytest.mark.parametrize(
    ("truth", "predicted", "score"),
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
def test_micro_f1(truth, predicted, score):
    probe = every_kind.make_probe(Stage.OUTPUT, Location.NODE, Kind.MASK)
    truth, predicted = np.array([truth]), np.array([predicted])
    assert SCORES[Kind.MASK](truth, predicted) == pytest.approx(score)
    assert dm_clrs_score(probe, truth, predicted) == pytest.approx(score)


def test_micro_f1_is_pooled_over_samples():
    truth = np.array([[1, 0, 0, 0], [1, 1, 1, 1]])
    predicted = np.array([[0, 1, 0, 0], [1, 1, 1, 1]])
    assert SCORES[Kind.MASK](truth, predicted) == pytest.approx(2 * 4 / (5 + 5))


@pytest.mark.parametrize("kind", [Kind.MASK_ONE, Kind.CATEGORICAL])
def test_masked_classes_are_ignored(kind):
    truth = np.array([[1, 0, 0], [-1, -1, -1], [0, 0, 1], [0, 1, 0]])
    predicted = np.array([[1, 0, 0], [1, 0, 0], [0, 0, 1], [0, 0, 1]])
    assert SCORES[kind](truth, predicted) == pytest.approx(2 / 3)


@pytest.mark.parametrize("kind", [Kind.MASK_ONE, Kind.CATEGORICAL])
def test_fully_masked_truth_scores_one(kind):
    """The same convention as for masks; dm-clrs divides zero by zero."""
    assert SCORES[kind](np.full((2, 3), -1), np.eye(3)[:2]) == 1.0


@pytest.mark.parametrize(
    ("truth", "predicted", "score"),
    [
        ([0.5, 0.5, 0.5, 0.5], [0.5, 0.549, 0.451, 0.56], 0.75),
        ([100.0, -100.0], [104.9, -105.1], 0.5),
        ([0.0, 1.0], [np.nan, np.inf], 0.0),
        ([0.0, 1.0], [1e6, -1e6], 0.0),
    ],
)
def test_scalars_are_correct_within_the_tolerance(truth, predicted, score):
    assert SCORES[Kind.SCALAR](np.array(truth), np.array(predicted)) == score


def test_samples_with_nan_score_nothing():
    """Also where what NaN decodes to is the truth by accident: no positives, pointers to node 0."""
    algorithm = nar.ALGORITHMS["bfs"]
    truth = {"pi": np.array([[0, 0, 0], [0, 0, 1]])}
    assert score_predictions(algorithm.spec, truth, truth)["score"] == 1
    for has_nan, score in (([False, False], 1), ([True, False], 0.5), ([True, True], 0)):
        scores = score_predictions(algorithm.spec, truth, truth, np.array(has_nan))
        assert scores == {"pi": score, "score": score}


# ---------------------------------------------------------------------------------------------------
# Whole specs


@pytest.mark.parametrize("name", nar.ALGORITHMS)
def test_truth_has_a_perfect_score(name):
    algorithm = nar.ALGORITHMS[name]
    traces = sample_traces(name, max(5, algorithm.problem.min_size), BATCH, 0)
    transforms = Transforms()
    spec, batch = transforms.spec(algorithm), transforms.apply(algorithm, traces)
    predicted = join_permutations(spec, batch.outputs)
    assert set(predicted) == set(traces.outputs)
    for output, value in traces.outputs.items():
        np.testing.assert_array_equal(predicted[output], value)
    answers = {probe.name: batch.hints[probe.name][1:] for probe in spec.answers}
    steps = batch.lengths - 1
    result = InferenceResult(name, spec, batch, predicted, steps, {}, None, answers=answers)
    assert score_result(result) == dict.fromkeys([*traces.outputs, *answers, "score"], 1.0)
    if not answers:
        assert score_predictions(spec, batch.outputs, predicted) == score_result(result)


def test_join_permutations_inverts_cyclic_predecessors():
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


def confident_logits(probe, truth):
    """Logits that decode to the truth."""
    if probe.kind is Kind.SCALAR:
        return truth.astype(np.float32)
    if probe.kind in INDICES:
        truth = truth[..., None] == np.arange(NODES)
    return (10 * (truth == 1) - 5).astype(np.float32)


def test_confident_correct_logits_have_a_perfect_score():
    spec, batch = every_kind.SPEC, every_kind.random_batch(0, batch_size=BATCH, num_nodes=NODES)
    logits = {probe.name: confident_logits(probe, batch.outputs[probe.name]) for probe in spec.outputs}
    predicted = decode_outputs(spec, logits)
    truth = join_permutations(spec, batch.outputs)
    assert set(predicted) == set(truth)
    for name, value in truth.items():
        assert predicted[name].shape == value.shape, name
        np.testing.assert_allclose(predicted[name], value, rtol=1e-6, err_msg=name)
    scores = score_outputs(spec, batch, logits)
    assert scores == dict.fromkeys([*truth, "score"], 1.0)


# ---------------------------------------------------------------------------------------------------
# Scores and checkers of an algorithm's own


def result_of(algorithm, outputs, **options):
    """Predictions for three instances of an algorithm that has pointers `pi` or `scc`."""
    register(algorithm)
    batch = Transforms().apply(algorithm, sample_traces(algorithm, 5, 3, seed=0, **options))
    outputs = batch.outputs if outputs is None else outputs
    return InferenceResult(algorithm.name, algorithm.spec, batch, outputs, batch.lengths, {}, None)


def share_of_node_0(inputs, truth, predicted):
    assert set(inputs) >= {"pos", "adj"} and inputs["pos"].shape == (5,) and set(truth) == {"pi"}
    return (predicted["pi"] == 0).mean()


def test_an_algorithm_may_have_a_score_of_its_own():
    algorithm = dataclasses.replace(nar.ALGORITHMS["bfs"], name="scored", score=share_of_node_0)
    outputs = {"pi": np.array([[0, 0, 0, 0, 0], [0, 0, 0, 0, 1], [1, 1, 1, 1, 1]])}
    result = result_of(algorithm, outputs)
    scores = score_result(result)
    assert scores["score"] == pytest.approx((1 + 0.8 + 0) / 3)
    plain = score_predictions(result.spec, result.batch.outputs, outputs)
    assert scores["pi"] == plain["pi"] == plain["score"] != scores["score"]
    with_nan = dataclasses.replace(result, has_nan=np.array([True, False, False]))
    assert score_result(with_nan)["score"] == pytest.approx(0.8 / 3)


@pytest.mark.parametrize("value", [1.5, -0.1, np.nan, np.inf, None, "high"])
def test_own_scores_are_from_0_to_1(value):
    algorithm = dataclasses.replace(nar.ALGORITHMS["bfs"], name="scored", score=lambda *instance: value)
    with pytest.raises(ValueError, match=f"scored: a score must be a number from 0 to 1, got {value!r}"):
        score_result(result_of(algorithm, None))


@pytest.mark.parametrize("value", [4.4, -0.1, np.nan, "high", [True]])
def test_scores_of_custom_kinds_are_from_0_to_1(value):
    kind = dataclasses.replace(Kind.SCALAR, name="squared", functions={"score": lambda *values: value})
    spec = Spec([Probe("out", Stage.OUTPUT, Location.NODE, kind)])
    outputs = {"out": np.zeros((1, 3))}
    message = f"out: the score of kind squared must be a number from 0 to 1, got {value!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        score_predictions(spec, outputs, outputs)


def test_values_of_another_shape_have_no_score():
    spec = Spec([Probe("out", Stage.OUTPUT, Location.NODE, Kind.MASK)])
    with pytest.raises(ValueError, match=r"out: kind mask decodes values of the shape \[2, 4, 1\], the true"):
        score_predictions(spec, {"out": np.zeros((2, 4))}, {"out": np.zeros((2, 4, 1))})


def test_an_algorithm_may_have_a_checker_of_its_own():
    result = result_of(TARJAN_SCC, None, p=0.4)
    assert valid(result).all() and score_result(result)["score"] == 1
    # Another node of each component as its root, where there is one.
    truth = result.batch.outputs["scc"]
    last = np.array([[max(np.flatnonzero(row == root)) for root in row] for row in truth])
    assert (last != truth).any()
    other = dataclasses.replace(result, outputs={"scc": last})
    assert valid(other).all() and score_result(other)["score"] < 1
    wrong = dataclasses.replace(result, outputs={"scc": np.zeros_like(truth)})
    assert not valid(wrong).all()
    outside = dataclasses.replace(result, outputs={"scc": (truth + 1) % 5})
    assert not valid(outside).all()


@pytest.mark.parametrize("name", ["valid", "score"])
def test_wrong_functions_of_an_algorithm_are_found(name):
    with pytest.raises(ValueError, match=f"bfs: {name} must be a function, got 3"):
        dataclasses.replace(nar.ALGORITHMS["bfs"], **{name: 3})
    strict = dataclasses.replace(nar.ALGORITHMS["bfs"], **{name: lambda *instance: 0})
    with pytest.raises(AssertionError, match=f"{name} of the true outputs must be .*, got 0"):
        check_algorithm(strict, sizes=(2,))
