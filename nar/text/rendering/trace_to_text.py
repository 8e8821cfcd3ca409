"""Traces as text."""

import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.specs import Stage
from nar.text.rendering.compose import Text, compose
from nar.text.rendering.layout import layout_of
from nar.traces.trace import Trace, TraceBatch


def to_text(name: str | Algorithm, trace: Trace, *, use_hints: bool = False) -> Text:
    """A trace as text, equal to what dm-clrs 2.0.3 writes.

    Numbers are written with all their digits: to show fewer, cut them before the algorithm runs
    (`nar.problems.truncated`), as `sample_texts` does.

    Args:
      name: of the algorithm, as for `nar.run_algorithm`.
      trace: one of its runs.
      use_hints: whether the steps are shown too, if the algorithm has hints of its outputs.

    Raises:
      ValueError: if the algorithm is unknown or its spec not that of the trace.
    """
    lengths = np.array([trace.length], np.int32)
    hints = {key: np.asarray(value)[:, None] for key, value in trace.hints.items()}
    inputs, outputs = (
        {key: np.asarray(value)[None] for key, value in probes.items()}
        for probes in (trace.inputs, trace.outputs)
    )
    return to_texts(name, TraceBatch(inputs, hints, outputs, lengths), use_hints=use_hints)[0]


def to_texts(name: str | Algorithm, batch: TraceBatch, *, use_hints: bool = False) -> list[Text]:
    """The traces of a batch as text; see `to_text`.

    Raises:
      ValueError: if nodes are padded, too.
    """
    algorithm = find_algorithm(name)
    if batch.num_nodes is not None:
        raise ValueError("only traces without padded nodes have a text")
    for stage in Stage:
        expected, found = [p.name for p in algorithm.spec.at(stage)], getattr(batch, f"{stage.value}s")
        if set(expected) != set(found):
            raise ValueError(f"{algorithm.name} has the {stage.value}s {expected}, the traces {list(found)}")
    return compose(algorithm, layout_of(algorithm, bool(use_hints)), batch)
