"""Kinds: the data types of probes, the built-in ones and those that users register.

A kind says how its values are stored, and each package has a table from kinds to what it does with them:
encoders, decoders, losses, scores and so on. A custom kind brings its own entries for all of these tables,
so that one file defines it (`experiments/examples/directions.py`).
"""

import dataclasses
import enum
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np

from nar.plugins import Registry, unknown_name

Value = TypeVar("Value")


class Location(enum.Enum):
    """Carrier of a probe's values: each node, each ordered pair of nodes, or the whole graph."""

    NODE = "node"
    EDGE = "edge"
    GRAPH = "graph"


@dataclasses.dataclass(frozen=True, eq=False)
class Kind:
    """Data type of a probe, which determines its encoder, decoder, loss and score.

    `SHOULD_BE_PERMUTATION` is the output of sorting algorithms: predecessor pointers that form one chain.
    Before training it is converted to a `PERMUTATION_POINTER` (a cyclic permutation, as a one-hot matrix)
    and a `MASK_ONE` that marks the first node; see `nar.data.transforms`. `VECTOR` is a `SCALAR` with several
    numbers, and may be written as one with a width: `(Location.NODE, Kind.SCALAR, 3)`.

    Attributes:
      name: its name in files, on pages and in messages.
      dtype: dtype in which a trace stores its values.
      locations: where probes of this kind can be.
      has_classes: whether values have a last axis of `num_classes` entries, the classes or numbers.
      has_targets: whether values have a last axis of N entries, one per node.
      is_one_hot: whether the last axis of values is one-hot; generators yield its index.
      is_pointer: whether values are indices of nodes.
      is_number: whether values are real numbers, with no others that mean true, false or none.
      like: the kind from which everything is taken that this one does not bring; None for built-in kinds and
        for kinds with a format of their own.
      functions: entries of the tables by part, see `KIND_PARTS`; a dictionary by location, or one entry for
        all locations.
    """

    name: str
    dtype: Any
    locations: tuple[Location, ...] = tuple(Location)
    has_classes: bool = False
    has_targets: bool = False
    is_one_hot: bool = False
    is_pointer: bool = False
    is_number: bool = False
    like: "Kind | None" = None
    functions: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    SCALAR: ClassVar["Kind"]
    VECTOR: ClassVar["Kind"]
    CATEGORICAL: ClassVar["Kind"]
    MASK: ClassVar["Kind"]
    MASK_ONE: ClassVar["Kind"]
    POINTER: ClassVar["Kind"]
    SHOULD_BE_PERMUTATION: ClassVar["Kind"]
    PERMUTATION_POINTER: ClassVar["Kind"]

    def __repr__(self) -> str:
        return f"Kind({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return find_kind, (self.name,)

    @property
    def root(self) -> "Kind":
        """The kind at the end of the chain of `like`: a built-in one, or one with a format of its own."""
        return self if self.like is None else self.like.root

    @property
    def format(self) -> tuple[Any, ...]:
        """The format of values: two kinds of the same format can stand for each other."""
        axes = (self.has_classes, self.has_targets, self.is_one_hot)
        return (np.dtype(self.dtype), *axes, self.is_pointer, self.is_number)


_NODE_ONLY = (Location.NODE,)

Kind.SCALAR = Kind("scalar", np.float64, is_number=True)
Kind.VECTOR = Kind("vector", np.float64, has_classes=True, is_number=True)
Kind.CATEGORICAL = Kind("categorical", np.int8, has_classes=True, is_one_hot=True)
Kind.MASK = Kind("mask", np.int8)
Kind.MASK_ONE = Kind("mask_one", np.int8, (Location.NODE, Location.EDGE), is_one_hot=True)
Kind.POINTER = Kind("pointer", np.int32, is_pointer=True)
Kind.SHOULD_BE_PERMUTATION = Kind("should_be_permutation", np.int32, _NODE_ONLY, is_pointer=True)
Kind.PERMUTATION_POINTER = Kind("permutation_pointer", np.int8, _NODE_ONLY, has_targets=True, is_one_hot=True)

