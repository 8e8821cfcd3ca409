"""What stands where in a text.

A question is

    ALGORITHM:
    NAME: VALUE, NAME: VALUE, initial_trace: VALUES
    trace | NAMES:

and ends with a line feed; its answer is `VALUES, VALUES, ... | VALUES` and ends with two. Without hints there
is neither ` initial_trace`, `trace |` nor what they ask for: the answer is the VALUES of the outputs. With
them, the trace consists of those hints that show an output on its way, from the second step to the last but
one (the first is part of the question, and the last equals the output).
"""

import dataclasses
import functools
from collections.abc import Mapping
from types import MappingProxyType

from nar.algorithms import Algorithm
from nar.specs import Spec

HINT_SUFFIX = "_h"
"""A hint of this name shows the output without it on its way."""


@dataclasses.dataclass(frozen=True)
class TraceOverride:
    """How the text of an algorithm whose outputs no hint shows has hints.

    Attributes:
      hints: which are shown in their place.
      is_answer: whether the last step of them is the answer, in place of the outputs.
      is_pair: whether each step stands in parentheses.
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
"""By algorithm, those of CLRS-Text (arXiv 2406.04229)."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What stands in the texts of an algorithm.

    Attributes:
      inputs: names of the inputs that are shown, in order.
      hints: pairs (hint, the output that it shows on its way, or None), in order; empty if there is no trace.
      answer: names of the probes whose values are the answer.
      asked: what the question says is asked for.
      is_pair: whether the values of a step or an answer stand in parentheses.
    """

    inputs: tuple[str, ...]
    hints: tuple[tuple[str, str | None], ...]
    answer: tuple[str, ...]
    asked: tuple[str, ...]
    is_pair: bool = False


@functools.cache
def layout_of(algorithm: Algorithm, use_hints: bool) -> Layout:
    """What stands in the texts of an algorithm, with or without hints (if it has some to show)."""
    spec = algorithm.spec
    inputs = tuple(probe.name for probe in spec.inputs if not _goes_without_saying(probe.name, spec))
    outputs = tuple(probe.name for probe in spec.outputs)
    search = TRACE_OVERRIDES.get(algorithm.name) if use_hints else None
    if search is not None:
        hints = tuple((name, None) for name in search.hints)
        answer = search.hints if search.is_answer else outputs
        return Layout(inputs, hints, answer, search.hints, search.is_pair)
    names = ((probe.name, probe.name.removesuffix(HINT_SUFFIX)) for probe in spec.hints if use_hints)
    return Layout(
        inputs, tuple((name, output) for name, output in names if output in outputs), outputs, outputs
    )


def _goes_without_saying(name: str, spec: Spec) -> bool:
    """Whether an input is not shown: places of nodes in order; who is whose neighbour, where weights tell."""
    return name == "pos" or (name == "adj" and "A" in spec)
