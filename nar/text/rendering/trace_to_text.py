"""Conversion of traces to text."""

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.specs import Stage
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
    for stage in Stage:
        expected, probes = [p.name for p in algorithm.spec.at(stage)], getattr(batch, f"{stage.value}s")
        if set(expected) != set(probes):
            raise ValueError(f"{algorithm.name} has the {stage.value}s {expected}, the traces {list(probes)}")
    return compose(algorithm, layout_of(algorithm, bool(use_hints)), batch)