CLRS30_KINDS = (
    Kind.SCALAR,
    Kind.CATEGORICAL,
    Kind.MASK,
    Kind.MASK_ONE,
    Kind.POINTER,
    Kind.SHOULD_BE_PERMUTATION,
    Kind.PERMUTATION_POINTER,
)
"""The kinds of CLRS-30."""

BUILT_IN_KINDS = (*CLRS30_KINDS, Kind.VECTOR)
"""The kinds of CLRS-30, and vectors: several numbers per location."""


# ---------------------------------------------------------------------------------------------------
# Custom kinds


@dataclasses.dataclass(frozen=True)
class KindPart:
    """Part of a kind: an entry of one table.

    Attributes:
      content: signature, or other description of an entry.
      by_location: whether the table has an entry per location.
      is_optional: whether a kind may do without it.
      is_valid: predicate of entries.
    """

    content: str
    by_location: bool = False
    is_optional: bool = False
    is_valid: Callable[[Any], bool] = callable


def _is_rule(value: Any) -> bool:
    return isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) and callable(value[1])


KIND_PARTS: Mapping[str, KindPart] = MappingProxyType(
    {
        "rule": KindPart("(description, (values [M, ...], N) -> whether they are valid)", is_valid=_is_rule),
        "text": KindPart("values [..., ...] -> int64 or float64, as rendered in texts"),
        "dense": KindPart("(values, N) -> float32 values, as networks receive them"),
        "soft": KindPart("(logits, Sinkhorn iterations) -> dense values; differentiable"),
        "hard": KindPart("(logits, Sinkhorn iterations) -> discrete dense values"),
        "encode": KindPart("(dense values, node mask) -> nar.model.encoders.Channels", by_location=True),
        "links": KindPart(
            "threshold above which the sum of a dense value over both directions connects two nodes",
            by_location=True,
            is_optional=True,
            is_valid=lambda value: isinstance(value, float),
        ),
        "decode": KindPart(
            "(DecoderInputs, H, number of classes, is_training) -> logits [B, ...]", by_location=True
        ),
        "loss": KindPart("(values, logits) -> losses by location"),
        "loss_mask": KindPart("values -> bool by location, True where there is something to predict"),
        "score": KindPart("(true, predicted values) -> score of all samples, from 0 to 1"),
        "match": KindPart("(true, predicted values) -> bool, True where an entry is correct"),
        "read": KindPart("values -> one number per location, as drawn and printed"),
        "print": KindPart("(one such number, its node or -1) -> text", by_location=True),
        "glyph": KindPart(
            "number, fill, ring, arrow, matrix or value: how it is drawn",
            by_location=True,
            is_valid=lambda value: value in ("number", "fill", "ring", "arrow", "matrix", "value"),
        ),
        "page": KindPart(
            "name of the built-in kind whose numbers look alike on a page",
            is_valid=lambda value: value in {kind.name for kind in BUILT_IN_KINDS},
        ),
    }
)
"""The parts of a kind, each of which is an entry of a table in one of the packages."""

KINDS: Registry[Kind] = Registry(
    "kind",
    {kind.name: kind for kind in BUILT_IN_KINDS},
    is_valid=lambda value: isinstance(value, Kind),
    registers_imports=True,
)
"""Kinds by name."""


def find_kind(name: "str | Kind") -> Kind:
    """Looks up a kind by name or `module:ATTRIBUTE`.

    Raises:
      ValueError: if there is no such kind; the message lists the known ones.
    """
    return KINDS.find(name)


def register_kind(name: str, *, like: Kind | str | None = None, **attributes: Any) -> Kind:
    """Makes and registers a custom kind.

    Args:
      name: its name.
      like: another kind, or its name, from which all parts are taken that are not given, and the format of
        the values. Without it, or with another format, every part must be given, since none fits.
      **attributes: attributes of `Kind` (dtype, locations, ...), and parts of `KIND_PARTS`.

    Returns:
      The kind, for use in specs.

    Raises:
      ValueError: if an attribute or part is unknown, invalid or missing, or the name is taken.
    """
    fields = [field.name for field in dataclasses.fields(Kind)]
    own = [field for field in fields if field not in ("name", "like", "functions")]
    for key in attributes:
        if key not in own and key not in KIND_PARTS:
            raise ValueError(f"kind {name!r}: {unknown_name('attribute', key, [*own, *KIND_PARTS])}")
    like = None if like is None else find_kind(like)
    inherited = {} if like is None else {field: getattr(like, field) for field in own}
    format_and_places = {**inherited, **{key: attributes[key] for key in own if key in attributes}}
    if "dtype" not in format_and_places:
        raise ValueError(f"kind {name!r} needs a dtype, or `like` another kind")
    functions = {key: value for key, value in attributes.items() if key in KIND_PARTS}
    kind = Kind(name, **format_and_places, like=like, functions=MappingProxyType(functions))
    if like is not None and kind.format != like.format:
        kind = dataclasses.replace(kind, like=None)
    _check_kind(kind)
    return KINDS.register(kind)


