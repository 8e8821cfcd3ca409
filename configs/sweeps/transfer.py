"""Four settings of transfer × three sizes of the training set × five seeds, on noisy shortest paths.

Command: python -m experiments.sweep --config=configs/transfer.py:scratch --sweep=configs/sweeps/transfer.py \
    --workdir=runs/transfer
  Then: python -m experiments.report runs/transfer --output=reports/transfer
Cost: sixty runs of configs/transfer.py; about an hour and a half on two CPU cores (extrapolated).
Expected score: not measured here yet.
"""

from configs.transfer import SETTINGS


def get_sweep(hyper):
    """A trial for each setting, number of graphs and seed."""
    return hyper.product(
        [
            list(SETTINGS.values()),
            hyper.sweep("data.num_traces", (8, 32, 128)),
            hyper.sweep("training.seed", range(5)),
        ]
    )
