"""The 2022 baselines on all thirty algorithms with three seeds: the rows of their table.

Command: python -m experiments.sweep --config=configs/clrs30_2022.py --sweep=configs/sweeps/clrs30_2022.py \
    --workdir=runs/clrs30_2022 --launcher=ray
Cost: 450 runs of configs/clrs30_2022.py; not run here.
Expected score: see configs/clrs30_2022.py.
"""

from configs.clrs30_2022 import PROCESSORS
from nar.algorithms import ALGORITHMS


def get_sweep(hyper):
    """A trial for each processor, algorithm and seed."""
    names = [name for name, algorithm in ALGORITHMS.items() if algorithm.in_clrs30]
    return hyper.product(
        [
            hyper.sweep("model.processor", PROCESSORS),
            hyper.sweep("algorithms", [(name,) for name in names]),
            hyper.sweep("training.seed", range(3)),
        ]
    )
