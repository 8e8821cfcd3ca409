"""Asks a run about a problem of one's own.

    python -m experiments.predict --workdir=runs/bfs --input='{"edges": [[0, 1], [1, 2]], "s": 0}'

The input is a JSON object with the arguments of `nar.run_algorithm`; a graph is a matrix `A` or a list of
`edges`. Outputs, hints and the number of steps are printed as JSON.
"""

import json

from absl import flags

from experiments.cli.json_input import parse_input
from experiments.cli.launch import launch
from experiments.cli.load_run import load

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_INPUT = flags.DEFINE_string("input", None, "Arguments of the problem by name, as JSON.", required=True)
_ALGORITHM = flags.DEFINE_string("algorithm", None, "By default that of the run, if it has one only.")
_STEPS = flags.DEFINE_integer(
    "steps", None, "Steps to take; by default as the run's config says.", lower_bound=1
)
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Which checkpoint to ask.")
_SEED_INDEX = flags.DEFINE_integer("seed_index", 0, "Which of the seeds of the run, if it has several.")


def main() -> None:
    """Checks the input, then predicts."""
    arguments = parse_input(_INPUT.value)
    predict = load(_WORKDIR.value, _CHECKPOINT.value, _SEED_INDEX.value)
    if _ALGORITHM.value is None and len(predict.names) > 1:
        raise ValueError(f"--algorithm must be one of {', '.join(predict.names)}")
    prediction = predict(_ALGORITHM.value or predict.names[0], num_steps=_STEPS.value, **arguments)
    shown = {
        "outputs": {name: value.tolist() for name, value in prediction.outputs.items()},
        "hints": {name: value.tolist() for name, value in prediction.hints.items()},
        "steps": prediction.steps,
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    launch(main)
