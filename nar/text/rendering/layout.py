"""Layout of texts: which probes they contain, and in which order.

A question is

    ALGORITHM:
    NAME: VALUE, NAME: VALUE, initial_trace: VALUES
    trace | NAMES:

and ends with a line feed; its answer is `VALUES, VALUES, ... | VALUES` and ends with two. Without hints,
`initial_trace` and `trace |` are left out, and the answer is the VALUES of the outputs. With hints, the trace
consists of the hints that are intermediate values of an output, from the second step to the second to last
(the first is part of the question, and the last equals the output).

Streams are among the inputs, as lists of their values at the steps 0 to T - 2, which a network gets; answers
are among the outputs, as lists of their values at the steps 1 to T - 1.
"""

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType

from nar.algorithms import Algorithm
from nar.specs import Spec

HINT_SUFFIX = "_h"
"""Suffix of hints that are intermediate values of the output named without it."""


@dataclasses.dataclass(frozen=True)
class TraceOverride:
    """Trace of an algorithm none of whose hints is an intermediate value of an output.

    Attributes:
      hints: names of the hints that make up the trace.
      is_answer: whether the answer is the last step of these hints instead of the outputs.
      is_pair: whether each step is put in parentheses.
    """

    hints: tuple[str, ...]
    is_answer: bool = True
    is_pair: bool = False


TRACE_OVERRIDES: Mapping[str, TraceOverride] = MappingProxyType(
    {
        "binary_search": TraceOverride(("low", "high"), is_pair=True),
        "find_maximum_subarray_kadane": TraceOverride(("best_low", "best_high"), is_pair=True),
        "kmp_matcher": TraceOverride(("s",), is_answer=False),
        "naive_string_matcher": TraceOverride(("s",), is_answer=False),
        "quickselect": TraceOverride(("pivot",)),
    }
)
"""Overrides of CLRS-Text (arXiv 2406.04229), by algorithm."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """Contents of the texts of an algorithm.

    Attributes:
      inputs: names of the inputs, in order.
      hints: pairs (hint, output whose intermediate values it has, or None), in order; empty without a trace.
      answer: names of the probes whose values are the answer.
      requested: names that the question requests.
      is_pair: whether the values of a step or an answer are put in parentheses.
    """

    inputs: tuple[str, ...]
    hints: tuple[tuple[str, str | None], ...]
    answer: tuple[str, ...]
    requested: tuple[str, ...]
    is_pair: bool = False


@functools.cache
def layout_of(algorithm: Algorithm, use_hints: bool) -> Layout:
    """Layout of the texts of an algorithm, with or without hints (if it has hints of its outputs)."""
    spec = algorithm.spec
    given = (*spec.inputs, *spec.streams)
    inputs = tuple(probe.name for probe in given if not _is_omitted(probe.name, spec))
    outputs = tuple(probe.name for probe in (*spec.answers, *spec.outputs))
    override = TRACE_OVERRIDES.get(algorithm.name) if use_hints else None
    if override is not None:
        hints = tuple((name, None) for name in override.hints)
        answer = override.hints if override.is_answer else outputs
        return Layout(inputs, hints, answer, override.hints, override.is_pair)
    names = ((probe.name, probe.name.removesuffix(HINT_SUFFIX)) for probe in spec.hints if use_hints)
    return Layout(
        inputs, tuple((name, output) for name, output in names if output in outputs), outputs, outputs
    )


def _is_omitted(name: str, spec: Spec) -> bool:
    """True for redundant inputs: node positions, and the adjacency where weights imply it."""
    return name == "pos" or (name == "adj" and "A" in spec)
