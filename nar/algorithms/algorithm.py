"""Definition of an algorithm: a spec, a problem, and a generator of hints."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from nar.plugins import unknown_name
from nar.problems import Problem
from nar.problems.scaling import Scaling
from nar.specs import Kind, Spec, Stage

CLRS30_FAMILIES = (
    "sorting",
    "searching",
    "divide_and_conquer",
    "greedy",
    "dynamic_programming",
    "graphs",
    "strings",
    "geometry",
)
"""The eight classes of algorithms in CLRS-30 (arXiv 2205.15659, section 2)."""

FAMILIES = (*CLRS30_FAMILIES, "data_structures")
"""The families of algorithms; `data_structures` are streams of operations with answers."""


Values = Mapping[str, np.ndarray]
"""Inputs or outputs of one instance by probe name, in the format of a trace."""


@dataclasses.dataclass(frozen=True, eq=False)
class Algorithm:
    """A textbook algorithm that yields hints at each of its steps.

    `steps(*arguments, *outputs)` is a generator in the subset of Python that numba compiles. It takes the
    arguments of the problem, followed by one array for each output of the spec, which it fills before it
    ends (Python keywords get a trailing underscore: the output `return` is the parameter `return_`). For each
    step of the trace it yields a NamedTuple with one field for each stream, hint and answer of the spec, in
    the spec's order: the stream that comes next, and the hints and answers after the one before. It may yield
    arrays that it changes later: the recorder copies them immediately.

    Hints and outputs are in compact form. Where a trace holds one-hot vectors (kinds `MASK_ONE` and
    `CATEGORICAL`), the generator uses indices: one node for a `MASK_ONE`, and at each location a class (or -1
    for masked entries) for a `CATEGORICAL`. A graph-level or `MASK_ONE` output is an array of shape [], which
    is set by `output[()] = value`.

    Attributes:
      name: the name used in CLRS-30.
      family: one of `FAMILIES`.
      spec: the probes of the algorithm.
      problem: sampler and checks of the instances that it runs on.
      steps: the generator described above.
      source: bibliographic reference.
      scaling: the changes of the problem's numbers that leave the outputs as they are; None if there are
        none. Its `degrees` name every scalar hint and output.
      fixed_hints: hints that never change during a run (`pred_h` where the order of the nodes never changes).
        The recipe of Ibarz et al. (arXiv 2209.11142) turns them into inputs.
      clrs30_multiplier: size of CLRS-30's validation and test splits, in multiples of 32 samples.
      in_clrs30: True if the algorithm is one of the thirty, and so has canonical splits.
      valid: (inputs, true outputs, predicted outputs) of one instance -> whether the predicted outputs solve
        the problem, for the metric `valid`; None if only the true outputs do.
      score: (inputs, true outputs, predicted outputs) of one instance -> number from 0 to 1. Its mean over
        instances is the score of the algorithm, which selects the best checkpoint; by default the mean of
        the scores of the outputs.

    Raises:
      ValueError: if the name is not well-formed, the family is unknown, an attribute has another type, an
        output is already a permutation pointer, or a fixed hint is not a pointer hint of the spec.
    """

    name: str
    family: str
    spec: Spec
    problem: Problem
    steps: Callable[..., Iterator[Any]]
    source: str
    scaling: Scaling | None = None
    fixed_hints: tuple[str, ...] = ()
    clrs30_multiplier: int = 1
    in_clrs30: bool = False
    valid: Callable[[Values, Values, Values], bool] | None = None
    score: Callable[[Values, Values, Values], float] | None = None

    def __post_init__(self) -> None:
        check_name(self.name)
        if self.family not in FAMILIES:
            raise ValueError(unknown_name("family", self.family, FAMILIES))
        self._check_types()
        for probe in self.spec.values():
            if probe.kind.root is Kind.PERMUTATION_POINTER:
                raise ValueError(
                    f"{self.name}: probe {probe.name!r} must be of kind {Kind.SHOULD_BE_PERMUTATION.name}; "
                    f"it is converted to a {probe.kind.name} before training"
                )
        self._check_scaling()
        for name in self.fixed_hints:
            probe = self.spec.get(name)
            if probe is None or probe.stage is not Stage.HINT or probe.kind.root is not Kind.POINTER:
                raise ValueError(f"{self.name}: fixed hint {name!r} must be a pointer hint of the spec")

    def _check_types(self) -> None:
        for name, expected in (("spec", Spec), ("problem", Problem)):
            if not isinstance(getattr(self, name), expected):
                raise ValueError(
                    f"{self.name}: {name} must be a {expected.__name__}, got {getattr(self, name)!r:.100}"
                )
        for name in ("steps", "valid", "score"):
            value = getattr(self, name)
            if not callable(value) and (value is not None or name == "steps"):
                raise ValueError(f"{self.name}: {name} must be a function, got {value!r}")

    def _check_scaling(self) -> None:
        if self.scaling is None:
            return
        unknown = set(self.scaling.arguments) - set(self.problem.arguments)
        if unknown:
            raise ValueError(
                f"{self.name}: scaling: {unknown_name('argument', min(unknown), self.problem.arguments)}"
            )
        predicted = (probe for probe in self.spec.values() if not probe.stage.is_given)
        scalars = {probe.name for probe in predicted if probe.kind in (Kind.SCALAR, Kind.VECTOR)}
        if scalars != set(self.scaling.degrees):
            raise ValueError(
                f"{self.name}: scaling.degrees must name the scalar hints, answers and outputs, "
                f"{sorted(scalars)}, got {sorted(self.scaling.degrees)}"
            )
        for probe in (*self.spec.answers, *self.spec.outputs):
            if self.scaling.degrees.get(probe.name, 0) is None:
                raise ValueError(
                    f"{self.name}: scaling: the {probe.stage.value} {probe.name!r} needs a degree"
                )

    def __repr__(self) -> str:
        return f"Algorithm({self.name!r})"


def check_name(name: object) -> None:
    """Raises ValueError unless a name can be part of paths and parameter names."""
    if not (isinstance(name, str) and name.isascii() and name.isidentifier()):
        raise ValueError(
            "the name of an algorithm must consist of ASCII letters, digits and underscores, "
            f"and not start with a digit, got {name!r}"
        )
