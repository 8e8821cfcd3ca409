"""Traces for those who have no nar: a line of JSON for each trace."""

import json
import os
import pathlib
from typing import Any

import numpy as np

from nar.algorithms import find_algorithm
from nar.traces.io import write_atomically
from nar.traces.trace import TraceBatch


def export_json_lines(path: str | os.PathLike[str], batch: TraceBatch, *, name: str) -> None:
    """Writes a row for each trace, as `json`, pandas and `datasets.load_dataset("json", ...)` read it.

    A row has the keys `algorithm`, `length` (its number of steps), `num_nodes`, and `inputs`, `hints` and
    `outputs`: values by probe name as nested lists, hints only up to the trace's end. Numbers are exact.

    Args:
      path: of the file, which is replaced if it is there; `.jsonl` by custom.
      batch: traces, of any spec, but without padded nodes.
      name: of their algorithm.

    Raises:
      ValueError: if nodes are padded.
    """
    algorithm = find_algorithm(name)
    if batch.num_nodes is not None:
        raise ValueError("only traces without padded nodes can be exported")
    rows = (_row(algorithm.name, batch, index) for index in range(batch.batch_size))

    def write(part: pathlib.Path) -> None:
        with part.open("x", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    write_atomically(pathlib.Path(path), write)


def _row(name: str, batch: TraceBatch, index: int) -> dict[str, Any]:
    trace = batch.trace(index)
    return {
        "algorithm": name,
        "length": trace.length,
        "num_nodes": int(batch.inputs["pos"].shape[1]),
        **{
            stage: {key: np.asarray(value).tolist() for key, value in getattr(trace, stage).items()}
            for stage in ("inputs", "hints", "outputs")
        },
    }
