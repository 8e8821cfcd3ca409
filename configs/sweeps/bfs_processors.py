"""Two processors × two learning rates × two seeds: an example of a product sweep.

Command: python -m experiments.sweep --config=configs/bfs.py --sweep=configs/sweeps/bfs_processors.py \
    --workdir=runs/bfs_processors
Cost: eight runs of configs/bfs.py; half an hour on two CPU cores.
Expected score: not measured here yet.
"""


def get_sweep(hyper):
    """Eight trials."""
    return hyper.product(
        [
            hyper.sweep("model.processor", ["mpnn", "triplet_gmpnn"]),
            hyper.sweep("training.learning_rate", [1e-3, 3e-4]),
            hyper.sweep("training.seed", range(2)),
        ]
    )
