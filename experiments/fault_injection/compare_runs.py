"""Bit-exact comparison of two runs, ignoring timing."""

from typing import Any

from nar.atomic_io import read_json
from nar.metrics_file import read_metrics
from nar.runs.workdir import Workdir
from nar.training.checkpointing import read_arrays


def find_differences(first: Workdir, second: Workdir) -> list[str]:
    """Names of the contents in which two finished runs differ; timing is ignored."""
    return [name for name, read in READERS.items() if read(first) != read(second)]


def outcome(workdir: Workdir) -> dict[str, Any]:
    """The result of a run without its timing."""
    return {name: value for name, value in read_json(workdir.result).items() if "seconds" not in name}


def metrics_of(workdir: Workdir) -> list[dict[str, float]]:
    """Metrics of a run without its timing, one dictionary per line; none if the file is missing."""
    lines = read_metrics(workdir.metrics) if workdir.metrics.exists() else []
    return [{name: value for name, value in line.items() if "second" not in name} for line in lines]


def _states(workdir: Workdir) -> dict[int, dict[str, bytes]]:
    """Arrays of the last and best checkpoints, by step and name."""
    result, states = read_json(workdir.result), {}
    best = result["best_step"]
    for step in {result["steps"], *(best if isinstance(best, list) else [best])}:
        arrays = read_arrays(workdir.checkpoints, step)
        states[step] = {name: array.tobytes() for name, array in arrays.items()}
    return states


READERS = {"parameters and scores in result.json": outcome, "metrics.jsonl": metrics_of, "states": _states}
