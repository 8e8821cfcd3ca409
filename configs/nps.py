"""A neural production system on the arithmetic task (Goyal et al. 2021, arXiv 2103.01937).

Command: python -m experiments.train --config=configs/nps.py --workdir=runs/nps
  With --config=configs/nps.py:gnn messages between the nodes, without rules.
Cost: 6,000 steps, about 10 minutes on two CPU cores under other load.
Expected score: mean squared error 0.0004 at 20 operations, 0.0005 at 50; gnn 0.00013 and 0.00016 (seed 0).

Trained and tested on 20 operations; other numbers:
  python -m experiments.evaluate --workdir=runs/nps --trust --sizes=2 --name=length_50 \
      --problem="{'num_operations': 50}"
"""

from ml_collections import ConfigDict

from configs import base

NETWORKS = {
    "rules": {"processor": "production_system", "processor_options": {"num_rules": 3}},
    "gnn": {"processor": "mpnn"},
}
"""Network -> model keys."""


def get_config(network: str = "rules") -> ConfigDict:
    """The config of one network.

    Raises:
      ValueError: if the network is unknown.
    """
    if network not in NETWORKS:
        raise ValueError(f"unknown network {network!r}; known: {', '.join(NETWORKS)}")
    config = base.get_config()
    config.algorithms = ("experiments.examples.arithmetic:ARITHMETIC",)
    config.model.update(hidden_size=64, layer_norm=False, **NETWORKS[network])
    config.data.sizes = (2,)
    config.data.random_positions = False
    config.training.steps = 6_000
    config.training.eval_every = 500
    config.training.schedule = "cosine"
    config.training.batch_size = 50
    config.evaluation.metrics = ("experiments.examples.arithmetic:squared_error",)
    config.evaluation.selection = "squared_error"
    config.evaluation.validation.update(sizes=(2,), count=200)
    config.evaluation.test.update(sizes=(2,), count=200)
    return config
