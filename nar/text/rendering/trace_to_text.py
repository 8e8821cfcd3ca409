"""Conversion of traces to text."""

import dataclasses

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.specs import Spec, Stage
from nar.text.rendering.compose import Text, compose
from nar.text.rendering.layout import layout_of
from nar.traces.trace import Trace, TraceBatch


def to_text(name: str | Algorithm, trace: Trace, *, use_hints: bool = False) -> Text:
    """Converts a trace to text, identical to the output of dm-clrs 2.0.3.

    Numbers are written with all their digits. For fewer, truncate inputs before the algorithm runs
    (`nar.problems.truncation.truncate_arguments`), as `sample_texts` does.

    Args:
      name: algorithm, as for `nar.run_algorithm`.
      trace: a trace of it.
      use_hints: whether the text includes the hints, if the algorithm has hints of its outputs.

    Raises:
      ValueError: if the algorithm is unknown, or the trace does not match its spec.
    """
    lengths = np.array([trace.length], np.int32)
    hints = {key: np.asarray(value)[:, None] for key, value in trace.hints.items()}
    inputs, outputs = (
        {key: np.asarray(value)[None] for key, value in probes.items()}
        for probes in (trace.inputs, trace.outputs)
    )
    return to_texts(name, TraceBatch(inputs, hints, outputs, lengths), use_hints=use_hints)[0]


def to_texts(name: str | Algorithm, batch: TraceBatch, *, use_hints: bool = False) -> list[Text]:
    """Converts the traces of a batch to text; see `to_text`.

    Raises:
      ValueError: as `to_text`, and if the batch has padding nodes.
    """
    algorithm = find_algorithm(name)
    if batch.num_nodes is not None:
        raise ValueError("traces with padding nodes cannot be converted to text")
    spec = algorithm.spec
    groups = {"inputs": spec.inputs, "hints": spec.per_step, "outputs": spec.outputs}
    for group, probes in groups.items():
        expected, found = [probe.name for probe in probes], getattr(batch, group)
        if set(expected) != set(found):
            raise ValueError(f"{algorithm.name} has the {group} {expected}, the traces {list(found)}")
    layout = layout_of(algorithm, bool(use_hints))
    if not spec.needs_all_steps:
        return compose(algorithm, layout, batch)
    texts: dict[int, Text] = {}
    for length in np.unique(batch.lengths):
        rows = np.flatnonzero(batch.lengths == length)
        equally_long = TraceBatch(
            inputs={name: value[rows] for name, value in batch.inputs.items()},
            hints={name: value[:length, rows] for name, value in batch.hints.items()},
            outputs={name: value[rows] for name, value in batch.outputs.items()},
            lengths=batch.lengths[rows],
        )
        texts |= dict(
            zip(rows.tolist(), compose(algorithm, layout, _with_lists(spec, equally_long)), strict=True)
        )
    return [texts[row] for row in range(batch.batch_size)]


def _with_lists(spec: Spec, batch: TraceBatch) -> TraceBatch:
    """A batch of equally long traces whose streams are inputs and whose answers are outputs, [B, T - 1, ...].

    Raises:
      ValueError: if a stream or an answer has a matrix at each step.
    """
    hints, moved = dict(batch.hints), {}
    for probe in (*spec.streams, *spec.answers):
        value = hints.pop(probe.name)
        if value.ndim - probe.kind.is_one_hot - 2 > 1:
            raise ValueError(f"{probe.name} has a matrix at each step, for which there is no text form")
        moved[probe.name] = np.moveaxis(value[:-1] if probe.stage is Stage.STREAM else value[1:], 0, 1)
    inputs = {**batch.inputs, **{probe.name: moved[probe.name] for probe in spec.streams}}
    outputs = {**batch.outputs, **{probe.name: moved[probe.name] for probe in spec.answers}}
    return dataclasses.replace(batch, inputs=inputs, hints=hints, outputs=outputs)
