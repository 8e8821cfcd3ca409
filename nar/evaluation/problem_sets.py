"""Sets of problems on which networks are scored: as CLRS-30 draws its splits, with any size and options."""

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from nar.algorithms import Algorithm
from nar.problems.large_graphs import LARGE_FAMILIES
from nar.problems.options import CLRS30
from nar.specs import Spec
from nar.traces import CLRS30_SPLITS, TraceBatch, clrs30_sample, clrs30_split, first_hints
from nar.traces.list_traces import check_list_request, sample_list_traces
from nar.traces.memory import check_memory
from nar.traces.sample import check_canonical_seed, check_count

_MAX_KEPT_BYTES = 2**26
"""Size of the traces of one set that are kept in memory, at most."""

CLRS30_COUNT = 32
"""Instances of an algorithm in a split of CLRS-30, to be multiplied by `Algorithm.clrs30_multiplier`."""


@dataclasses.dataclass(frozen=True, eq=False)
class ProblemSet:
    """Problems of one algorithm and size, drawn one after another from the random stream of a seed.

    Attributes:
      algorithm: the algorithm.
      size: problem size.
      seed: seed of the problems.
      family: graph family; `CLRS30` for the distribution of CLRS-30.
      options: options of the sampler other than `family`; the others have the values of CLRS-30.
      count: number of instances; 0 for as many as in CLRS-30.
      on_lists: whether problems of the `LARGE_FAMILIES` are drawn and run as lists, without arrays of all
        pairs of nodes; their parameters are then those of SALSA-CLRS by default.
    """

    algorithm: Algorithm
    size: int
    seed: int
    family: str = CLRS30
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    count: int = 0
    on_lists: bool = False
    _kept: dict[bool, TraceBatch] = dataclasses.field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        try:
            check_canonical_seed(self.seed)
            check_count("count", self.count, minimum=0)
            if self._is_list:
                check_list_request(self.algorithm, self.size, self.seed, self.family, self.options)
                return
            self.algorithm.problem.resolve_options(self.size, self._options)
            check_memory(self.algorithm.name, self.algorithm.spec, self.size, self.num_instances)
        except ValueError as error:
            message = str(error).removeprefix(f"{self.algorithm.name}: ")
            raise ValueError(f"{self.algorithm.name}: {message}") from None

    @property
    def label(self) -> str:
        """Size and family: `64`, or `64, grid`."""
        return f"{self.size}" if self.family == CLRS30 else f"{self.size}, {self.family}"

    @property
    def num_instances(self) -> int:
        """The number of instances."""
        return self.count or CLRS30_COUNT * self.algorithm.clrs30_multiplier

    @property
    def _options(self) -> dict[str, Any]:
        return {**({} if self.family == CLRS30 else {"family": self.family}), **self.options}

    @property
    def _is_list(self) -> bool:
        return self.on_lists and self.family in LARGE_FAMILIES

    def draw(self, *, all_hints: bool = True, wait_for_compilation: bool = True) -> TraceBatch:
        """Draws the traces; those of a canonical split come from the cache on disk.

        Args:
          all_hints: whether to return the hints of all steps, rather than the first ones only.
          wait_for_compilation: as in `nar.sample_traces`.
        """
        traces = self._draw(all_hints, wait_for_compilation)
        return traces if all_hints else with_first_hints(self.algorithm.spec, traces)

    def draw_once(self, *, all_hints: bool = True, wait_for_compilation: bool = True) -> TraceBatch:
        """Draws like `draw`, and keeps the traces for the next call unless they are large."""
        if all_hints not in self._kept:
            traces = self.draw(all_hints=all_hints, wait_for_compilation=wait_for_compilation)
            groups = (traces.inputs, traces.hints, traces.outputs)
            if sum(value.nbytes for group in groups for value in group.values()) > _MAX_KEPT_BYTES:
                return traces
            self._kept[all_hints] = traces
        return self._kept[all_hints]

    def _draw(self, all_hints: bool, wait_for_compilation: bool) -> TraceBatch:
        if self._is_list:
            return sample_list_traces(
                self.algorithm, self.size, self.num_instances, self.seed, all_hints=all_hints, **self._options
            )
        origin = {"size": self.size, "count": self.num_instances, "seed": self.seed}
        if self.algorithm.in_clrs30 and not self._options:
            for name, split in CLRS30_SPLITS.items():
                if split.origin(self.algorithm) == origin:
                    return clrs30_split(self.algorithm, name, wait_for_compilation=wait_for_compilation)
        return clrs30_sample(
            self.algorithm,
            self.size,
            self.num_instances,
            self.seed,
            all_hints=all_hints,
            wait_for_compilation=wait_for_compilation,
            **self._options,
        )


def with_first_hints(spec: Spec, traces: TraceBatch) -> TraceBatch:
    """Traces with copies of the hints of the first step only, and all values of streams and answers."""
    return dataclasses.replace(traces, hints=first_hints(spec, traces))


def make_problem_sets(
    algorithm: Algorithm,
    sizes: Sequence[int],
    seeds: Sequence[int],
    families: Sequence[str] = (CLRS30,),
    options: Mapping[str, Any] = MappingProxyType({}),
    count: int = 0,
    on_lists: bool = False,
) -> list[ProblemSet]:
    """Makes a set for each size, family and seed.

    A problem without graphs has the family `CLRS30` only, and an option goes to the sets that have it.

    Args:
      algorithm: the algorithm.
      sizes: problem sizes.
      seeds: seeds of the problems.
      families: graph families.
      options: options of the sampler other than `family`.
      count: number of instances of each set; 0 for as many as in CLRS-30.
      on_lists: see `ProblemSet`.

    Raises:
      ValueError: if problems of a size, with a family or an option cannot be drawn, or a list is empty or has
        an entry twice.
    """
    for noun, values in (("size", sizes), ("seed", seeds), ("family", families)):
        if not values:
            raise ValueError(f"{algorithm.name}: at least one {noun} is needed")
        for value in values:
            if list(values).count(value) > 1:
                raise ValueError(f"{algorithm.name}: {noun} {value!r} is given twice")
    if "family" in options:
        raise ValueError(f"{algorithm.name}: families are given by name, not as the option family")
    own = families if "family" in algorithm.problem.options else (CLRS30,)
    problem = algorithm.problem
    return [
        ProblemSet(algorithm, size, seed, family, problem.options_of_family(family, options), count, on_lists)
        for size in sizes
        for family in own
        for seed in seeds
    ]


def check_options_used(options: Mapping[str, Any], sets: Sequence[ProblemSet]) -> None:
    """Raises ValueError if one of the options is an option of none of the problem sets."""
    for name in options:
        if not any(name in one.options for one in sets):
            described = sorted({f"{one.algorithm.name} ({one.family})" for one in sets})
            raise ValueError(f"option {name!r} has no effect on any of: {', '.join(described)}")
