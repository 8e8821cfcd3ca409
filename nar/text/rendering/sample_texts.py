"""Texts of random problems, drawn as in dm-clrs."""

from collections.abc import Iterator
from typing import Any

import numba
import numpy as np

from nar.algorithms import Algorithm, find_algorithm
from nar.problems.options import OPTION_CHECKS
from nar.problems.problem import Random
from nar.problems.rng.canonical_stream import canonical_stream
from nar.problems.truncation import truncate_arguments
from nar.text.rendering.compose import Text
from nar.text.rendering.ties import find_ties, rerun_with_numpy_sort
from nar.text.rendering.trace_to_text import to_texts
from nar.traces.recorder.record import can_compile_samples, collect, collect_canonical
from nar.traces.sample import check_canonical_seed, check_count
from nar.traces.trace import TraceBatch

_BATCH_BYTES = 2**22
"""Approximate size of a batch of traces in memory."""

_MAX_BATCH_SIZE = 128


def sample_texts(
    name: str | Algorithm,
    size: int,
    count: int | None,
    seed: int,
    *,
    use_hints: bool = False,
    decimals: int | None = None,
    first: int = 0,
    **problem_options: Any,
) -> Iterator[Text]:
    """Texts of random problems, drawn sequentially from one random stream.

    Equal, string for string, to the texts of dm-clrs 2.0.3 with the same seed: `clrs.build_sampler(name,
    seed=seed, num_samples=-1, length=size, track_max_steps=False, truncate_decimals=decimals)`, one sample at
    a time.

    Args:
      name: algorithm, as for `nar.run_algorithm`; custom algorithms work too.
      size: problem size, the `length` of CLRS-Text.
      count: number of texts; None for infinitely many.
      seed: seed of numpy's `RandomState`.
      use_hints: whether texts include the hints.
      decimals: decimals to which inputs are truncated before the algorithm runs; None or 0 keeps all digits.
      first: index of the first text; the problems before it are drawn and discarded, which takes time.
      **problem_options: as for `nar.sample_traces`.

    Returns:
      An iterator over the texts, made lazily in small batches.

    Raises:
      ValueError: immediately, if an argument is invalid.
    """
    if count is not None:
        check_count("count", count, minimum=0)
    check_count("first", first, minimum=0)
    series = TraceSeries(name, size, seed, decimals=decimals, **problem_options)
    return _texts(series, count, first, bool(use_hints))


def _texts(series: "TraceSeries", count: int | None, first: int, use_hints: bool) -> Iterator[Text]:
    for _ in series.batches(first):
        pass
    for batch in series.batches(count):
        texts = to_texts(series.algorithm, batch, use_hints=use_hints)
        for index in find_ties(series.algorithm, batch) if series.decimals else ():
            again = rerun_with_numpy_sort(series.algorithm, batch, index)
            texts[index] = to_texts(series.algorithm, again, use_hints=use_hints)[0]
        yield from texts


class TraceSeries:
    """Traces of problems drawn sequentially from one random stream, as by dm-clrs's samplers.

    Attributes:
      algorithm: the algorithm.
      decimals: decimals to which inputs are truncated; 0 keeps all digits.
    """

    def __init__(
        self,
        name: str | Algorithm,
        size: int,
        seed: int,
        *,
        decimals: int | None = None,
        **problem_options: Any,
    ) -> None:
        """Checks the arguments, which are those of `sample_texts`, without drawing anything."""
        self.algorithm = find_algorithm(name)
        problem = self.algorithm.problem
        self.decimals: int = OPTION_CHECKS["decimals"]("decimals", decimals)
        if "decimals" in problem.options:
            problem_options = {"decimals": self.decimals, **problem_options}
        try:
            self._options = problem.resolve_options(size, problem_options)
        except ValueError as error:
            raise ValueError(f"{self.algorithm.name}: {error}") from None
        check_canonical_seed(seed)
        self._size = int(size)
        self._is_compiled = (
            problem.canonical
            and can_compile_samples(self.algorithm, self._options)
            and not numba.config.DISABLE_JIT  # type: ignore[attr-defined]
        )
        self._stream: Any = canonical_stream(int(seed)) if self._is_compiled else Random(seed)
        self._num_drawn = 0

    def next(self, count: int) -> TraceBatch:
        """Draws the next `count` traces."""
        first, self._num_drawn = self._num_drawn, self._num_drawn + count
        if self._is_compiled:
            request = (self.algorithm, self._size, self._options, self._stream)
            return collect_canonical(*request, first, count, self.decimals)
        sample = self.algorithm.problem.sample
        drawn = (sample(self._stream, self._size, **self._options) for _ in range(count))
        return collect(self.algorithm, [truncate_arguments(arguments, self.decimals) for arguments in drawn])

    def batches(self, count: int | None) -> Iterator[TraceBatch]:
        """Draws the next `count` traces (None: infinitely many) in batches of moderate size."""
        left, batch_size = np.inf if count is None else count, 4
        while left > 0:
            batch = self.next(int(min(left, batch_size)))
            yield batch
            left -= batch.batch_size
            batch_size = min(
                _MAX_BATCH_SIZE, 4 * batch_size, 1 + _BATCH_BYTES * batch.batch_size // _num_bytes(batch)
            )


def _num_bytes(batch: TraceBatch) -> int:
    return sum(
        array.nbytes for probes in (batch.inputs, batch.hints, batch.outputs) for array in probes.values()
    )
