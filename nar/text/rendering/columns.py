"""Columns of texts: values of probes as integers or floats, as scalars, lists or lists of lists."""

from collections.abc import Callable

import numpy as np
from numba.extending import register_jitable

from nar.algorithms import Algorithm
from nar.kinds import KindTable
from nar.specs import MASKED, Kind, Location, Probe, Stage
from nar.traces.recorder.compiled_loops import cached_njit
from nar.traces.trace import TraceBatch

KEYS = "key"
"""Input whose values, in order, are rendered in place of a permutation of the nodes."""


def _floats(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.float64)


def _integers(values: np.ndarray) -> np.ndarray:
    return np.asarray(values, np.int64)


def _classes(values: np.ndarray) -> np.ndarray:
    """Converts one-hot vectors to classes; MASKED entries stay MASKED."""
    return np.where((values == MASKED).any(axis=-1), MASKED, np.asarray(values).argmax(axis=-1))


def _orders(values: np.ndarray) -> np.ndarray:
    """Converts predecessor pointers to the nodes in order."""
    pointers = np.ascontiguousarray(values, np.int64)
    return chain_orders(pointers.reshape(-1, pointers.shape[-1])).reshape(pointers.shape)


CONVERTERS = KindTable[Callable[[np.ndarray], np.ndarray]](
    "text",
    {
        Kind.SCALAR: _floats,
        Kind.VECTOR: _floats,
        Kind.CATEGORICAL: _classes,
        Kind.MASK: _integers,
        Kind.MASK_ONE: _classes,
        Kind.POINTER: _integers,
        Kind.SHOULD_BE_PERMUTATION: _orders,
        Kind.PERMUTATION_POINTER: _classes,
    },
)
"""By kind: values of a trace -> float64 or int64, with one-hot vectors converted to indices."""


def _orders_of_chains(pointers):
    """Nodes from the first to the last of a chain of predecessors, for each row.

    Where the pointers form several chains, as hints may, the remaining nodes are put in front.
    """
    num_rows, n = pointers.shape
    result = np.zeros((num_rows, n), np.int64)
    for row in range(num_rows):
        left, is_end = np.ones(n, np.bool_), np.ones(n, np.bool_)
        for node in range(n):
            if pointers[row, node] != node:
                is_end[pointers[row, node]] = False
        node = _next_end(left, is_end)
        for place in range(n - 1, -1, -1):
            result[row, place] = node
            left[node] = False
            node = pointers[row, node]
            if not left[node]:
                node = _next_end(left, is_end)
    return result


@register_jitable
def _next_end(left, is_end):
    """The first remaining node that is no node's predecessor, or else the first remaining node."""
    for node in range(len(left)):
        if left[node] and is_end[node]:
            return node
    for node in range(len(left)):
        if left[node]:
            return node
    return 0


chain_orders = cached_njit(_orders_of_chains)


def text_values(algorithm: Algorithm, batch: TraceBatch, name: str, output: str | None = None) -> np.ndarray:
    """Values of a probe as rendered in texts.

    Args:
      algorithm: algorithm of the traces.
      batch: B traces.
      name: name of the probe.
      output: name of the output whose intermediate values a hint has, if any.

    Returns:
      int64 or float64, [B, ...] or, for a hint, [T, B, ...].
    """
    probe = algorithm.spec[name]
    values = np.asarray({**batch.inputs, **batch.hints, **batch.outputs}[name])
    kind = _kind(probe, algorithm.spec[output] if output else probe)
    result = CONVERTERS[kind](values)
    if kind is Kind.SHOULD_BE_PERMUTATION and _has_keys(algorithm):
        keys = text_values(algorithm, batch, KEYS)
        return np.take_along_axis(np.broadcast_to(keys, result.shape), result, axis=-1)
    if name in algorithm.problem.integer_inputs and (result == np.trunc(result)).all():
        return _integers(result)
    return result


def _kind(probe: Probe, output: Probe) -> Kind:
    """Kind as which a probe is rendered: predecessor hints of a permutation count as a permutation."""
    if output.kind is Kind.SHOULD_BE_PERMUTATION and probe.kind.root is Kind.POINTER:
        return output.kind
    return probe.kind


def _has_keys(algorithm: Algorithm) -> bool:
    probe = algorithm.spec.get(KEYS)
    return probe is not None and (probe.stage, probe.location) == (Stage.INPUT, Location.NODE)
