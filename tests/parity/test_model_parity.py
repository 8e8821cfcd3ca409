"""Parity of whole models with dm-clrs, given the same parameters and batch."""

import jax
import numpy as np
import oracle
import pytest
import tasks
from matched_models import SIZE, assert_same_loss_and_gradients, assert_same_predictions, make_matched_models

from nar import ALGORITHMS
from nar.evaluation import score_outputs
from nar.losses import losses_by_probe
from nar.model import Predictions
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.specs import Kind


def cycle_algorithms(processors, algorithms, start):
    """Pairs each processor with an algorithm, cycling through the algorithms."""
    return [(algorithms[k % len(algorithms)], name) for k, name in enumerate(processors, start)]


def mark_slow(fast, slow):
    """Parametrizes over pairs (task, processor); those that are only in `slow` are marked slow."""
    rest = [pair for pair in dict.fromkeys(slow) if pair not in fast]
    pairs = [*fast, *(pytest.param(pair, marks=pytest.mark.slow) for pair in rest)]
    return pytest.mark.parametrize("pair", pairs, ids="-".join)


IN_DM_CLRS = {name: one for name, one in ALGORITHMS.items() if name in oracle.specs.SPECS}
SORTING = [
    name
    for name, algorithm in IN_DM_CLRS.items()
    if Kind.SHOULD_BE_PERMUTATION in {probe.kind for probe in algorithm.spec.outputs}
]
FAST = [
    # Together these cover every location and kind of CLRS-30, except permutations.
    ("lcs_length", "deepsets"),
    ("matrix_chain_order", "mpnn"),
    ("segments_intersect", "pgn"),
    ("task_scheduling", "gat"),
    # Masked node pointers.
    ("bfs", "pgn_mask"),
]
SLOW = [
    *((task, "triplet_gmpnn") for task in IN_DM_CLRS),
    *cycle_algorithms(sorted(set(LAYOUTS) - {"triplet_gmpnn"}), tasks.COVERING, start=0),
    # Masked permutations and edge masks.
    ("insertion_sort", "triplet_gpgn_mask"),
    ("mst_kruskal", "gpgn_mask"),
]


@mark_slow(FAST, SLOW)
def test_same_predictions_and_scores(pair):
    models = make_matched_models(*pair)
    ours, theirs = models.our_evaluation, models.their_evaluation
    assert_same_predictions(ours, theirs, models.batch.lengths)
    if pair == ("insertion_sort", "memnet_full"):
        return  # All permutations are equally probable, so that rounding errors decide the score.
    with oracle.relaxed():
        decoded = oracle.decoders.postprocess(models.theirs._spec[0], theirs.outputs, 0.1, 50, hard=True)
        their_score = oracle.clrs.evaluate(models.feedback.outputs, decoded)
    scores = score_outputs(models.model.specs[models.task], models.batch, ours.outputs)
    assert scores["score"] == pytest.approx(their_score["score"], abs=1e-6)


@pytest.mark.slow
@mark_slow(
    [("bellman_ford", "pgn")],
    [
        *((task, "triplet_gmpnn") for task in tasks.COVERING if task not in SORTING),
        *cycle_algorithms(
            ("deepsets", "gat", "gatv2_full", "memnet_masked", "triplet_mpnn"),
            [task for task in tasks.COVERING if task not in SORTING],
            start=0,
        ),
        ("bfs", "pgn_mask"),
        ("mst_kruskal", "triplet_pgn_mask"),
    ],
)
def test_same_losses_and_gradients(pair):
    """Covers training without sorting tasks, whose predictions have Gumbel noise.

    Gradients are those of the functions whose values are compared for every algorithm above.
    """
    models = make_matched_models(*pair)
    assert_same_loss_and_gradients(models)
    ours, theirs = models.our_training, models.their_training
    assert_same_predictions(ours.predicted, theirs.predicted, models.batch.lengths)


@mark_slow([], [("heapsort", "gatv2"), *((task, "triplet_gmpnn") for task in SORTING)])
def test_same_permutation_losses_without_noise(pair):
    """Compares losses on the predictions in evaluation, which have no Gumbel noise."""
    models = make_matched_models(*pair)
    features = models.feedback.features

    def their_losses(outputs, hints):
        return {
            truth.name: oracle.losses.output_loss(truth, outputs[truth.name], SIZE)
            for truth in models.feedback.outputs
        } | {
            truth.name: oracle.losses.hint_loss(truth, list(hints[truth.name]), features.lengths, SIZE)
            for truth in features.hints
        }

    with oracle.relaxed():
        expected = jax.jit(their_losses)(*models.their_evaluation)
    steps = np.maximum(models.batch.lengths - 1, 1)
    ours = Predictions(*models.our_evaluation, losses={}, steps=steps)
    spec = models.model.specs[models.task]
    losses = jax.jit(losses_by_probe, static_argnums=0)(spec, models.batch, ours)
    assert Kind.PERMUTATION_POINTER in {probe.kind for probe in spec.outputs}
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), name
