"""dm-clrs 2.0.3, the reference implementation; tests access it only through this file."""

import contextlib
import warnings
from collections.abc import Iterator

import jax

from experiments.benchmarks.lib.import_dm_clrs import import_clrs
from nar import ALGORITHMS
from nar.traces import TraceBatch

clrs = import_clrs()

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from clrs._src import baselines, decoders, encoders, evaluation, losses, nets, probing, samplers, specs

__all__ = [
    "as_batch",
    "baselines",
    "clrs",
    "decoders",
    "encoders",
    "evaluation",
    "losses",
    "nets",
    "probing",
    "relaxed",
    "sample",
    "sample_in_batches",
    "samplers",
    "specs",
]


@contextlib.contextmanager
def relaxed() -> Iterator[None]:
    """Permits rank promotion and warnings, which are errors elsewhere in the tests, for calls of dm-clrs."""
    with jax.numpy_rank_promotion("allow"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def sample(name: str, size: int, count: int, seed: int, **problem_options: object) -> TraceBatch:
    """Traces of a dm-clrs sampler, in order, with the axes that it squeezes at size 1 restored."""
    with relaxed():
        sampler, _ = samplers.build_sampler(name, count, length=size, seed=seed, **problem_options)
    return as_batch(name, sampler.next())


def sample_in_batches(
    name: str, size: int, count: int, seed: int, batch_size: int
) -> Iterator[tuple[slice, TraceBatch]]:
    """The traces of `sample`, at most `batch_size` at a time, and their indices."""
    with relaxed():
        sampler, _ = samplers.build_sampler(name, -1, length=size, seed=seed, track_max_steps=False)
    for first in range(0, count, batch_size):
        indices = slice(first, min(first + batch_size, count))
        with relaxed():
            feedback = sampler.next(indices.stop - indices.start)
        yield indices, as_batch(name, feedback)


def as_batch(name: str, feedback: samplers.Feedback) -> TraceBatch:
    """Converts dm-clrs feedback to a `TraceBatch`."""
    spec, features = ALGORITHMS[name].spec, feedback.features
    num_nodes = next(point.data.shape[1] if point.data.ndim > 1 else 1 for point in features.inputs)

    def by_name(points: list, leading: int) -> dict:
        return {
            point.name: point.data.reshape(*point.data.shape[:leading], *spec[point.name].shape(num_nodes))
            for point in points
        }

    return TraceBatch(
        inputs=by_name(features.inputs, 1),
        hints=by_name(features.hints, 2),
        outputs=by_name(feedback.outputs, 1),
        lengths=features.lengths,
    )
