"""The sentence on where the network of a run fails."""

import pytest

from nar.reports.insight import insight


def result(test, validation=None):
    return {"scores": {"test": test, "validation": validation or {}}}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            {"score": 0.99, "exact": 0.5, "valid": 0.75},
            "50.0% of the answers in every entry; 75.0% are valid",
        ),
        ({"score": 0.99, "exact": 0.5, "valid": 0.5}, "none of the other answers is valid."),
        ({"score": 1.0, "exact": 1.0, "valid": 1.0}, "every answer is exactly that of the algorithm"),
        ({"score": 0.99, "exact": 0.5}, "99.0% of the entries are correct, and 50.0% of the answers"),
    ],
)
def test_exact_and_valid_answers_are_compared(values, expected):
    text = insight(result({"bfs": {"16": {"score": 0.1}, "64": values}}))
    assert text.startswith("Insight: bfs at n = 64, ")
    assert expected in text


def test_weakest_algorithm_is_named():
    text = insight(
        result({"bfs": {"64": {"score": 0.9, "exact": 0.4}}, "dfs": {"64": {"score": 0.1, "exact": 0.0}}})
    )
    assert text.startswith("Insight: the weakest is dfs: at n = 64, 10.0%")


@pytest.mark.parametrize(
    ("score", "expected"), [(0.5, "loses 40.0% of the score"), (0.901, "keeps its score"), (1, "gains 10.0%")]
)
def test_without_metrics_sizes_are_compared(score, expected):
    text = insight(result({"bfs": {"64": {"score": score}}}, {"bfs": {"16": {"score": 0.9}}}))
    assert expected in text
    assert "relative to n = 16" in text


@pytest.mark.parametrize("scores", [{}, {"test": {}}, {"test": {"bfs": {"64": {"score": 1.0}}}}])
def test_nothing_to_compare(scores):
    assert insight({"scores": scores}) == ""


def test_hardest_graph_family_is_named():
    """At the largest size, after the sentence on whole answers; a single family is not compared."""
    sizes = {
        "16": {"score": 0.1, "exact": 0.0},
        "64": {"score": 0.9, "exact": 0.5},
        "64, grid": {"score": 0.75, "exact": 0.25},
        "64, path": {"score": 0.8, "exact": 0.25},
    }
    text = insight(result({"bfs": sizes}))
    assert text.startswith("Insight: bfs at n = 64, 90.0% of the entries are correct")
    assert text.endswith("The hardest graph family is grid: 75.0% (others: clrs30 90.0%, path 80.0%).")
    assert "family" not in insight(result({"bfs": {"64": {"score": 0.9, "exact": 0.5}}}))
