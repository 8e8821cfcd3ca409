"""Networks of dm-clrs and ours, with the same parameters and batch, compute the same."""

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


def in_turn(processors, algorithms, start):
    """Each processor with one of the algorithms, which are taken in turn."""
    return [(algorithms[k % len(algorithms)], name) for k, name in enumerate(processors, start)]


def quick_first(quick, others):
    """Pairs (task, processor) as parameters; all but the quick ones are marked slow."""
    rest = [pair for pair in dict.fromkeys(others) if pair not in quick]
    pairs = [*quick, *(pytest.param(pair, marks=pytest.mark.slow) for pair in rest)]
    return pytest.mark.parametrize("pair", pairs, ids="-".join)


ORDERING = [
    name
    for name, algorithm in ALGORITHMS.items()
    if Kind.SHOULD_BE_PERMUTATION in {probe.kind for probe in algorithm.spec.outputs}
]
QUICK = [
    # Together they have every location and kind of CLRS-30.
    ("heapsort", "gatv2"),
    ("lcs_length", "deepsets"),
    ("matrix_chain_order", "mpnn"),
    ("segments_intersect", "pgn"),
    ("task_scheduling", "gat"),
    # Pointers of nodes that are masked.
    ("bfs", "pgn_mask"),
]
OTHERS = [
    *((task, "triplet_gmpnn") for task in ALGORITHMS),
    *in_turn(sorted(set(LAYOUTS) - {"triplet_gmpnn"}), tasks.COVERING, start=0),
    *in_turn(sorted(set(LAYOUTS) - {"triplet_gmpnn"}), tasks.COVERING, start=4),
    # Permutations and edge masks that are masked.
    ("insertion_sort", "triplet_gpgn_mask"),
    ("mst_kruskal", "gpgn_mask"),
]


@quick_first(QUICK, OTHERS)
def test_same_predictions_and_scores(pair):
    models = make_matched_models(*pair)
    ours, theirs = models.our_evaluation, models.their_evaluation
    assert_same_predictions(ours, theirs)
    with oracle.relaxed():
        decided = oracle.decoders.postprocess(models.theirs._spec[0], theirs.outputs, 0.1, 50, hard=True)
        their_score = oracle.clrs.evaluate(models.feedback.outputs, decided)
    scores = score_outputs(models.model.specs[models.task], models.batch, ours.outputs)
    assert scores["score"] == pytest.approx(their_score["score"], abs=1e-6)


@quick_first(
    [("bellman_ford", "pgn")],
    [
        *((task, "triplet_gmpnn") for task in ALGORITHMS if task not in ORDERING),
        *in_turn(
            ("deepsets", "gat", "gatv2_full", "memnet_masked", "triplet_mpnn"),
            [task for task in tasks.COVERING if task not in ORDERING],
            start=0,
        ),
        ("bfs", "pgn_mask"),
        ("mst_kruskal", "triplet_pgn_mask"),
    ],
)
def test_same_losses_and_gradients(pair):
    """Of training, where predictions are those of evaluation; sorting is left out, which has random noise."""
    models = make_matched_models(*pair)
    assert_same_loss_and_gradients(models)
    assert_same_predictions(models.our_training.predicted, models.their_training.predicted)


@quick_first([("heapsort", "gatv2")], [(task, "triplet_gmpnn") for task in ORDERING])
def test_same_losses_of_permutations_without_noise(pair):
    """The losses of dm-clrs on the predictions that it makes without noise are ours on ours."""
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
    specification = models.model.specs[models.task]
    losses = jax.jit(losses_by_probe, static_argnums=0)(specification, models.batch, ours)
    assert Kind.PERMUTATION_POINTER in {probe.kind for probe in specification.outputs}
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(float(value), rel=1e-4, abs=1e-6), name
