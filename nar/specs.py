"""Probes and specs: the typed interface of an algorithm's inputs, hints and outputs.

A *probe* is one named quantity of a run. It has a stage (input, hint, output, ...), a location (one value
per node, per ordered pair of nodes, or for the whole graph) and a kind (scalar, categorical, mask,
pointer, ...). A *spec* is the ordered set of probes of one algorithm. Both are frozen and hashable, so
that they can be static arguments of compiled functions.

The vocabulary is that of CLRS-30 (Veličković et al. 2022, arXiv 2205.15659, section 2.1), and has two more
stages for algorithms on a data structure: streams, the operations that arrive one per step, and answers.
"""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from nar.kinds import KINDS, Kind, Location
from nar.rich_display import cells_table


class Stage(enum.Enum):
    """Stage at which a probe is known.

    Inputs are known before the run, and outputs after it. The others have a value at every step: streams are
    given, one value per step, as the operations on a data structure are; hints and answers are predicted.
    Answers are outputs of single steps: they are scored, and never fed back.
    """

    INPUT = "input"
    STREAM = "stream"
    HINT = "hint"
    ANSWER = "answer"
    OUTPUT = "output"

    @property
    def is_per_step(self) -> bool:
        """True if probes of this stage have a value at every step."""
        return self in (Stage.STREAM, Stage.HINT, Stage.ANSWER)

    @property
    def is_given(self) -> bool:
        """True if networks get the true values, rather than predict them."""
        return self in (Stage.INPUT, Stage.STREAM)


MASKED = -1
"""Value of mask and one-hot entries that are excluded from prediction, loss and score."""

SCALAR_TOLERANCE = 0.05
"""Error within which a predicted scalar counts as correct; relative to the true value if that exceeds 1."""

_LOCATION_SHAPES: Mapping[Location, Callable[[int], tuple[int, ...]]] = {
    Location.NODE: lambda num_nodes: (num_nodes,),
    Location.EDGE: lambda num_nodes: (num_nodes, num_nodes),
    Location.GRAPH: lambda num_nodes: (),
}


@dataclasses.dataclass(frozen=True)
class Probe:
    """One named quantity of an algorithm.

    Attributes:
      name: unique within its spec.
      stage: input, stream, hint, answer or output.
      location: node, edge or graph.
      kind: data type of its values.
      num_classes: C for categoricals and other kinds with classes, the width of vectors, 0 for every other
        kind. A scalar with a width is a vector.

    Raises:
      ValueError: if kind, location and num_classes do not fit together.
    """

    name: str
    stage: Stage
    location: Location
    kind: Kind
    num_classes: int = 0

    def __post_init__(self) -> None:
        if not isinstance(self.kind, Kind):
            raise ValueError(f"probe {self.name!r}: kind must be a Kind, got {self.kind!r}")
        if self.kind is Kind.SCALAR and self.num_classes > 0:
            object.__setattr__(self, "kind", Kind.VECTOR)
        if self.kind.has_classes != (self.num_classes > 0):
            needing = ", ".join(kind.name for kind in KINDS.values() if kind.has_classes)
            raise ValueError(
                f"probe {self.name!r}: {needing} probes need num_classes >= 1, and no other kind may have "
                f"num_classes; got kind {self.kind.name} with num_classes={self.num_classes}"
            )
        if self.location not in self.kind.locations:
            raise ValueError(
                f"probe {self.name!r}: kind {self.kind.name} cannot be at location {self.location.value}"
            )

    def shape(self, num_nodes: int) -> tuple[int, ...]:
        """Shape of one value, without batch and time axes: location axes, then classes or pointer targets."""
        shape = _LOCATION_SHAPES[self.location](num_nodes)
        if self.kind.has_classes:
            shape += (self.num_classes,)
        elif self.kind.has_targets:
            shape += (num_nodes,)
        return shape

    def compact_shape(self, num_nodes: int) -> tuple[int, ...]:
        """Shape in which a generator yields one value: an index replaces the last axis if it is one-hot."""
        shape = self.shape(num_nodes)
        return shape[:-1] if self.kind.is_one_hot else shape

    @property
    def dtype(self) -> np.dtype:
        """Dtype in which a trace stores this probe."""
        return np.dtype(self.kind.dtype)


class Spec(Mapping[str, Probe]):
    """Immutable, hashable, ordered mapping from name to probe, for one algorithm.

    Raises:
      ValueError: if two probes share a name.
    """

    def __init__(self, probes: Iterable[Probe]) -> None:
        self._probes = tuple(probes)
        self._by_name = {probe.name: probe for probe in self._probes}
        if len(self._by_name) != len(self._probes):
            names = [probe.name for probe in self._probes]
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"probe names must be unique within a spec; repeated: {repeated}")

    def __getitem__(self, name: str) -> Probe:
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_name)

    def __len__(self) -> int:
        return len(self._probes)

    def __hash__(self) -> int:
        return hash(self._probes)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Spec) and self._probes == other._probes

    def __repr__(self) -> str:
        return f"Spec({list(self._probes)!r})"

    def _repr_html_(self) -> str:
        names = [(one.stage.value, one.name, one.location.value, one.kind.name) for one in self._probes]
        return cells_table("Spec", ("stage", "probe", "location", "kind"), names)

    def at(self, stage: Stage) -> tuple[Probe, ...]:
        """Probes of one stage, in order."""
        return tuple(probe for probe in self._probes if probe.stage is stage)

    @property
    def inputs(self) -> tuple[Probe, ...]:
        """Input probes, in order."""
        return self.at(Stage.INPUT)

    @property
    def hints(self) -> tuple[Probe, ...]:
        """Hint probes, in order."""
        return self.at(Stage.HINT)

    @property
    def outputs(self) -> tuple[Probe, ...]:
        """Output probes, in order."""
        return self.at(Stage.OUTPUT)

    @property
    def streams(self) -> tuple[Probe, ...]:
        """Stream probes, in order."""
        return self.at(Stage.STREAM)

    @property
    def answers(self) -> tuple[Probe, ...]:
        """Answer probes, in order."""
        return self.at(Stage.ANSWER)

    @property
    def needs_all_steps(self) -> bool:
        """True if evaluation reads values of all steps: those of streams or answers."""
        return bool(self.streams or self.answers)

    @property
    def per_step(self) -> tuple[Probe, ...]:
        """Probes with a value at every step, in order: those that a generator yields."""
        return tuple(probe for probe in self._probes if probe.stage.is_per_step)


_Row = tuple[Location, Kind] | tuple[Location, Kind, int]

_NO_ROWS: Mapping[str, _Row] = {}


def make_spec(
    *,
    inputs: Mapping[str, _Row],
    streams: Mapping[str, _Row] = _NO_ROWS,
    hints: Mapping[str, _Row],
    answers: Mapping[str, _Row] = _NO_ROWS,
    outputs: Mapping[str, _Row],
) -> Spec:
    """Builds a spec from one mapping `name -> (location, kind[, number of classes or width])` per stage."""
    stages = zip(Stage, (inputs, streams, hints, answers, outputs), strict=True)
    return Spec(
        Probe(name, stage, row[0], row[1], row[2] if len(row) == 3 else 0)
        for stage, rows in stages
        for name, row in rows.items()
    )
