"""Partial loading: initialization from another run's parameters, matched by name.

Encoders and decoders are named by algorithm and probe, and the processor has a name of its own, so the order
of the algorithms in either run does not matter.
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
    """Initial parameters, some of them loaded from another run.

    Attributes:
      params: all parameters of the new run.
      loaded: names of the loaded ones.
    """

    params: Params
    loaded: tuple[str, ...]


def load_matching_params(
    params: Params, source: Params, patterns: Sequence[str], renames: Sequence[tuple[str, str]] = ()
) -> LoadedParams:
    """Loads the parameters that match a pattern and that both runs have.

    Args:
      params: initial parameters of the new run.
      source: parameters of the other run.
      patterns: regular expressions that are searched for in parameter names.
      renames: pairs (pattern, replacement), applied first to the names of the other run: with
        `("^bfs/", "dijkstra/")` its encoders and decoders of bfs initialize those of dijkstra.

    Raises:
      ValueError: if a pattern is not a regular expression or matches no parameter that both runs have, or if
        shapes differ.
    """
    available, targets = _renamed(dict(_named(source)), renames), dict(_named(params))
    common = [name for name in targets if name in available]
    compiled = compile_patterns("init_params", patterns)
    for pattern in compiled:
        if not any(pattern.search(name) for name in common):
            raise ValueError(
                f"init_params pattern {pattern.pattern!r} matches no parameter that both runs have; "
                f"it matches {_some(pattern, available)} there, and {_some(pattern, targets)} here"
            )
    loaded = [name for name in common if matches_any(compiled, name)]
    _check_shapes({name: (available[name].shape, targets[name].shape) for name in loaded})
    selected = set(loaded)

    def select(path: tuple[object, ...], leaf: jax.Array) -> jax.Array:
        name = parameter_name(path)
        return available[name].astype(leaf.dtype) if name in selected else leaf

    return LoadedParams(jax.tree_util.tree_map_with_path(select, params), tuple(loaded))


def describe_params(params: Params, loaded: Collection[str] | None, frozen: Collection[str]) -> list[str]:
    """Summary with one line per module: its size, whether it was loaded or is new, and whether it trains.

    Args:
      params: parameters of the run.
      loaded: names of those loaded from another run; None if the run was not initialized from one.
      frozen: names of those that do not train.
    """
    rows: dict[tuple[str, str, str], list[int]] = {}
    for name, leaf in _named(params):
        origin = "" if loaded is None else "loaded" if name in loaded else "new"
        row = rows.setdefault((_module_of(name), origin, "frozen" if name in frozen else "trained"), [0, 0])
        row[0] += 1
        row[1] += leaf.size
    width = max(len(module) for module, _, _ in rows)
    return [
        f"{module:<{width}}  {arrays:>4} arrays {size:>10,} parameters  {', '.join(filter(None, states))}"
        for (module, *states), (arrays, size) in sorted(rows.items())
    ]


def _module_of(name: str) -> str:
    """Top-level module of a parameter: `bfs/encode` for `bfs/encode/pi_h_0/w`."""
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
            raise ValueError(
                f"init_renames {pattern!r} to {replacement!r} gives two parameters the same name"
            )
        named = changed
    return named


def _check_shapes(shapes: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]) -> None:
    differ = {name: pair for name, pair in shapes.items() if pair[0] != pair[1]}
    lines = [f"  {name}: {there} there, {here} here" for name, (there, here) in differ.items()]
    if lines:
        raise ValueError("\n".join(["shapes differ from those of the other run:", *lines]))


def _some(pattern: re.Pattern[str], names: Iterable[str]) -> str:
    """The first few names that match a pattern, for messages."""
    matches = [name for name in names if pattern.search(name)]
    return ", ".join([*matches[:3], *(["..."] if len(matches) > 3 else [])]) or "none"
