"""Tie-breaking as in dm-clrs.

Where numbers are equal, as they often are when truncated to a few decimals, five algorithms of dm-clrs break
ties by numpy's default sort, which is not stable and differs between CPUs. The algorithms of nar take the
first. To reproduce the texts of dm-clrs on the same machine, traces with ties are recorded again with numpy's
default sort.
"""

import dataclasses
import functools
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.algorithms import Algorithm
from nar.algorithms.graphs.mst_kruskal import edges_by_weight
from nar.problems.problem import Arguments
from nar.specs import Kind
from nar.traces.recorder.record import collect
from nar.traces.trace import TraceBatch


def find_ties(algorithm: Algorithm, batch: TraceBatch) -> Sequence[int]:
    """Indices of the traces of a batch with a tie that dm-clrs leaves to numpy's sort."""
    find = _TIES.get(algorithm.name)
    return np.flatnonzero(find(batch)).tolist() if find else ()


def rerun_with_numpy_sort(algorithm: Algorithm, batch: TraceBatch, index: int) -> TraceBatch:
    """Runs one trace of a batch again, in plain Python and with numpy's default sort.

    Raises:
      KeyError: if the algorithm never has ties.
    """
    return collect(_with_numpy(algorithm), [_arguments(algorithm, batch, index)], compiled=False)


def _arguments(algorithm: Algorithm, batch: TraceBatch, index: int) -> Arguments:
    """Reconstructs the problem of a trace from its inputs."""
    arguments = []
    for name in algorithm.problem.arguments:
        value = np.asarray(batch.inputs[name][index])
        arguments.append(int(value.argmax()) if algorithm.spec[name].kind.root is Kind.MASK_ONE else value)
    return tuple(arguments)


# ---------------------------------------------------------------------------------------------------
# Detectors of ties: batch -> [B] bool


def _equal_numbers(name: str) -> Callable[[TraceBatch], np.ndarray]:
    def find(batch: TraceBatch) -> np.ndarray:
        numbers = np.sort(batch.inputs[name], axis=-1)
        return (numbers[:, 1:] == numbers[:, :-1]).any(axis=-1)

    return find


def _equal_edges(batch: TraceBatch) -> np.ndarray:
    A = np.asarray(batch.inputs["A"])
    weights = np.sort(A[:, *np.triu_indices(A.shape[-1], 1)], axis=-1)
    return ((weights[:, 1:] == weights[:, :-1]) & (weights[:, 1:] != 0)).any(axis=-1)


def _equal_minima(name: str) -> Callable[[TraceBatch], np.ndarray]:
    """Detects steps at which several nodes in the queue have the minimum key."""

    def find(batch: TraceBatch) -> np.ndarray:
        keys = np.where(batch.hints["in_queue"] == 1, batch.hints[name], np.inf)
        least = keys.min(axis=-1, keepdims=True)
        return ((keys == least) & (least < np.inf)).sum(axis=-1).max(axis=0) > 1

    return find


_TIES: Mapping[str, Callable[[TraceBatch], np.ndarray]] = {
    "activity_selector": _equal_numbers("f"),
    "dijkstra": _equal_minima("d"),
    "mst_kruskal": _equal_edges,
    "mst_prim": _equal_minima("key"),
    "task_scheduling": _equal_numbers("w"),
}


# ---------------------------------------------------------------------------------------------------
# Algorithms with numpy's default sort


class _Numpy(types.ModuleType):
    """numpy with an `argsort` that ignores `kind`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    def argsort(self, values: np.ndarray, kind: str) -> np.ndarray:
        del kind
        return np.argsort(values)


_NUMPY = _Numpy("numpy")


def _extract_min(in_queue: np.ndarray, key: np.ndarray) -> int:
    first = int(np.argsort(key + (1 - in_queue) * 1e9)[0])
    in_queue[first] = 0
    return first


def _rebound(function: Callable[..., Any], **names: Any) -> Callable[..., Any]:
    """Copies a function with some of its globals replaced."""
    return types.FunctionType(function.__code__, {**function.__globals__, **names}, function.__name__)


_REPLACED_GLOBALS: Mapping[str, Mapping[str, Any]] = {
    "activity_selector": {"np": _NUMPY},
    "dijkstra": {"extract_min": _extract_min},
    "mst_kruskal": {"edges_by_weight": _rebound(edges_by_weight, np=_NUMPY)},
    "mst_prim": {"extract_min": _extract_min},
    "task_scheduling": {"np": _NUMPY},
}


@functools.cache
def _with_numpy(algorithm: Algorithm) -> Algorithm:
    return dataclasses.replace(
        algorithm, steps=_rebound(algorithm.steps, **_REPLACED_GLOBALS[algorithm.name])
    )
