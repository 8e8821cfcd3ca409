"""The part of the train state that a step of one task can change.

That is the processor and the task's encoders and decoders; with thirty tasks it is a thirtieth of all arrays.
The rest is left out of the compiled programs, which then compile and run as fast as those of a single task.
"""

from typing import Any

import jax


class TaskParameters:
    """Partition of trees by task: selects the leaves of one task and merges them back.

    The task is the first component of a module's name, in parameters and in optimizer states alike.
    """

    def __init__(self, tasks: frozenset[str]) -> None:
        """Partitions by these task names."""
        self._tasks = tasks
        self._masks: dict[Any, list[bool]] = {}

    def select(self, tree: Any, task: str) -> Any:
        """The tree with None in place of each leaf of another task."""
        leaves, structure = jax.tree.flatten(tree)
        mask = self._mask(tree, structure, task)
        selected = [leaf if is_used else None for leaf, is_used in zip(leaves, mask, strict=True)]
        return structure.unflatten(selected)

    def merge(self, tree: Any, selected: Any, task: str) -> Any:
        """The whole tree with the leaves of a (changed) result of `select` in place of its own."""
        leaves, structure = jax.tree.flatten(tree)
        mask, changed = self._mask(tree, structure, task), structure.flatten_up_to(selected)
        merged = [new if is_used else old for new, old, is_used in zip(changed, leaves, mask, strict=True)]
        return structure.unflatten(merged)

    def _mask(self, tree: Any, structure: Any, task: str) -> list[bool]:
        """Flags of the leaves that belong to no other task."""
        if (structure, task) not in self._masks:
            paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
            self._masks[structure, task] = [
                not module_prefixes(path) & (self._tasks - {task}) for path in paths
            ]
        return self._masks[structure, task]


def module_prefixes(path: tuple[Any, ...]) -> set[str]:
    """First components of the names in a leaf's path."""
    keys = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
    return {str(key).split("/")[0] for key in keys}
