"""Export of traces as JSON lines, readable without nar."""

import json
import os
import pathlib
from typing import Any

import numpy as np

from nar.algorithms import find_algorithm
from nar.atomic_io import atomic_write
from nar.traces.trace import TraceBatch


def export_json_lines(path: str | os.PathLike[str], batch: TraceBatch, *, name: str) -> None:
    """Writes one row per trace, readable by `json`, pandas and `datasets.load_dataset("json", ...)`.

    A row has the keys `algorithm`, `length` (the number of steps), `num_nodes`, and `inputs`, `hints` and
    `outputs`: values by probe name as nested lists, hints without padding steps. Numbers are exact.

    Args:
      path: output file, conventionally `.jsonl`; overwritten if it exists.
      batch: traces with any spec, without padded nodes.
      name: their algorithm.

    Raises:
      ValueError: if the batch has padded nodes.
    """
    algorithm = find_algorithm(name)
    if batch.num_nodes is not None:
        raise ValueError("only traces without padded nodes can be exported")
    rows = (_row(algorithm.name, batch, index) for index in range(batch.batch_size))

    with atomic_write(pathlib.Path(path)) as file:
        file.writelines(f"{json.dumps(row)}\n".encode() for row in rows)


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
