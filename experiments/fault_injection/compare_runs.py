"""Bit-exact comparison of two runs, ignoring timing."""

from typing import Any

from nar.atomic_io import read_json
from nar.metrics_file import read_metrics
from nar.runs.workdir import Workdir
from nar.training.checkpointing import read_arrays


def find_differences(first: Workdir, second: Workdir) -> list[str]:
    """Names of the contents in which two finished runs differ; timing is ignored."""
    return [name for name, read in READERS.items() if read(first) != read(second)]


def _result(workdir: Workdir) -> dict[str, Any]:
    return {name: value for name, value in read_json(workdir.result).items() if "seconds" not in name}


def _metrics(workdir: Workdir) -> list[dict[str, float]]:
    return [
        {name: value for name, value in line.items() if "second" not in name}
        for line in read_metrics(workdir.metrics)
    ]


def _states(workdir: Workdir) -> dict[int, dict[str, bytes]]:
    """Arrays of the last and best checkpoints, by step and name."""
    result, states = read_json(workdir.result), {}
    best = result["best_step"]
    for step in {result["steps"], *(best if isinstance(best, list) else [best])}:
        arrays = read_arrays(workdir.checkpoints, step)
        states[step] = {name: array.tobytes() for name, array in arrays.items()}
    return states


READERS = {"parameters and scores in result.json": _result, "metrics.jsonl": _metrics, "states": _states}
