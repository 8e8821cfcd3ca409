"""Transfer: parameters of another run as the start of this one, by name; and what then trains.

Names, not positions: parameters of encoders and decoders are named by algorithm and probe, those of the
processor by itself, so that the order of the algorithms in either run does not matter.
"""

import dataclasses
import re
from collections.abc import Collection, Iterable, Sequence

import jax

from nar.model import Params
from nar.training.optim.parameter_patterns import (
    compile_patterns,
    matches_any,
    matching_names,
    parameter_name,
    parameter_names,
)


@dataclasses.dataclass(frozen=True)
class LoadedParams:
    """Parameters of which some were loaded.

    Attributes:
      params: all of the new run.
      loaded: names of those that were loaded.
    """

    params: Params
    loaded: tuple[str, ...]


def load_matching_params(
    params: Params, source: Params, patterns: Sequence[str], renames: Sequence[tuple[str, str]] = ()
) -> LoadedParams:
    """Takes over the parameters that a pattern finds and that both runs have.

    Args:
      params: of the new run, before its first step.
      source: of the other run.
      patterns: regular expressions over names of parameters.
      renames: pairs of a regular expression and what is put in its place in names of the other run, before
        anything else: `("^bfs/", "dijkstra/")` takes what is of bfs there for what is of dijkstra here.

    Raises:
      ValueError: if a pattern is no regular expression or finds no parameter that both runs have, or if
        shapes differ.
    """
    found, wanted = _renamed(dict(_named(source)), renames), dict(_named(params))
    common = [name for name in wanted if name in found]
    compiled = compile_patterns("init_params", patterns)
    for pattern in compiled:
        if not any(pattern.search(name) for name in common):
            raise ValueError(
                f"init_params pattern {pattern.pattern!r} finds no parameter that both runs have; "
                f"it finds {_some(pattern, found)} there, and {_some(pattern, wanted)} here"
            )
    loaded = [name for name in common if matches_any(compiled, name)]
    _check_shapes({name: (found[name].shape, wanted[name].shape) for name in loaded})
    chosen = set(loaded)

    def choose(path: tuple[object, ...], leaf: jax.Array) -> jax.Array:
        name = parameter_name(path)
        return found[name].astype(leaf.dtype) if name in chosen else leaf

    return LoadedParams(jax.tree_util.tree_map_with_path(choose, params), tuple(loaded))


def describe_params(params: Params, loaded: Collection[str] | None, frozen: Collection[str]) -> list[str]:
    """A line a part: its arrays and numbers, whether it was loaded or is new, and whether it trains.

    Args:
      params: of the run.
      loaded: names of those that came from another run; None if the run did not start from another.
      frozen: names of those that do not train.
    """
    rows: dict[tuple[str, str, str], list[int]] = {}
    for name, leaf in _named(params):
        origin = "" if loaded is None else "loaded" if name in loaded else "new"
        row = rows.setdefault((_part_of(name), origin, "frozen" if name in frozen else "trained"), [0, 0])
        row[0] += 1
        row[1] += leaf.size
    width = max(len(part) for part, _, _ in rows)
    return [
        f"{part:<{width}}  {arrays:>4} arrays {size:>10,} parameters  {', '.join(filter(None, states))}"
        for (part, *states), (arrays, size) in sorted(rows.items())
    ]


def _part_of(name: str) -> str:
    """`processor/mpnn` of `processor/mpnn/norm/scale`, `bfs/encode` of `bfs/encode/pi_h_0/w`."""
    return "/".join(name.split("/")[:2])


def _named(params: Params) -> list[tuple[str, jax.Array]]:
    return list(zip(parameter_names(params), jax.tree.leaves(params), strict=True))


def _renamed(named: dict[str, jax.Array], renames: Sequence[tuple[str, str]]) -> dict[str, jax.Array]:
    for pair in renames:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            raise ValueError(f"init_renames must be pairs (pattern, replacement), got {pair!r}")
        pattern, replacement = pair
        matching_names("init_renames", [pattern], list(named))
        changed = {re.sub(pattern, replacement, name): leaf for name, leaf in named.items()}
        if len(changed) < len(named):
            raise ValueError(f"init_renames {pattern!r} to {replacement!r} gives two parameters one name")
        named = changed
    return named


def _check_shapes(shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    differ = {name: pair for name, pair in shapes.items() if pair[0] != pair[1]}
    lines = [f"  {name}: {there} there, {here} here" for name, (there, here) in differ.items()]
    if lines:
        raise ValueError("\n".join(["parts of the other run do not fit:", *lines]))


def _some(pattern: re.Pattern[str], names: Iterable[str]) -> str:
    """The first of the names that a pattern finds."""
    found = [name for name in names if pattern.search(name)]
    return ", ".join([*found[:3], *(["..."] if len(found) > 3 else [])]) or "none"
