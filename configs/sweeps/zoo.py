"""All thirty algorithms of CLRS-30, one network each, to be exported for `nar.pretrained`.

Command: python -m experiments.sweep --config=configs/zoo.py --sweep=configs/sweeps/zoo.py --workdir=runs/zoo
Cost: thirty runs of configs/zoo.py, the slow ones last; about 5.5 hours on two CPU cores, extrapolated from
    the first. The same command resumes. docs/results.md has the minutes of exported runs.
Expected score: see docs/results.md.
"""

from nar.algorithms import ALGORITHMS

SLOW = (
    "kmp_matcher",
    "quicksort",
    "heapsort",
    "bubble_sort",
    "strongly_connected_components",
    "jarvis_march",
)
"""The algorithms with the longest traces."""


def get_sweep(hyper):
    """A trial for each algorithm."""
    names = [name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30]
    slow_last = sorted(names, key=lambda name: name in SLOW)
    return hyper.sweep("algorithms", [(name,) for name in slow_last])
