"""Ensembles and uncertainty: formulas by hand, and members that agree."""

import dataclasses
import itertools
import types

import jax
import numpy as np
import pytest

import nar
from experiments.benchmarks.ensemble import FLAGS, find_members, measure
from nar.data import Transforms
from nar.evaluation import score_outputs
from nar.evaluation.ensemble import AVERAGES, Ensemble, logits_of
from nar.evaluation.uncertainty import auroc, calibration_error, measure_uncertainty
from nar.model import NetConfig, decode_soft, make_model
from nar.model.weight_uncertainty import WeightUncertainty
from nar.processors import MPNN
from nar.specs import MASKED, Kind, Location, Probe, Spec, Stage
from nar.traces import TraceBatch

TASKS = ("bfs", "dfs")
SPECS = {task: Transforms().spec(nar.ALGORITHMS[task]) for task in TASKS}
MODEL = make_model(NetConfig(MPNN, 8), SPECS)


def batch_of(task, size=5, count=3):
    return Transforms().apply(nar.ALGORITHMS[task], nar.sample_traces(task, size, count, 0))


@pytest.fixture(scope="module")
def members():
    batches = {task: batch_of(task) for task in TASKS}
    return [MODEL.init(jax.random.key(seed), batches) for seed in range(3)]


def test_average_of_outputs_is_the_mean_of_the_members(members):
    batch = batch_of("bfs")
    found = Ensemble(MODEL, members)("bfs", batch)
    probe = SPECS["bfs"]["pi"]
    apply = jax.jit(lambda params: MODEL.apply(params, None, "bfs", batch, False).outputs["pi"])
    alone = [decode_soft(probe, apply(one)) for one in members]
    np.testing.assert_allclose(found["pi"], np.mean(alone, axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["pi"].sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("average", AVERAGES)
def test_equal_members_are_one_network(members, average):
    batch = batch_of("bfs")
    one, many = (Ensemble(MODEL, [members[0]] * count, average)("bfs", batch) for count in (1, 3))
    np.testing.assert_allclose(one["pi"], many["pi"], rtol=1e-4, atol=1e-6)


def test_averaged_hints_reach_every_member(members):
    """Members that differ in the hints they would feed back predict otherwise when these are averaged."""
    batch = batch_of("dfs")
    outputs, hints = (Ensemble(MODEL, members, average)("dfs", batch)["pi"] for average in AVERAGES)
    assert np.abs(outputs - hints).max() > 1e-6


def test_members_of_one_seed_are_samples_of_its_weights(members):
    uncertain = dataclasses.replace(MODEL.config, weight_uncertainty=WeightUncertainty(0.1))
    params = make_model(uncertain, SPECS).init(jax.random.key(0), {task: batch_of(task) for task in TASKS})
    FLAGS.mark_as_parsed()
    components = types.SimpleNamespace(num_seeds=1)
    found = find_members(types.SimpleNamespace(graph_components=components, params=params))
    module = next(iter(params["processor"]))
    weights = [one["processor"][module]["w"] for one in [params, *found]]
    assert len(weights) == 6
    assert all(np.abs(a - b).max() > 0.01 for a, b in itertools.combinations(weights, 2))
    with pytest.raises(ValueError, match="needs a run with several seeds or weight uncertainty"):
        find_members(types.SimpleNamespace(graph_components=components, params=members[0]))


def test_invalid_ensembles_are_refused(members):
    with pytest.raises(ValueError, match="unknown average 'votes'; known: outputs, hints"):
        Ensemble(MODEL, members, "votes")
    with pytest.raises(ValueError, match="at least one member"):
        Ensemble(MODEL, [])
    spec = nar.ALGORITHMS["disjoint_set_union"].spec
    without_outputs = make_model(MODEL.config, {"disjoint_set_union": spec})
    with pytest.raises(ValueError, match="disjoint_set_union has no outputs"):
        Ensemble(without_outputs, members)("disjoint_set_union", batch_of("disjoint_set_union"))
    with pytest.raises(ValueError, match="there are no outputs to score"):
        score_outputs(spec, batch_of("disjoint_set_union"), {})


def test_logits_have_the_scores_of_their_probabilities():
    batch = batch_of("bfs")
    random = np.random.default_rng(0)
    logits = {"pi": jax.numpy.asarray(random.standard_normal((3, 5, 5)), jax.numpy.float32)}
    again = {
        name: logits_of(SPECS["bfs"][name], decode_soft(SPECS["bfs"][name], value))
        for name, value in logits.items()
    }
    assert score_outputs(SPECS["bfs"], batch, again) == score_outputs(SPECS["bfs"], batch, logits)


def test_auroc_equals_the_share_of_pairs_in_order():
    random = np.random.default_rng(0)
    score, positive = random.integers(0, 5, 60).astype(float), random.random(60) < 0.4
    pairs = [(p > n) + 0.5 * (p == n) for p in score[positive] for n in score[~positive]]
    assert auroc(score, positive) == pytest.approx(np.mean(pairs))
    assert np.isnan(auroc(score, np.zeros(60, bool)))


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.15, 0.15])
    is_right = np.array([True, False, False, False])
    assert calibration_error(confidence, is_right, 10) == pytest.approx((2 * 0.45 + 2 * 0.15) / 4)
    assert calibration_error(np.ones(3), np.ones(3, bool)) == 0


