"""Discrete reasoners (Rodionov and Prokhorenkova 2024, arXiv 2402.11628), trained on at most sixteen nodes.

Command: python -m experiments.train --config=configs/discrete.py:bfs --workdir=runs/discrete_bfs
  The algorithm follows the colon: bfs, discrete_dfs, discrete_dijkstra or discrete_mst_prim.
Cost: 2,000 updates of single steps, one to two minutes on two CPU cores; then the tests, whose largest graphs
  take 10 to 60 seconds each, except for bfs. --config.evaluation.test.sizes="(16,80)" is quick.
Expected score: every graph exactly right, at all sizes (seed 0).

Each training example is one step from the true hints of a random step, so that time is folded into the
batch. Graphs are those of SALSA-CLRS (configs/salsa.py): trained on at most sixteen nodes, tested on
up to 1,600. The hints of the three further algorithms are those that a discrete reasoner needs
(nar/algorithms/graphs/discrete.py); their outputs are those of dfs, dijkstra and mst_prim.
"""

from types import MappingProxyType

from ml_collections import ConfigDict

from configs import salsa

CHOICES = MappingProxyType(
    {
        "bfs": {"attention": "receiver", "score": "sender"},
        "discrete_dfs": {"attention": "global", "score": "receiver"},
        "discrete_dijkstra": {"attention": "global", "score": "path"},
        "discrete_mst_prim": {"attention": "global", "score": "edge"},
    }
)
"""Options of the processor by algorithm: the choice of a step, and the number that ranks the candidates."""


def get_config(algorithm: str = "bfs") -> ConfigDict:
    """The config of one algorithm."""
    if algorithm not in CHOICES:
        raise ValueError(f"no discrete reasoner for {algorithm!r}; known: {', '.join(CHOICES)}")
    config = salsa.get_config(algorithm)
    config.model.processor = "discrete"
    config.model.hidden_size = 32
    config.training.steps = 2000
    config.training.eval_every = 200
    config.model.processor_options = {**CHOICES[algorithm], "annealing_steps": config.training.steps}
    config.model.hint_feedback = "hard_on_eval"
    config.model.teacher_forcing = 1.0
    config.training.window_length = 1
    config.training.window_end_fraction = 0.2
    config.training.learning_rate = 3e-3
    config.training.schedule = "cosine"
    config.training.batch_size = 32
    config.evaluation.test.count = 10
    return config
