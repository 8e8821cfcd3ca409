"""Arguments of `experiments.predict` that have the names of options."""

import pytest

from experiments.cli.json_input import check_names, parse_input
from nar.runs.run import Run


def test_options_of_predict_are_no_arguments_of_a_problem():
    check_names("bfs", {"A": [[0, 1]], "s": 0, "self": 1, "name": 2}, Run.predict)
    with pytest.raises(ValueError, match="--input: bfs: unknown argument 'num_steps'; expected A, s"):
        check_names("bfs", {"A": [[0, 1]], "s": 0, "num_steps": 3}, Run.predict)


def test_a_key_that_is_given_twice_is_an_error():
    for text, key in (
        ('{"edges": [[0, 1]], "s": 0, "edges": [[1, 2]]}', "edges"),
        ('{"A": {"a": ["b"], "b": ["a"], "a": []}, "s": "a"}', "a"),
    ):
        with pytest.raises(ValueError, match=f"--input .* an object has the key '{key}' twice"):
            parse_input(text)
    assert parse_input('{"A": {"a": ["b"], "b": ["a"]}, "s": "a"}')["s"] == "a"