@pytest.mark.parametrize("kind", [Kind.POINTER, Kind.MASK_ONE, Kind.MASK])
def test_uncertainty_by_hand(kind):
    probe = Probe("out", Stage.OUTPUT, Location.NODE, kind)
    truth = {
        Kind.POINTER: np.array([[0, 1]]),
        Kind.MASK_ONE: np.array([[0, 1]]),
        Kind.MASK: np.array([[1, MASKED]]),
    }[kind]
    probabilities = {
        Kind.POINTER: np.array([[[0.8, 0.2], [0.7, 0.3]]]),
        Kind.MASK_ONE: np.array([[0.4, 0.6]]),
        Kind.MASK: np.array([[0.9, 0.1]]),
    }[kind]
    expected = {Kind.POINTER: [0.8, 0.3], Kind.MASK_ONE: [0.6], Kind.MASK: [0.9]}[kind]
    batch = TraceBatch({}, {}, {"out": truth}, np.ones(1, np.int32))
    found = measure_uncertainty(Spec([probe]), batch, {"out": probabilities})
    assert found.nll == pytest.approx(-np.log(expected).mean())
    if kind is Kind.POINTER:
        assert found.auroc == 1  # the wrong pointer has the larger entropy


def test_numbers_have_no_probabilities():
    spec = Spec([Probe("out", Stage.OUTPUT, Location.NODE, Kind.SCALAR)])
    batch = TraceBatch({}, {}, {"out": np.zeros((1, 2))}, np.ones(1, np.int32))
    with pytest.raises(ValueError, match="all outputs are numbers"):
        measure_uncertainty(spec, batch, {"out": np.zeros((1, 2))})


def test_feedback_of_members_needs_an_ensemble(members):
    config = dataclasses.replace(MODEL.config, hint_feedback="nar.evaluation.ensemble:feed_mean_of_members")
    alone = make_model(config, SPECS)
    with pytest.raises(NameError, match="members"):
        alone.apply(members[0], None, "bfs", batch_of("bfs"), False)


def test_benchmark_has_the_mean_member_and_both_ensembles(members):
    batch = batch_of("bfs", count=5)
    rows = list(measure(MODEL, members, "bfs", batch))
    assert [name for name, *_ in rows] == [
        "mean member", "ensemble, averaged outputs", "ensemble, averaged hints"
    ]  # fmt: skip
    alone = [
        score_outputs(SPECS["bfs"], batch, MODEL.apply(one, None, "bfs", batch, False).outputs)["score"]
        for one in members
    ]
    assert rows[0][1] == pytest.approx(np.mean(alone))
    assert all(0 <= score <= 1 and one.nll > 0 and 0 <= one.calibration_error <= 1 for _, score, one in rows)
