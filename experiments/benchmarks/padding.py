"""What of the steps and nodes of training is padding, and how many programs are compiled for it."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from configs import base
from experiments.cli.build import assemble
from nar.data import TraceStream, count_microbatches
from nar.reports import format_table
from nar.traces import TraceBatch


class Padding(NamedTuple):
    """Of the batches of one algorithm.

    Attributes:
      programs: how many shapes they have, each of which is compiled once.
      steps: share of the computed steps that a trace does not need, since it ended before the longest.
      nodes: share of the nodes that are padding.
      skipped: share of the steps of the buckets that are behind the longest trace; they are not computed.
    """

    programs: int
    steps: float
    nodes: float
    skipped: float


def padding(names: Sequence[str], num_batches: int) -> None:
    """Prints a row for each algorithm of the default recipe, and the means.

    Args:
      names: of algorithms.
      num_batches: how many batches of each are looked at.
    """
    found = {name: of_stream(_stream(name), num_batches) for name in tqdm(names, "counting", leave=False)}
    rows = [
        [name, str(each.programs), f"{each.steps:.1%}", f"{each.nodes:.1%}", f"{each.skipped:.1%}"]
        for name, each in found.items()
    ]
    header = ["algorithm", "programs", "steps computed in vain", "padding nodes", "steps skipped"]
    print(format_table(header, rows))
    steps, nodes = (
        statistics.mean(getattr(each, what) for each in found.values()) for what in ("steps", "nodes")
    )
    programs = sum(each.programs for each in found.values())
    print(f"\n{programs} programs; on average {steps:.1%} of the steps and {nodes:.1%} of the nodes in vain")


def of_stream(stream: TraceStream, num_batches: int) -> Padding:
    """That of the first batches of a stream."""
    batches = [stream.batch(step) for step in range(num_batches)]
    needed = sum(_steps(batch).sum() for batch in batches)
    computed = sum(_computed(batch, count_microbatches(batch, stream.num_microbatches)) for batch in batches)
    room = sum(max(batch.num_steps - 1, 1) * batch.batch_size for batch in batches)
    real, padded = (sum(count(batch) for batch in batches) for count in (_real_nodes, _all_nodes))
    return Padding(
        programs=len({_shapes(batch) for batch in batches}),
        steps=1 - needed / computed,
        nodes=1 - real / padded,
        skipped=1 - computed / room,
    )


def _stream(name: str) -> TraceStream:
    return assemble(base.get_config().to_dict() | {"algorithms": (name,)}).stream


def _steps(batch: TraceBatch) -> np.ndarray:
    """Steps of the network for each trace, [B]: one less than it has hints, and at least one."""
    return np.maximum(batch.lengths - 1, 1)


def _computed(batch: TraceBatch, num_microbatches: int) -> int:
    """Steps for all traces: each part takes those of its longest."""
    by_part = _steps(batch).reshape(-1, num_microbatches)
    return int(by_part.max(axis=0).sum()) * len(by_part)


def _all_nodes(batch: TraceBatch) -> int:
    return batch.inputs["pos"].size


def _real_nodes(batch: TraceBatch) -> int:
    return _all_nodes(batch) if batch.num_nodes is None else int(batch.num_nodes.sum())


def _shapes(batch: TraceBatch) -> tuple[tuple[int, ...], ...]:
    values = {**batch.inputs, **batch.hints, **batch.outputs}
    return tuple(np.shape(values[name]) for name in sorted(values))
