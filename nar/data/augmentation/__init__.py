"""Augmentations: for a trace at a step, another problem on which the algorithm takes the same step.

Hint-ReLIC (Bevilacqua et al. 2023, arXiv 2302.10258) trains networks to represent a step in the same way for
all inputs on which it is the same. An augmentation changes whatever an algorithm has not read until then:
keys that were not compared, edges out of nodes that were not visited; and it adds nodes. The
paper's own augmentations are not known to us in detail. These keep all hints until the next step, on the
nodes of both problems: `tests/data/test_augmentation.py` runs the algorithm on both.
"""

from nar.data.augmentation.base import Augmentation, AugmentedProblem, count_equal_hints
from nar.data.augmentation.registry import AUGMENTATIONS, find_augmentation
from nar.data.augmentation.view import SHARED_NODES, SHARED_STEPS, AugmentedView

__all__ = [
    "AUGMENTATIONS",
    "SHARED_NODES",
    "SHARED_STEPS",
    "Augmentation",
    "AugmentedProblem",
    "AugmentedView",
    "count_equal_hints",
    "find_augmentation",
]
