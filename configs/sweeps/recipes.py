"""Changes of the recipe at equal CPU time: eight algorithms, each change alone, two seeds.

Command: python -m experiments.sweep --config=configs/recipes.py --sweep=configs/sweeps/recipes.py \
    --workdir=runs/recipes --parallel=1
  Then: python -m experiments.report --recipes runs/recipes
Cost: 248 trials of configs/recipes.py; about 42 hours on two CPU cores (extrapolated from the time budget).
    Another budget: --config.training.max_cpu_minutes=5. The same command resumes.
Expected score: docs/recipes.md has what was measured.
"""

ALGORITHMS = (
    "insertion_sort",
    "heapsort",
    "dfs",
    "dijkstra",
    "floyd_warshall",
    "find_maximum_subarray_kadane",
    "binary_search",
    "kmp_matcher",
)
"""Algorithms that stand for their classes."""

NO_HINTS = {
    "model.hint_mode": "none",
    "model.termination": "budget",
    "model.budget.steps_per_node": 1.0,
}

LEVERS = {
    "default": {},
    "forgetnet": {"model.processor": "forgetnet"},
    "mpnn": {"model.processor": "mpnn"},
    "windows": {"training.window_length": 4},
    "windows_without_history": {"training.window_length": 4, "model.processor": "forgetnet"},
    "teacher_forcing": {"model.teacher_forcing": 0.5},
    "hint_noise": {"model.hint_noise": 0.1},
    "reconstruction": {"model.reconstruction_weight": 0.1},
    "no_hints": NO_HINTS,
    "fixed_positions": {"data.random_positions": False},
    "average": {"training.ema_decay": 0.99},
    "selection_beyond": {"evaluation.selection_sizes": (32,)},
    "recurrent": {"model.processor": "rnar"},
    "reversed_pointers": {"data.reversed_pointers": True},
}
"""Changes of the default recipe, by name."""

ONLY_FOR = {
    # Problems of the same execution are known where only the order of numbers matters.
    "contrastive": (
        {**NO_HINTS, "training.objective": "contrastive"},
        ("insertion_sort", "heapsort", "binary_search"),
    ),
    # Augmentations exist for sorts and graphs; floyd_warshall has no pointers from nodes to contrast.
    "augmented": (
        {"training.objective": "augmented"},
        ("insertion_sort", "heapsort", "dfs", "dijkstra", "floyd_warshall"),
    ),
    "hint_relic": (
        {"training.objective": "hint_relic", "model.pair_size": 16},
        ("insertion_sort", "heapsort", "dfs", "dijkstra"),
    ),
}
"""Changes that exist for some algorithms only: the change, and the algorithms."""


def get_sweep(hyper):
    """A trial for each algorithm, change and seed."""
    changes = [(name, change) for name in ALGORITHMS for change in LEVERS.values()]
    changes += [(name, change) for change, names in ONLY_FOR.values() for name in names]
    settings = [{"algorithms": (name,), **change} for name, change in changes]
    return hyper.product([settings, hyper.sweep("training.seed", range(2))])