def _check_kind(kind: Kind) -> None:
    if kind.has_classes and kind.has_targets:
        raise ValueError(f"kind {kind.name!r}: only one of has_classes and has_targets is possible")
    places = kind.locations if isinstance(kind.locations, tuple | list) else ()
    if not places or any(not isinstance(location, Location) for location in places):
        raise ValueError(f"kind {kind.name!r}: locations must be some of Location, got {kind.locations!r}")
    if kind.is_pointer != (np.dtype(kind.dtype) == np.int32):
        raise ValueError(f"kind {kind.name!r}: indices of nodes, and only they, have the dtype int32")
    for key, value in kind.functions.items():
        part = KIND_PARTS[key]
        entries = value if part.by_location and isinstance(value, Mapping) else {None: value}
        for location, entry in entries.items():
            if not part.is_valid(entry) or location not in (None, *Location):
                raise ValueError(f"kind {kind.name!r}: {key} must be {part.content}, got {value!r}")
    inherited = () if kind.like is None else kind.like.locations
    for key, part in KIND_PARTS.items():
        value = kind.functions.get(key)
        places = kind.locations if value is None else ()
        if part.by_location and isinstance(value, Mapping):
            places = tuple(location for location in kind.locations if location not in value)
        missing = [location.value for location in places if location not in inherited]
        if missing and not part.is_optional and (part.by_location or kind.like is None):
            where = f" at {', '.join(missing)}" if part.by_location else ""
            raise ValueError(f"kind {kind.name!r} needs {key}{where}: {part.content}")


def check_by_location(kind: Kind, part: str, result: Any, values: Any) -> None:
    """Raises ValueError if a part of a kind has not made an array of one entry per location of the values."""
    has_targets = kind.has_classes or kind.has_targets or kind.is_one_hot
    expected = tuple(values.shape[:-1] if has_targets else values.shape)
    given = getattr(result, "shape", None)
    if given != expected:
        got = f"{result!r:.100}" if given is None else f"one of the shape {list(given)}"
        raise ValueError(
            f"kind {kind.name!r}: {part} must return an array of the shape {list(expected)}, got {got}"
        )


# ---------------------------------------------------------------------------------------------------
# Tables


class KindTable(Mapping[Any, Value], Generic[Value]):
    """Table by kind, or by (location, kind): entries of built-in kinds, and those that custom kinds bring."""

    def __init__(self, part: str, entries: Mapping[Any, Value]) -> None:
        """Makes the table of one of `KIND_PARTS` with the entries of built-in kinds."""
        self._part, self._entries = part, MappingProxyType(dict(entries))
        self._by_location = KIND_PARTS[part].by_location

    def __getitem__(self, key: Any) -> Value:
        location, kind = key if self._by_location else (None, key)
        while kind is not None:
            if (entry := self._own_entry(location, kind)) is not None:
                return entry
            kind = kind.like
        raise KeyError(key)

    def _own_entry(self, location: Location | None, kind: Kind) -> Value | None:
        entry: Any = kind.functions.get(self._part)
        if self._by_location and isinstance(entry, Mapping):
            by_location: Any = entry
            entry = by_location.get(location)
        if entry is None:
            return self._entries.get((location, kind) if self._by_location else kind)
        return entry

    def __iter__(self) -> Iterator[Any]:
        locations = tuple(Location) if self._by_location else (None,)
        keys = (
            (place, kind) if self._by_location else kind for place in locations for kind in KINDS.values()
        )
        return (key for key in keys if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)
