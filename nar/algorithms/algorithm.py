"""What an algorithm is: a spec, a problem, and a generator that shows its steps."""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from nar.problems import Problem
from nar.specs import Kind, Spec, Stage

FAMILIES = (
    "sorting",
    "searching",
    "divide_and_conquer",
    "greedy",
    "dynamic_programming",
    "graphs",
    "strings",
    "geometry",
)
"""The eight classes of CLRS-30 (arXiv 2205.15659, section 2)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Algorithm:
    """A textbook algorithm that shows its steps.

    `steps(*arguments, *outputs)` is a generator in the subset of Python that numba compiles. It takes the
    arguments of the problem and, after them, one array for each output of the spec, which it fills before it
    ends (a keyword of Python gets an underscore: the output `return` is the parameter `return_`). At each
    moment that is a step of the trace it yields a NamedTuple with one field for each hint of the spec, in the
    spec's order. Yielded arrays may be live: the recorder copies them at once.

    Hints and outputs are in compact form. Where a trace holds one-hot vectors (kinds `MASK_ONE` and
    `CATEGORICAL`), the generator deals in indices: one node for a `MASK_ONE`, a class (or -1 where there is
    nothing to predict) at each location for a `CATEGORICAL`. A graph-level or `MASK_ONE` output is an array
    of shape [], set by `output[()] = value`.

    Attributes:
      name: as in CLRS-30.
      family: one of `FAMILIES`.
      spec: the probes of the algorithm.
      problem: the instances that it runs on.
      steps: the generator described above.
      source: where the algorithm comes from.
      fixed_hints: hints that keep their first value to the end of every run (`pred_h` where the order of
        the nodes never changes). The recipe of Ibarz et al. (arXiv 2209.11142) gives them as inputs.
      clrs30_multiplier: how many times 32 samples the validation and test splits of CLRS-30 hold.
      in_clrs30: whether the algorithm is one of the thirty, so that it has canonical splits.
    """

    name: str
    family: str
    spec: Spec
    problem: Problem
    steps: Callable[..., Iterator[Any]]
    source: str
    fixed_hints: tuple[str, ...] = ()
    clrs30_multiplier: int = 1
    in_clrs30: bool = False

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise ValueError(f"unknown family {self.family!r}; known: {', '.join(FAMILIES)}")
        for probe in self.spec.values():
            if probe.kind is Kind.PERMUTATION_POINTER:
                raise ValueError(
                    f"{self.name}: probe {probe.name!r} must be of kind {Kind.SHOULD_BE_PERMUTATION.value}; "
                    f"it becomes a {probe.kind.value} before training"
                )
        for name in self.fixed_hints:
            probe = self.spec.get(name)
            if probe is None or probe.stage is not Stage.HINT or probe.kind is not Kind.POINTER:
                raise ValueError(f"{self.name}: fixed hint {name!r} must be a pointer hint of the spec")

    def __repr__(self) -> str:
        return f"Algorithm({self.name!r})"
