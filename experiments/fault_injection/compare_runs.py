"""Whether two runs are the same, bit for bit, but for the time that they took."""

from typing import Any

from nar.runs.workdir import Workdir
from nar.training import read_json
from nar.training.checkpointing.checkpoint_file import read_checkpoint
from nar.training.loop.metrics import read_lines


def differences(first: Workdir, second: Workdir) -> list[str]:
    """What two runs do not have in common, but for the time they took."""
    return [name for name, find in FINDERS.items() if find(first) != find(second)]


def _result(workdir: Workdir) -> dict[str, Any]:
    return {name: value for name, value in read_json(workdir.result).items() if name != "seconds"}


def _metrics(workdir: Workdir) -> list[dict[str, float]]:
    return [
        {name: value for name, value in line.items() if "second" not in name}
        for line in read_lines(workdir.metrics)
    ]


def _states(workdir: Workdir) -> dict[int, dict[str, bytes]]:
    """Every array of the last and of the best checkpoint, by its name."""
    result, found = read_json(workdir.result), {}
    best = result["best_step"]
    for step in {result["steps"], *(best if isinstance(best, list) else [best])}:
        arrays, _ = read_checkpoint(workdir.checkpoints / f"step_{step}.npz")
        found[step] = {name: array.tobytes() for name, array in arrays.items()}
    return found


FINDERS = {"parameters and scores in result.json": _result, "metrics.jsonl": _metrics, "states": _states}
