"""Padding of steps and nodes in training batches, and number of compiled programs.

    python -m experiments.benchmark padding

Counts, for batches of the default recipe, the compiled programs (one per shape), the computed steps of traces
that have ended before the longest of their batch, and the padding nodes. Bucket steps after the longest trace
are skipped.
"""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from absl import flags

from experiments.benchmarks.lib.benchmark_flags import define_algorithms, define_count
from nar.data import TraceStream, count_microbatches
from nar.progress import ProgressBar
from nar.reports import Table
from nar.runs.components import build_graph_run
from nar.runs.config import RunConfig
from nar.traces import TraceBatch

FLAGS = flags.FlagValues()
_ALGORITHMS = define_algorithms(FLAGS)
_BATCHES = define_count(FLAGS, "batches", 200, "Number of batches.")


class Padding(NamedTuple):
    """Padding of the batches of one algorithm.

    Attributes:
      programs: number of different shapes, each of which is compiled once.
      steps: share of computed steps that are after the end of their trace.
      nodes: share of nodes that are padding.
      skipped: share of bucket steps that are after the longest trace, and skipped.
    """

    programs: int
    steps: float
    nodes: float
    skipped: float


def main() -> None:
    """Measures padding in training batches, and counts compiled programs."""
    padding(_ALGORITHMS.value, _BATCHES.value)


def padding(names: Sequence[str], num_batches: int) -> None:
    """Prints a row for each algorithm of the default recipe, and the means.

    Args:
      names: names of algorithms.
      num_batches: number of batches of each algorithm.
    """
    bar = ProgressBar(names, "counting", leave=False)
    results = {name: measure_padding(_stream(name), num_batches) for name in bar}
    rows = [
        [name, str(result.programs), f"{result.steps:.1%}", f"{result.nodes:.1%}", f"{result.skipped:.1%}"]
        for name, result in results.items()
    ]
    header = ["algorithm", "programs", "padding steps", "padding nodes", "skipped steps"]
    print(Table(header, rows).as_text())
    steps, nodes = (
        statistics.mean(getattr(result, field) for result in results.values()) for field in ("steps", "nodes")
    )
    programs = sum(result.programs for result in results.values())
    print(f"\n{programs} programs; on average {steps:.1%} of steps and {nodes:.1%} of nodes are padding")


def measure_padding(stream: TraceStream, num_batches: int) -> Padding:
    """Measures the padding of the first batches of a stream."""
    batches = [stream.batch(step) for step in range(num_batches)]
    needed = sum(_steps(batch).sum() for batch in batches)
    computed = sum(_computed(batch, count_microbatches(batch, stream.num_microbatches)) for batch in batches)
    allocated = sum(max(batch.num_steps - 1, 1) * batch.batch_size for batch in batches)
    real, padded = (sum(count(batch) for batch in batches) for count in (_real_nodes, _all_nodes))
    return Padding(
        programs=len({_shapes(batch) for batch in batches}),
        steps=1 - needed / computed,
        nodes=1 - real / padded,
        skipped=1 - computed / allocated,
    )


def _stream(name: str) -> TraceStream:
    return build_graph_run(RunConfig(algorithms=(name,))).stream


def _steps(batch: TraceBatch) -> np.ndarray:
    """Network steps of each trace, [B]: one less than its number of hint steps, and at least one."""
    return np.maximum(batch.lengths - 1, 1)


def _computed(batch: TraceBatch, num_microbatches: int) -> int:
    """Number of computed steps over all traces: each micro-batch takes the steps of its longest trace."""
    by_microbatch = _steps(batch).reshape(-1, num_microbatches)
    return int(by_microbatch.max(axis=0).sum()) * len(by_microbatch)


def _all_nodes(batch: TraceBatch) -> int:
    return batch.inputs["pos"].size


def _real_nodes(batch: TraceBatch) -> int:
    return _all_nodes(batch) if batch.num_nodes is None else int(batch.num_nodes.sum())


def _shapes(batch: TraceBatch) -> tuple[tuple[int, ...], ...]:
    values = {**batch.inputs, **batch.hints, **batch.outputs}
    return tuple(np.shape(values[name]) for name in sorted(values))
