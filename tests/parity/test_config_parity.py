"""Parity of networks with dm-clrs for the options that both have."""

import pytest
from matched_models import (
    assert_same_loss_and_gradients,
    assert_same_predictions,
    make_matched_models,
)


def cases(*quick, slow):
    """Parametrizes by cases (task, options); the cases of `slow` are marked slow."""

    def name(value):
        return value if isinstance(value, str) else "-".join(str(option) for option in value.values())

    return pytest.mark.parametrize(
        ("task", "options"),
        [*quick, *(pytest.param(*case, marks=pytest.mark.slow) for case in slow)],
        ids=name,
    )


@pytest.mark.slow
@cases(
    ("bfs", {"hint_mode": "decoded_only", "lstm": True}),
    slow=[
        ("bfs", {"hint_feedback": "hard_on_eval"}),
        ("bfs", {"hint_feedback": "hard"}),
        ("bellman_ford", {"teacher_forcing": 1.0, "message_passing_steps": 3}),
        ("insertion_sort", {"hint_mode": "decoded_only"}),
        ("insertion_sort", {"hint_mode": "none", "lstm": True}),
        ("insertion_sort", {"hint_feedback": "hard"}),
        ("heapsort", {"hint_mode": "none"}),
        ("heapsort", {"hint_mode": "decoded_only"}),
    ],
)
def test_evaluation_with_options_equals_dm_clrs(task, options):
    models = make_matched_models(task, **{"processor": "pgn", **options})
    assert_same_predictions(models.our_evaluation, models.their_evaluation, models.batch.lengths)


@cases(
    slow=[
        ("bfs", {"teacher_forcing": 1.0, "message_passing_steps": 2, "processor": "mpnn"}),
        ("bfs", {"teacher_forcing": 1.0, "message_passing_steps": 2, "processor": "gmpnn"}),
        ("bfs", {"hint_mode": "decoded_only"}),
        ("bfs", {"hint_mode": "none"}),
        ("bfs", {"hint_feedback": "hard"}),
        ("bfs", {"lstm": True}),
        ("bellman_ford", {"hint_mode": "none", "lstm": True, "message_passing_steps": 2}),
        ("bellman_ford", {"hint_mode": "decoded_only", "processor": "triplet_gmpnn"}),
        ("bellman_ford", {"hint_feedback": "hard_on_eval"}),
        ("bellman_ford", {"teacher_forcing": 1.0, "message_passing_steps": 3}),
        ("minimum", {"message_passing_steps": 3, "processor": "gmpnn"}),
        ("matrix_chain_order", {"hint_mode": "decoded_only"}),
        ("segments_intersect", {"hint_feedback": "hard", "lstm": True}),
        ("segments_intersect", {"hint_mode": "none", "message_passing_steps": 2}),
        ("activity_selector", {"hint_mode": "none"}),
        ("kmp_matcher", {"hint_mode": "decoded_only", "lstm": True}),
    ],
)
def test_training_with_options_equals_dm_clrs(task, options):
    """Predictions, loss and gradients; without permutations, which have random noise in training."""
    models = make_matched_models(task, **{"processor": "pgn", **options})
    ours, theirs = models.our_training, models.their_training
    assert_same_predictions(ours.predicted, theirs.predicted, models.batch.lengths)
    assert_same_loss_and_gradients(models)
