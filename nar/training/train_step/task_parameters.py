"""What of a state a step of one task is about: the processor, and the encoders and decoders of that task.

Of thirty tasks it is a thirtieth of all arrays. The rest is left out of the compiled programs, which compile
and run as quickly as those of a single task.
"""

from typing import Any

import jax


class TaskParameters:
    """Takes out of trees what belongs to other tasks, and puts it back.

    What belongs to a task has its name as the first part of the name of a module, in parameters as well as in
    what an optimizer keeps for each parameter.
    """

    def __init__(self, tasks: frozenset[str]) -> None:
        """Of these tasks."""
        self._tasks = tasks
        self._masks: dict[Any, list[bool]] = {}

    def select(self, tree: Any, task: str) -> Any:
        """The tree with None in the place of each leaf of another task."""
        leaves, structure = jax.tree.flatten(tree)
        mask = self._mask(tree, structure, task)
        return structure.unflatten([leaf if own else None for leaf, own in zip(leaves, mask, strict=True)])

    def merge(self, tree: Any, own: Any, task: str) -> Any:
        """A tree with the leaves of what `take` made of it, changed meanwhile, in the place of its own."""
        leaves, structure = jax.tree.flatten(tree)
        mask, changed = self._mask(tree, structure, task), structure.flatten_up_to(own)
        chosen = [new if own else old for new, old, own in zip(changed, leaves, mask, strict=True)]
        return structure.unflatten(chosen)

    def _mask(self, tree: Any, structure: Any, task: str) -> list[bool]:
        """Of each leaf whether it is none of another task's."""
        if (structure, task) not in self._masks:
            paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(tree)]
            self._masks[structure, task] = [
                not module_prefixes(path) & (self._tasks - {task}) for path in paths
            ]
        return self._masks[structure, task]


def module_prefixes(path: tuple[Any, ...]) -> set[str]:
    """The first parts of the names in the path of a leaf."""
    keys = [key.key for key in path if isinstance(key, jax.tree_util.DictKey)]
    return {str(key).split("/")[0] for key in keys}
