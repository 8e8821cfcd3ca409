"""Nodes of a user's graph: their labels, and the position of each in the arrays of a trace."""

import re
import reprlib
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from nar.plugins import did_you_mean
from nar.problems.options import is_integer

MAX_NODES = 4096
"""Maximum number of nodes of a graph that is converted to a matrix."""

MAX_NODES_OF_EDGES = 2**16
"""Maximum number of nodes of a graph whose edges are listed."""

_INTEGER = re.compile(r"0|-?[1-9]\d*", re.ASCII)


class Nodes:
    """Order of the nodes of a graph.

    Labels that are exactly 0 ... N - 1 are positions, in whatever order the user lists them. Other integers
    are in ascending order, all other labels in the order in which they appear. Text that spells an integer,
    as in graphs read from files, counts as that integer if this applies to all labels.

    Attributes:
      labels: label of each position; None if the labels are the positions.
    """

    def __init__(
        self,
        name: str,
        labels: Iterable[Hashable],
        *,
        keep_order: bool = False,
        merge_text: bool = False,
        max_nodes: int = MAX_NODES,
    ) -> None:
        """Orders the nodes of a graph.

        Args:
          name: name of the argument, for error messages.
          labels: labels in order of appearance; repeated ones count once.
          keep_order: whether integers other than 0 ... N - 1 stay in this order.
          merge_text: whether an integer and its text are the same node, as where the keys of JSON are nodes.
          max_nodes: maximum number of nodes.

        Raises:
          ValueError: if there are no or too many nodes, or if different labels look the same.
        """
        unique = list(dict.fromkeys(labels))
        label_of = _by_integer(unique, merge_text)
        self._name = name
        self._spelled = label_of is not None and any(isinstance(label, str) for label in unique)
        if label_of is None:
            label_of = {label: label for label in unique}
        elif set(label_of) == set(range(len(label_of))) or not keep_order:
            label_of = {key: label_of[key] for key in sorted(label_of, key=int)}
        if not 1 <= len(label_of) <= max_nodes:
            raise ValueError(f"{name} must have 1 to {max_nodes} nodes, got {len(label_of)}")
        _check_different(name, label_of.values())
        positional = list(label_of) == list(range(len(label_of)))
        self.labels: tuple[Hashable, ...] | None = None if positional else tuple(label_of.values())
        self._index: Mapping[Hashable, int] = {key: place for place, key in enumerate(label_of)}

    def __len__(self) -> int:
        return len(self._index)

    def index(self, label: Hashable) -> int:
        """Position of the node with this label; raises KeyError if there is none."""
        if self._spelled and isinstance(label, str) and _INTEGER.fullmatch(label):
            label = int(label)
        return self._index[label]

    def find(self, argument: str, label: Any) -> int:
        """Position of the node that a user's argument names.

        Raises:
          ValueError: if there is no such node.
        """
        is_scalar = isinstance(label, np.generic | np.ndarray) and label.ndim == 0
        key: Any = label.item() if is_scalar else label
        known = list(self._index if self.labels is None else self.labels)
        try:
            if not isinstance(key, bool) or any(one is key for one in known):
                return self.index(key)
        except (KeyError, TypeError):
            pass
        near = did_you_mean(label, [other for other in known if isinstance(other, str)])
        other_type = [other for other in known if str(other) == str(label)]
        hint = f"; did you mean {other_type[0]!r}?" if other_type and not near else near
        raise ValueError(
            f"{argument} must be one of the nodes of {self._name}, {reprlib.repr(known)}, "
            f"got {reprlib.repr(label)}{hint}"
        )


def positional_nodes(name: str, num_nodes: Any, max_nodes: int = MAX_NODES) -> Nodes:
    """The nodes 0 ... num_nodes - 1."""
    if not is_integer(num_nodes) or not 1 <= num_nodes <= max_nodes:
        raise ValueError(f"{name} must have 1 to {max_nodes} nodes, got {reprlib.repr(num_nodes)}")
    return Nodes(name, range(int(num_nodes)), max_nodes=max_nodes)


def listed_labels(name: str, nodes: Any) -> list[Hashable]:
    """The labels that a user lists as `nodes`, all different."""
    if isinstance(nodes, str | bytes | Mapping) or not isinstance(nodes, Iterable):
        raise ValueError(f"nodes must be a list of the labels of {name}, got {reprlib.repr(nodes)}")
    labels = [clean_label(name, label, label) for label in nodes]
    if len(set(labels)) < len(labels):
        repeated = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"nodes must be different labels, got {reprlib.repr(repeated)} twice")
    return labels


def integer_labels(name: str, floats: np.ndarray) -> np.ndarray:
    """Whole numbers of a float array as integers.

    Raises:
      ValueError: if one is so large that different integers are the same float.
    """
    limit = 2.0 ** (np.finfo(floats.dtype).nmant + 1)
    large = floats[np.abs(floats) >= limit]
    if large.size:
        raise ValueError(
            f"{name} must have nodes that {floats.dtype} tells apart, got {large.flat[0]:.0f}: give them as "
            "integers or text"
        )
    return floats.astype(np.int64)


def clean_label(name: str, label: Any, where: Any) -> Hashable:
    """Converts numpy scalars to Python objects; raises ValueError for what cannot name a node.

    Args:
      name: name of the argument, for error messages.
      label: the label.
      where: what it was found in, for error messages.
    """
    label = label.item() if isinstance(label, np.generic) else label
    if isinstance(label, bool | float | complex) or not _is_hashable(label) or _is_missing(label):
        raise ValueError(
            f"edges of {name} must connect nodes 0, 1, 2, ..., or nodes with labels such as text, "
            f"got {reprlib.repr(where)}"
        )
    return label


def _is_missing(label: Any) -> bool:
    """True for None, and for NaT and NA of pandas, which do not equal themselves."""
    try:
        return label is None or bool(label != label)
    except TypeError:
        return True


def _is_hashable(label: Any) -> bool:
    try:
        hash(label)
    except TypeError:
        return False
    return True


def _by_integer(labels: Sequence[Any], merge_text: bool) -> dict[Any, Hashable] | None:
    """Label by the integer that it is or spells; None if some are neither, or are the same unintentionally.

    The labels are the integers themselves if only some are text.
    """
    spelled = [isinstance(label, str) and _INTEGER.fullmatch(label) is not None for label in labels]
    if not all(is_text or is_integer(label) for label, is_text in zip(labels, spelled, strict=True)):
        return None
    by_integer: dict[Any, Hashable] = {int(label): label if all(spelled) else int(label) for label in labels}
    return by_integer if merge_text or len(by_integer) == len(labels) else None


def _check_different(name: str, labels: Iterable[Hashable]) -> None:
    by_text: dict[str, Hashable] = {}
    for label in labels:
        other = by_text.setdefault(str(label), label)
        if other != label or type(other) is not type(label):
            raise ValueError(f"nodes of {name} must not look alike, got {other!r} and {label!r}")
