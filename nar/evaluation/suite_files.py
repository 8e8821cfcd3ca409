"""Files of the evaluation suite: metrics as JSON and CSV, predictions of each step as arrays."""

import csv
import dataclasses
import io
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from nar.atomic_io import atomic_write, write_text
from nar.evaluation.inference import InferenceResult
from nar.evaluation.suite import Case, Measurement, summarize_cases

COLUMNS = ("task", "size", "family", "lengths", "seed", "instances", "quantity", "step", "value")
"""Columns of the CSV file, which has one line per number. `step` is set for `hint/NAME` only."""


def as_json(measurements: Sequence[Measurement]) -> dict[str, Any]:
    """All measurements, and the statistics of each metric over seeds."""
    return {
        "measurements": [
            {
                **dataclasses.asdict(one.case),
                "seed": one.seed,
                "instances": one.instances,
                "scores": one.scores,
                "metrics": one.metrics,
                "steps": one.steps,
                "hints": one.hints,
            }
            for one in measurements
        ],
        "summary": [
            {**dataclasses.asdict(case), "metrics": {name: one.as_json() for name, one in quantities.items()}}
            for case, quantities in summarize_cases(measurements).items()
        ],
    }


def write_csv(path: pathlib.Path, measurements: Sequence[Measurement]) -> None:
    """Writes one number per line, in the columns `COLUMNS`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in measurements:
        case = (one.case.task, one.case.size, one.case.family, one.case.lengths)
        for quantity, step, value in _numbers(one):
            writer.writerow((*case, one.seed, one.instances, quantity, step, value))
    write_text(path, text.getvalue())


def _numbers(one: Measurement) -> Iterator[tuple[str, int | str, float]]:
    for name, value in one.quantities().items():
        yield name, "", value
    for name, values in one.hints.items():
        for step, value in enumerate(values, start=1):
            yield f"hint/{name}", step, value


def dump(folder: pathlib.Path, case: Case, seed: int, result: InferenceResult) -> pathlib.Path:
    """Writes the predictions of one case and seed as an `.npz` file, and returns its path.

    The arrays are `input/NAME`, `true_output/NAME` and `true_hint/NAME`, `predicted_output/NAME` and
    `predicted_hint/NAME`, `lengths` and `steps`, and `states` if they were captured; their shapes are those
    of `InferenceResult`. With sparse execution, values of edges are those of the slots of `neighbors/index`
    and `neighbors/mask` (`nar.traces.neighbors`). A predicted output has the format of the true one: a
    permutation is an array of predecessors [B, N] in both. `predicted_hint[t]` predicts `true_hint[t + 1]`,
    and so does `predicted_answer[t]`, of algorithms with answers.
    """
    batch = result.batch
    groups = {
        "input": batch.inputs,
        "true_output": result.true_outputs,
        "true_hint": batch.hints,
        "predicted_output": result.outputs,
        "predicted_hint": result.hints,
        "predicted_answer": result.answers,
    }
    arrays = {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}
    arrays |= {"lengths": batch.lengths, "steps": result.steps}
    if batch.neighbors is not None:
        arrays |= {"neighbors/index": batch.neighbors.index, "neighbors/mask": batch.neighbors.mask}
    if result.states is not None:
        arrays["states"] = result.states
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{case.task}_n{case.size}_{case.family}_{case.lengths}_seed{seed}.npz"
    with atomic_write(path) as file:
        np.savez_compressed(file, **arrays)
    return path
