"""Arguments of `experiments.predict` that have the names of options."""

import pytest

from experiments.cli.json_input import check_names
from nar.runs.run import Run


def test_options_of_predict_are_no_arguments_of_a_problem():
    check_names("bfs", {"A": [[0, 1]], "s": 0, "self": 1, "name": 2}, Run.predict)
    with pytest.raises(ValueError, match="--input: bfs: unknown argument 'num_steps'; expected A, s"):
        check_names("bfs", {"A": [[0, 1]], "s": 0, "num_steps": 3}, Run.predict)
