"""Parameters nested by task: `{"processor": {module: {name: array}}, "bfs": {...}, ...}`.

The first component of a Haiku module's path is the task whose encoder or decoder it belongs to, or
`processor`. Names of parameters, such as `bfs/encode/pi_h_0/w`, are the same as without nesting. An optimizer
state contains dictionaries of this form wherever it has one entry per parameter.
"""

from collections.abc import Mapping
from typing import Any

import jax

from nar.model.init import Params

PROCESSOR = "processor"
"""Key of the parameters that all tasks share."""


def nest_by_task(params: Mapping[str, Any]) -> Params:
    """Nests parameters by module path, such as those of Haiku, by task."""
    nested: dict[str, dict[str, Any]] = {PROCESSOR: {}}
    for path, leaves in params.items():
        task, _, module = path.partition("/")
        nested.setdefault(task, {})[module] = leaves
    return nested


def flatten_tasks(params: Params) -> Params:
    """Inverse of `nest_by_task`."""
    return {
        f"{task}/{module}".rstrip("/"): leaves
        for task, modules in params.items()
        for module, leaves in modules.items()
    }


def select_task(tree: Any, task: str) -> Any:
    """The part of parameters, or of an optimizer state, that a step of one task can change.

    That is the processor and the task's encoders and decoders. Everything that is not nested by task, such as
    the step count of an optimizer, is kept.
    """

    def select(node: Any) -> Any:
        return {key: node[key] for key in (PROCESSOR, task)} if _has_task(node, task) else node

    return jax.tree.map(select, tree, is_leaf=lambda node: _has_task(node, task))


def merge_task(tree: Any, selected: Any, task: str) -> Any:
    """A whole tree with the changed result of `select_task` in place of its own."""

    def merge(old: Any, new: Any) -> Any:
        return {**old, **new} if _has_task(old, task) else new

    return jax.tree.map(merge, tree, selected, is_leaf=lambda node: _has_task(node, task))


def _has_task(node: Any, task: str) -> bool:
    return isinstance(node, dict) and PROCESSOR in node and task in node
