"""Random problem instances, and checks of a user's own.

A `Problem` draws the arguments of an algorithm, checks arguments that a user brings, and lays them out as
input probes. Samplers read from a `numpy.random.RandomState`: its draws are the same in every numpy
release, and CLRS-30 is defined by them. `nar.traces` hands in either the one sequential stream of a
canonical split, or a counter-based stream of each trace's own.

The draws of every sampler (which, how many, in which order) are those of CLRS-30 (arXiv 2205.15659).
Note that its undirected graph keeps the edge {i, j} only if both of two independent coins of probability p
say so: an undirected edge exists with probability p².
"""

import dataclasses
import inspect
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Array = np.ndarray
Arguments = tuple[Any, ...]
Random = np.random.RandomState

_LARGEST_SIZE = 2**16
_LARGEST, _SMALLEST = 1e100, 1e-100
"""Bounds of numbers and of ranges to draw from, so that no algorithm meets an overflow or an underflow."""


@dataclasses.dataclass(frozen=True)
class Problem:
    """A family of instances.

    Attributes:
      sample: `(random, size, **options) -> arguments`; `random` is a `numpy.random.RandomState`.
      check: `(**arguments) -> arguments` in canonical types; raises ValueError on what the algorithms
        that take this problem cannot run on. Its parameter names are the names of the arguments.
      probes: `(*arguments) -> {name: array}`, the input probes of a whole batch at once: every argument
        and every result has a leading batch axis.
      min_size: the smallest size that can be drawn.
      min_low: the least value that the option `low` may have.
      aliases: pairs (other name under which a user may give an argument, the argument).
    """

    sample: Callable[..., Arguments]
    check: Callable[..., Arguments]
    probes: Callable[..., dict[str, Array]]
    min_size: int = 1
    min_low: float = -np.inf
    aliases: tuple[tuple[str, str], ...] = ()

    @property
    def options(self) -> dict[str, Any]:
        """The options that `sample` takes, with their defaults."""
        parameters = list(inspect.signature(self.sample).parameters.values())[2:]
        return {parameter.name: parameter.default for parameter in parameters}

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the arguments, in order."""
        return tuple(inspect.signature(self.check).parameters)

    def check_request(self, size: int, options: Mapping[str, Any]) -> None:
        """Raises ValueError if no instance of this size with these options can be drawn."""
        if not _is_integer(size) or not self.min_size <= size <= _LARGEST_SIZE:
            raise ValueError(f"size must be an integer from {self.min_size} to {_LARGEST_SIZE}, got {size!r}")
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = ", ".join(self.options) or "none"
            raise ValueError(f"unknown problem option {unknown[0]!r}; known: {known}")
        for name, value in options.items():
            _OPTION_CHECKS[name](name, value)
        drawn_with = {**self.options, **options}
        if "low" in drawn_with:
            self._check_range(float(drawn_with["low"]), float(drawn_with["high"]))

    def _check_range(self, low: float, high: float) -> None:
        if low < self.min_low:
            raise ValueError(f"low must be at least {self.min_low:g}, got {low!r}")
        if high - low < _SMALLEST:
            raise ValueError(
                f"high must be greater than low by {_SMALLEST:g}, got low={low!r}, high={high!r}"
            )

    def bind(self, *values: Any, **named: Any) -> Arguments:
        """A user's own arguments, checked and in canonical types.

        Raises:
          ValueError: if an argument is missing, unknown, given twice or not valid.
        """
        if len(values) > len(self.arguments):
            raise ValueError(f"expected the arguments {', '.join(self.arguments)}, got {len(values)} values")
        given = dict(zip(self.arguments, values, strict=False))
        for name, value in named.items():
            canonical = dict(self.aliases).get(name, name)
            if canonical not in self.arguments:
                raise ValueError(f"unknown argument {name!r}; expected {', '.join(self.arguments)}")
            if canonical in given:
                raise ValueError(f"argument {canonical!r} is given twice")
            given[canonical] = value
        missing = [name for name in self.arguments if name not in given]
        if missing:
            raise ValueError(f"missing argument {missing[0]!r}; expected {', '.join(self.arguments)}")
        return self.check(**given)


# ---------------------------------------------------------------------------------------------------
# Options


def _check_probability(name: str, value: Any) -> None:
    values = np.atleast_1d(np.asarray(value, dtype=object))
    if values.ndim != 1 or not values.size:
        raise ValueError(f"{name} must be a probability or a sequence of them, got {value!r}")
    for item in values:
        if not _is_real(item) or not 0 <= item <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, got {item!r}")


def _check_real(name: str, value: Any) -> None:
    number = value.item() if isinstance(value, np.generic) else value
    if not _is_real(number) or not abs(number) <= _LARGEST:
        raise ValueError(f"{name} must be a number of at most {_LARGEST:g} in size, got {value!r}")


def _check_positive_integer(name: str, value: Any) -> None:
    if value is None:
        return
    if not _is_integer(value) or not 1 <= value <= _NO_BOUND:
        raise ValueError(f"{name} must be an integer from 1 to {_NO_BOUND}, got {value!r}")


def _is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


_OPTION_CHECKS: Mapping[str, Callable[[str, Any], None]] = {
    "p": _check_probability,
    "low": _check_real,
    "high": _check_real,
    "max_deadline": _check_positive_integer,
}

Probabilities = float | Sequence[float]


# ---------------------------------------------------------------------------------------------------
# Checks of arrays that a user brings


def _real_array(name: str, value: Any, rank: int) -> Array:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be an array of real numbers, got {reprlib.repr(value)}")
    if array.ndim != rank or not array.size:
        raise ValueError(f"{name} must be a non-empty array of rank {rank}, got shape {array.shape}")
    array = array.astype(np.float64)
    valid = np.abs(array) <= _LARGEST
    if not valid.all():
        raise ValueError(
            f"{name} must hold numbers of at most {_LARGEST:g} in size, got {array[~valid][0]:g}"
        )
    return array


def _integer_array(name: str, value: Any, low: int, high: int) -> Array:
    array = _real_array(name, value, rank=1)
    if (array != np.round(array)).any() or (array < low).any() or (array > high).any():
        wrong = array[(array != np.round(array)) | (array < low) | (array > high)][0]
        bounds = f"of at least {low}" if high == _NO_BOUND else f"from {low} to {high}"
        raise ValueError(f"{name} must hold integers {bounds}, got {wrong:g}")
    return array.astype(np.int64)


_NO_BOUND = 2**53
"""All integers up to here are exact as floats."""


def _same_length(**arrays: Array) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        raise ValueError(f"the arguments must have one length, got {lengths}")


def _matrix(name: str, value: Any) -> Array:
    matrix = _real_array(name, value, rank=2)
    if matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"{name} must be a square matrix, got shape {matrix.shape}")
    return matrix


def _node(name: str, value: Any, num_nodes: int) -> int:
    try:
        node = float(_real_array(name, value, rank=0))
    except ValueError:
        node = np.nan
    if isinstance(value, bool | np.bool_) or node not in range(num_nodes):
        raise ValueError(
            f"{name} must be a node, an integer from 0 to {num_nodes - 1}, got {reprlib.repr(value)}"
        )
    return int(node)


# ---------------------------------------------------------------------------------------------------
# Input probes that several problems share; every argument has a leading batch axis


def _positions(array: Array) -> Array:
    """i / n for each of the n nodes; [B, N]."""
    batch_size, num_nodes = array.shape[:2]
    return np.tile(np.arange(num_nodes) / num_nodes, (batch_size, 1))


def _one_hot(index: Array, num_classes: int) -> Array:
    return (np.asarray(index)[..., None] == np.arange(num_classes)).astype(np.int8)


# ---------------------------------------------------------------------------------------------------
# Sequences


def _sample_sequence(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    return (random.uniform(low=low, high=high, size=(size,)),)


def _check_sequence(A: Any) -> Arguments:
    return (_real_array("A", A, rank=1),)


SEQUENCE = Problem(
    sample=_sample_sequence,
    check=_check_sequence,
    probes=lambda A: {"pos": _positions(A), "key": A},
    aliases=(("key", "A"),),
)
"""Keys, uniform in [low, high)."""


def _check_dimensions(p: Any) -> Arguments:
    p = _real_array("p", p, rank=1)
    if (p <= 0).any():
        raise ValueError(f"p must hold positive matrix dimensions, got {p[p <= 0][0]:g}")
    return (p,)


MATRIX_DIMENSIONS = Problem(
    sample=_sample_sequence,
    check=_check_dimensions,
    probes=lambda p: {"pos": _positions(p), "p": p},
    min_low=0.0,
)
"""Dimensions of a chain of matrices, uniform in [low, high); matrix i is p[i-1] × p[i]."""


# ---------------------------------------------------------------------------------------------------
# Strings

NUM_CHARACTERS = 4


def _sample_two_strings(random: Random, size: int) -> Arguments:
    length_y = size // 2
    x = random.randint(0, high=NUM_CHARACTERS, size=(size - length_y,))
    y = random.randint(0, high=NUM_CHARACTERS, size=(length_y,))
    return x, y


def _check_two_strings(x: Any, y: Any) -> Arguments:
    if isinstance(x, str) and isinstance(y, str):
        letters = sorted(set(x + y))
        if len(letters) > NUM_CHARACTERS:
            found = "".join(letters)
            raise ValueError(f"x and y may use {NUM_CHARACTERS} different letters, got {found!r}")
        x, y = ([letters.index(letter) for letter in string] for string in (x, y))
    highest = NUM_CHARACTERS - 1
    return _integer_array("x", x, 0, highest), _integer_array("y", y, 0, highest)


def _two_strings_probes(x: Array, y: Array) -> dict[str, Array]:
    return {
        "string": np.concatenate([np.zeros_like(x), np.ones_like(y)], axis=1),
        "pos": np.concatenate([_positions(x), _positions(y)], axis=1),
        "key": _one_hot(np.concatenate([x, y], axis=1), NUM_CHARACTERS),
    }


TWO_STRINGS = Problem(
    sample=_sample_two_strings, check=_check_two_strings, probes=_two_strings_probes, min_size=2
)
"""Two strings over four characters; `size` is the sum of their lengths, the first is the longer one."""


# ---------------------------------------------------------------------------------------------------
# Tasks


def _sample_tasks(
    random: Random,
    size: int,
    max_deadline: int | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> Arguments:
    d = random.randint(0, high=max_deadline or size, size=(size,)) + 1
    w = random.uniform(low=low, high=high, size=(size,))
    return d, w


def _check_tasks(d: Any, w: Any) -> Arguments:
    d, w = _integer_array("d", d, 1, _NO_BOUND), _real_array("w", w, rank=1)
    _same_length(d=d, w=w)
    return d, w


TASKS = Problem(
    sample=_sample_tasks,
    check=_check_tasks,
    probes=lambda d, w: {"pos": _positions(d), "d": d, "w": w},
)
"""Unit-time tasks: deadlines uniform in 1 ... max_deadline (if None, the size), weights in [low, high)."""


# ---------------------------------------------------------------------------------------------------
# Points


def _sample_segments(random: Random, size: int, low: float = 0.0, high: float = 1.0) -> Arguments:
    del size
    wanted = random.binomial(1, 0.5)
    while True:
        xs, ys = (random.uniform(low=low, high=high, size=(4,)) for _ in range(2))
        if _cross(xs, ys) == wanted:
            return xs, ys


def _cross(xs: Array, ys: Array) -> bool:
    """Whether 01 separates 2 from 3 and 23 separates 0 from 1; collinear points count as clockwise."""

    def counter_clockwise(a: int, b: int, c: int) -> bool:
        return (ys[c] - ys[a]) * (xs[b] - xs[a]) > (ys[b] - ys[a]) * (xs[c] - xs[a])

    return counter_clockwise(0, 2, 3) != counter_clockwise(1, 2, 3) and (
        counter_clockwise(0, 1, 2) != counter_clockwise(0, 1, 3)
    )


def _check_segments(xs: Any, ys: Any) -> Arguments:
    xs, ys = _real_array("xs", xs, rank=1), _real_array("ys", ys, rank=1)
    if len(xs) != 4 or len(ys) != 4:
        raise ValueError(
            "xs and ys must hold four coordinates each (segment 01 and segment 23), "
            f"got {len(xs)} and {len(ys)}"
        )
    return xs, ys


SEGMENTS = Problem(
    sample=_sample_segments,
    check=_check_segments,
    probes=lambda xs, ys: {"pos": _positions(xs), "x": xs, "y": ys},
    aliases=(("x", "xs"), ("y", "ys")),
)
"""Two segments in a square; half of the instances intersect. There are four points whatever the size."""


# ---------------------------------------------------------------------------------------------------
# Graphs


def erdos_renyi(
    random: Random,
    num_nodes: int,
    p: float,
    *,
    weighted: bool = False,
    low: float = 0.0,
    high: float = 1.0,
) -> Array:
    """An undirected random graph as CLRS-30 draws it.

    Args:
      random: the stream to draw from.
      num_nodes: N.
      p: probability of each of the two coins of a pair; an edge exists with probability p².
      weighted: whether edges carry weights sqrt(u·v + 0.001) with u, v uniform in [low, high), or 1.
      low: least value of u and v.
      high: greatest value of u and v.

    Returns:
      Symmetric matrix [N, N], 0 where there is no edge. The diagonal may be set.
    """
    matrix = random.binomial(1, p, size=(num_nodes, num_nodes))
    matrix = matrix * matrix.T
    if not weighted:
        return matrix.astype(np.float64)
    weights = random.uniform(low=low, high=high, size=(num_nodes, num_nodes))
    return matrix * np.sqrt(weights * weights.T + 1e-3)


def _sample_graph_and_source(random: Random, size: int, p: Probabilities = 0.5) -> Arguments:
    graph = erdos_renyi(random, size, random.choice(np.atleast_1d(p)))
    return graph, random.choice(size)


def _sample_weighted_graph_and_source(
    random: Random, size: int, p: Probabilities = 0.5, low: float = 0.0, high: float = 1.0
) -> Arguments:
    probability = random.choice(np.atleast_1d(p))
    graph = erdos_renyi(random, size, probability, weighted=True, low=low, high=high)
    return graph, random.choice(size)


def _check_graph_and_source(A: Any, s: Any) -> Arguments:
    A = _matrix("A", A)
    if (A < 0).any():
        raise ValueError(f"A must not hold negative entries, got {A[A < 0][0]:g}")
    return A, _node("s", s, len(A))


def _check_weighted_graph_and_source(A: Any, s: Any) -> Arguments:
    A = _matrix("A", A)
    source = _node("s", s, len(A))
    if _reaches_negative_cycle(A, source):
        raise ValueError(f"A has a cycle of negative weight that node {source} reaches")
    return A, source


def _reaches_negative_cycle(A: Array, source: int) -> bool:
    """Whether distances from `source` still shrink after n - 1 rounds of relaxation.

    No tolerance: rounds of these very sums are what the algorithms repeat until nothing shrinks any more.
    """
    if (A >= 0).all():
        return False
    lengths = np.where(A != 0, A, np.inf)
    distances = np.full(len(A), np.inf)
    distances[source] = 0
    for _ in range(len(A) - 1):
        distances = np.minimum(distances, (distances[:, None] + lengths).min(axis=0))
    relaxed = (distances[:, None] + lengths).min(axis=0)
    return bool((relaxed < distances).any())


def _graph_and_source_probes(A: Array, s: Array) -> dict[str, Array]:
    num_nodes = A.shape[-1]
    return {
        "pos": _positions(A),
        "s": _one_hot(s, num_nodes),
        "A": A,
        "adj": (A + np.eye(num_nodes) != 0).astype(np.int8),
    }


GRAPH_AND_SOURCE = Problem(
    sample=_sample_graph_and_source,
    check=_check_graph_and_source,
    probes=_graph_and_source_probes,
)
"""An undirected graph without weights (see `erdos_renyi`), its p drawn from `p`, and a source node."""

WEIGHTED_GRAPH_AND_SOURCE = Problem(
    sample=_sample_weighted_graph_and_source,
    check=_check_weighted_graph_and_source,
    probes=_graph_and_source_probes,
    min_low=0.0,
)
"""An undirected weighted graph (see `erdos_renyi`), its p drawn from `p`, and a source node."""
