"""Predicts a user's problem with a trained run.

    python -m experiments.predict --workdir=runs/bfs --input='{"edges": [[0, 1], [1, 2]], "s": 0}'
    python -m experiments.predict --pretrained=bfs --input='{"edges": [[0, 1], [1, 2]], "s": 0}'

The input is a JSON object with the arguments of `nar.run_algorithm`; a graph is given as a `matrix` or a list
of `edges`, whose nodes are 0, 1, 2, ... or have labels. Outputs, hints, the number of steps and the labels of
the nodes are printed as JSON. Pointers are positions among the labels, which are null for 0, 1, 2, ...
Numbers outside of the range of training are scaled where that does not change the answer (`changed` says how,
--noscale_inputs leaves them), and otherwise get a warning. The problems of a list of such objects are
predicted together, and printed as the list `predictions`.
"""

import json
import warnings
from typing import Any

from absl import flags

from experiments.cli import input_flags, run_flags
from experiments.cli.input_flags import SCALE_INPUTS, print_warnings
from experiments.cli.json_input import check_names, parse_problems
from experiments.cli.launch import launch
from nar.evaluation import Prediction
from nar.evaluation.scaled_inputs import OutOfRangeWarning

_INPUT = flags.DEFINE_string(
    "input", None, "Arguments of the problem by name, as JSON, or a list of problems.", required=True
)
_ALGORITHM = flags.DEFINE_string(
    "algorithm", None, "Algorithm to run; may be omitted if the run has only one."
)
_STEPS = flags.DEFINE_integer(
    "steps", None, "Number of steps; by default set by the termination of the run's config.", lower_bound=1
)
flags.adopt_module_key_flags(input_flags)
flags.adopt_module_key_flags(run_flags)


def main() -> None:
    """Checks the input, then prints the prediction."""
    problems = parse_problems(_INPUT.value)
    run = run_flags.load_chosen_run(run_flags.run_directory())
    names = run.predictor.names
    if _ALGORITHM.value is None and len(names) > 1:
        raise ValueError(f"--algorithm must be one of {', '.join(names)}")
    algorithm = _ALGORITHM.value or names[0]
    for arguments in [problems] if isinstance(problems, dict) else problems:
        check_names(algorithm, arguments, run.predict)
    options = {"num_steps": _STEPS.value, "scale_inputs": SCALE_INPUTS.value}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", OutOfRangeWarning)
        if isinstance(problems, dict):
            answer: Any = _as_json(run.predict(algorithm, **options, **problems))
        else:
            answer = {
                "predictions": [_as_json(one) for one in run.predict_many(algorithm, problems, **options)]
            }
    messages = [str(one.message) for one in caught]
    print_warnings(messages)
    print(json.dumps({**answer, "warnings": messages}))


def _as_json(prediction: Prediction) -> dict[str, Any]:
    answers = {name: value.tolist() for name, value in prediction.answers.items()}
    return {
        "outputs": {name: value.tolist() for name, value in prediction.outputs.items()},
        **({"answers": answers} if answers else {}),
        "hints": {name: value.tolist() for name, value in prediction.hints.items()},
        "steps": prediction.steps,
        "nodes": prediction.nodes,
        "changed": None if prediction.change is None else str(prediction.change),
    }


if __name__ == "__main__":
    launch(main)
