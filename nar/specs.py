"""What an algorithm reads, shows and returns: probes and specs.

A *probe* is one named quantity of a run. It has a stage (is it given, shown on the way, or
returned?), a location (does each node, each pair of nodes or the whole graph carry one?) and a kind
(how is its value to be read?). A *spec* is the ordered set of probes of one algorithm. Both are frozen
and hashable, so that they can be static arguments of compiled functions.

The vocabulary is that of CLRS-30 (Veličković et al. 2022, arXiv 2205.15659, section 2.1).
"""

import dataclasses
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np


class Stage(enum.Enum):
    """When a probe is known: before, during or after the run."""

    INPUT = "input"
    HINT = "hint"
    OUTPUT = "output"


class Location(enum.Enum):
    """What carries a value: each node, each ordered pair of nodes, or the graph."""

    NODE = "node"
    EDGE = "edge"
    GRAPH = "graph"


class Kind(enum.Enum):
    """How a value is to be read.

    `SHOULD_BE_PERMUTATION` is what sorting algorithms return: predecessor pointers that form one chain.
    Before training it becomes a `PERMUTATION_POINTER` (a cyclic one, as a one-hot matrix) and a
    `MASK_ONE` that marks the first node; see `nar.data.transforms`.
    """

    SCALAR = "scalar"
    CATEGORICAL = "categorical"
    MASK = "mask"
    MASK_ONE = "mask_one"
    POINTER = "pointer"
    SHOULD_BE_PERMUTATION = "should_be_permutation"
    PERMUTATION_POINTER = "permutation_pointer"


MASKED = -1
"""Entry of a mask or one-hot vector that says: there is nothing to predict here."""

DTYPES: Mapping[Kind, type[np.generic]] = {
    Kind.SCALAR: np.float64,
    Kind.CATEGORICAL: np.int8,
    Kind.MASK: np.int8,
    Kind.MASK_ONE: np.int8,
    Kind.POINTER: np.int32,
    Kind.SHOULD_BE_PERMUTATION: np.int32,
    Kind.PERMUTATION_POINTER: np.int8,
}
"""How a trace stores each kind."""

_KIND_LOCATIONS: Mapping[Kind, tuple[Location, ...]] = {
    Kind.MASK_ONE: (Location.NODE, Location.EDGE),
    Kind.SHOULD_BE_PERMUTATION: (Location.NODE,),
    Kind.PERMUTATION_POINTER: (Location.NODE,),
}
"""Where a kind makes sense, if not everywhere."""

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
      stage: input, hint or output.
      location: node, edge or graph.
      kind: how its values are to be read.
      num_classes: C for categoricals, 0 for every other kind.
    """

    name: str
    stage: Stage
    location: Location
    kind: Kind
    num_classes: int = 0

    def __post_init__(self) -> None:
        if (self.kind is Kind.CATEGORICAL) != (self.num_classes > 0):
            raise ValueError(
                f"probe {self.name!r}: a categorical needs num_classes >= 1 and no other kind takes it; "
                f"got kind {self.kind.value} with num_classes={self.num_classes}"
            )
        if self.location not in _KIND_LOCATIONS.get(self.kind, Location):
            raise ValueError(
                f"probe {self.name!r}: kind {self.kind.value} cannot be at location {self.location.value}"
            )

    def shape(self, num_nodes: int) -> tuple[int, ...]:
        """Shape of one value, without batch and time: location, then classes or targets."""
        shape = _LOCATION_SHAPES[self.location](num_nodes)
        if self.kind is Kind.CATEGORICAL:
            shape += (self.num_classes,)
        elif self.kind is Kind.PERMUTATION_POINTER:
            shape += (num_nodes,)
        return shape

    @property
    def dtype(self) -> np.dtype:
        """How a trace stores this probe."""
        return np.dtype(DTYPES[self.kind])


class Spec(Mapping[str, Probe]):
    """The probes of one algorithm by name, in order; immutable and hashable.

    Raises:
      ValueError: if two probes share a name.
    """

    def __init__(self, probes: Iterable[Probe]) -> None:
        self._probes = tuple(probes)
        self._by_name = {probe.name: probe for probe in self._probes}
        if len(self._by_name) != len(self._probes):
            names = [probe.name for probe in self._probes]
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"a spec names each probe once; repeated: {repeated}")

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

    def at(self, stage: Stage) -> tuple[Probe, ...]:
        """The probes of one stage, in order."""
        return tuple(probe for probe in self._probes if probe.stage is stage)

    @property
    def inputs(self) -> tuple[Probe, ...]:
        """What is given."""
        return self.at(Stage.INPUT)

    @property
    def hints(self) -> tuple[Probe, ...]:
        """What is shown on the way."""
        return self.at(Stage.HINT)

    @property
    def outputs(self) -> tuple[Probe, ...]:
        """What is returned."""
        return self.at(Stage.OUTPUT)


_Row = tuple[Location, Kind] | tuple[Location, Kind, int]


def make_spec(*, inputs: Mapping[str, _Row], hints: Mapping[str, _Row], outputs: Mapping[str, _Row]) -> Spec:
    """A spec from three tables `name -> (location, kind[, num_classes])`."""
    stages = ((Stage.INPUT, inputs), (Stage.HINT, hints), (Stage.OUTPUT, outputs))
    return Spec(
        Probe(name, stage, row[0], row[1], row[2] if len(row) == 3 else 0)
        for stage, rows in stages
        for name, row in rows.items()
    )
