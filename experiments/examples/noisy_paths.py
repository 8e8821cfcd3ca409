"""Shortest paths from noisy edge observations, with a frozen Bellman-Ford processor (arXiv 2105.02761).

The blueprint of neural algorithmic reasoning: a processor is trained on an algorithm with abstract inputs,
then frozen, and a new encoder learns to map raw observations to its inputs. Here the weight of an edge is
hidden, and eight noisy sines of it are observed. The first command trains Bellman-Ford. The second one loads
and freezes everything but the encoder of the weights, and trains only the new encoder, 576 parameters:

    MODEL="--config.model.processor=mpnn --config.model.hidden_size=64"

    python -m experiments.train --config=configs/base.py --workdir=runs/bellman_ford $MODEL \
        --config.algorithms=bellman_ford --config.training.steps=1000

    python -m experiments.train --config=configs/base.py --workdir=runs/noisy_paths $MODEL \
        --config.algorithms=experiments.examples.noisy_paths:NOISY_PATHS --config.training.steps=300 \
        --config.training.learning_rate=0.01 --config.training.eval_every=100 \
        --config.training.init_from=runs/bellman_ford \
        --config.training.init_renames="(('^bellman_ford/','noisy_paths/'),)" \
        --config.training.init_params="('^processor/','^noisy_paths/')" \
        --config.training.frozen_params="('^processor/','/decode/','/encode/(pos|s|adj|pi_h|d|msk)_')"

Cost: 100 and 50 seconds on two CPU cores; much of the latter is compilation. Accuracy of the predicted
predecessors with seed 0, at n = 16 (validation) and n = 64 (test):

    bellman_ford, with the weights as inputs                            97.07 %  92.72 %
    noisy_paths, 300 steps:
      the commands above (learning rate 0.01)                           95.90 %  83.79 %
      the same with the default learning rate 0.001                     94.73 %  80.96 %
      training everything from scratch                                  94.14 %  81.59 %
      loading and freezing only the processor, training the rest        87.30 %  61.28 %
      freezing a randomly initialized processor, training the rest      86.91 %  63.67 %

The frozen processor helps only together with the hint encoders and decoders that it was trained with; with
new ones, it is no better here than a random one.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import register_jitable

from nar.algorithms import Algorithm
from nar.algorithms.graphs.bellman_ford import SPEC as BELLMAN_FORD_SPEC
from nar.algorithms.graphs.bellman_ford import bellman_ford
from nar.problems import WEIGHTED_GRAPH_AND_SOURCE, Problem
from nar.specs import Kind, Location, make_spec

NUM_FEATURES = 8
NOISE = 0.1
_RANDOM = np.random.RandomState(2105)
_FREQUENCIES = _RANDOM.uniform(0.5, 6.0, NUM_FEATURES)
_PHASES = _RANDOM.uniform(0.0, 2 * np.pi, NUM_FEATURES)


def sample_observed_graph(
    random: np.random.RandomState, size: int, p: Any = 0.5, low: float = 0.0, high: float = 1.0
) -> tuple[Any, ...]:
    """Samples a weighted graph and a source as for Bellman-Ford, and D observations of each edge.

    An observation is a sine of the weight, with a fixed frequency and phase, plus Gaussian noise; it is
    symmetric, and 0 where there is no edge.
    """
    A, s = WEIGHTED_GRAPH_AND_SOURCE.sample(random, size, p=p, low=low, high=high)
    noise = random.normal(0.0, NOISE, (NUM_FEATURES, size, size))
    noise = np.moveaxis(np.triu(noise) + np.triu(noise, 1).transpose(0, 2, 1), 0, -1)
    weights = A[..., None]
    return A, s, np.where(weights != 0, np.sin(_FREQUENCIES * weights + _PHASES) + noise, 0.0)


def check_observed_graph(A: Any, s: Any, features: Any) -> tuple[Any, ...]:
    """Validates the arguments of Bellman-Ford and the observations [N, N, D].

    Raises:
      ValueError: if the graph is invalid, or the observations have the wrong shape or are not finite.
    """
    A, s = WEIGHTED_GRAPH_AND_SOURCE.check(A=A, s=s)
    features = np.array(features, dtype=float)
    if features.shape != (*A.shape, NUM_FEATURES) or not np.isfinite(features).all():
        raise ValueError(
            f"features must be finite numbers of shape {(*A.shape, NUM_FEATURES)}, got shape {features.shape}"
        )
    return A, s, features


class Inputs(NamedTuple):
    """Input probes of the model: node positions, source, adjacency and observations."""

    pos: np.ndarray
    s: int
    adj: np.ndarray
    features: np.ndarray


def observed_probes(A: np.ndarray, s: int, features: np.ndarray) -> Inputs:
    """Computes the input probes of a graph, which do not include its weights."""
    n = len(A)
    adj = A + np.eye(n) != 0
    return Inputs(np.arange(n) / n, s, adj, features)


OBSERVED_GRAPH = Problem(
    sample=sample_observed_graph,
    check=check_observed_graph,
    probes=observed_probes,
    directed=False,
    min_low=0.0,
    compiled=False,
)

SPEC = make_spec(
    inputs={
        "pos": (Location.NODE, Kind.SCALAR),
        "s": (Location.NODE, Kind.MASK_ONE),
        "adj": (Location.EDGE, Kind.MASK),
        "features": (Location.EDGE, Kind.SCALAR, NUM_FEATURES),
    },
    hints={probe.name: (probe.location, probe.kind) for probe in BELLMAN_FORD_SPEC.hints},
    outputs={probe.name: (probe.location, probe.kind) for probe in BELLMAN_FORD_SPEC.outputs},
)


register_jitable(bellman_ford)  # lets numba inline it below


def noisy_paths(A, s, features, pi):
    """Runs Bellman-Ford on the weights, which the model observes only through `features`."""
    for hints in bellman_ford(A, s, pi):  # noqa: UP028 (numba has no `yield from`)
        yield hints


NOISY_PATHS = Algorithm(
    name="noisy_paths",
    family="graphs",
    spec=SPEC,
    problem=OBSERVED_GRAPH,
    steps=noisy_paths,
    source="Velickovic and Blundell 2021, Neural algorithmic reasoning, arXiv 2105.02761",
)
