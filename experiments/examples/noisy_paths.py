"""Shortest paths from noisy observations of edges, with a network that knows Bellman-Ford (arXiv 2105.02761).

The blueprint of neural algorithmic reasoning: a processor is trained on an algorithm whose inputs are plain
numbers, then frozen, and a new encoder learns to feed it what is really observed. Here the weight of an edge
is hidden; eight noisy sines of it are seen. First Bellman-Ford, then all of it but the encoder of the weights
is frozen, and 1,024 parameters of the new encoder alone are trained:

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

Cost: four minutes and one and a half, on two CPU cores that other work shares; most of the latter compiles.
Measured, seed 0, right predecessors at n = 16 (validation) and n = 64 (test); Bellman-Ford itself, with the
weights, is at 96.68 % and 92.87 %. The others are noisy_paths after 300 steps:

    this, at the learning rate 0.01 of the command              93.95 %  82.28 %
    this, at the learning rate 0.001 of the recipe              91.60 %  73.78 %
    everything trained, nothing loaded                          94.53 %  83.50 %
    the processor alone loaded and frozen, all else trained     85.55 %  60.69 %
    the processor frozen as it was drawn, all else trained      88.48 %  62.40 %

The frozen processor pays together with the encoders and decoders of hints that it was trained with; between
new ones, it does no better here than a random one.
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
_FREQUENCIES = _RANDOM.uniform(0.5, 6.0, (NUM_FEATURES, 1, 1))
_PHASES = _RANDOM.uniform(0.0, 2 * np.pi, (NUM_FEATURES, 1, 1))


def sample_observed_graph(
    random: np.random.RandomState, size: int, p: Any = 0.5, low: float = 0.0, high: float = 1.0
) -> tuple[Any, ...]:
    """A weighted graph and a source, drawn as for Bellman-Ford, and D observations of each edge.

    An observation is a sine of the weight, of a fixed frequency and phase, plus normal noise; it is the same
    in both directions, and 0 where there is no edge.
    """
    A, s = WEIGHTED_GRAPH_AND_SOURCE.sample(random, size, p=p, low=low, high=high)
    noise = random.normal(0.0, NOISE, (NUM_FEATURES, size, size))
    noise = np.triu(noise) + np.triu(noise, 1).transpose(0, 2, 1)
    return A, s, np.where(A != 0, np.sin(_FREQUENCIES * A + _PHASES) + noise, 0.0)


def check_observed_graph(A: Any, s: Any, features: Any) -> tuple[Any, ...]:
    """The arguments of Bellman-Ford, and observations [D, N, N]."""
    A, s = WEIGHTED_GRAPH_AND_SOURCE.check(A=A, s=s)
    features = np.array(features, dtype=float)
    if features.shape != (NUM_FEATURES, *A.shape) or not np.isfinite(features).all():
        raise ValueError(f"features must be {NUM_FEATURES} x {len(A)} x {len(A)} finite numbers")
    return A, s, features


class Inputs(NamedTuple):
    """What the network sees: places of the nodes, the source, which edges there are, and observations."""

    pos: np.ndarray
    s: int
    adj: np.ndarray
    x_0: np.ndarray
    x_1: np.ndarray
    x_2: np.ndarray
    x_3: np.ndarray
    x_4: np.ndarray
    x_5: np.ndarray
    x_6: np.ndarray
    x_7: np.ndarray


def observed_probes(A: np.ndarray, s: int, features: np.ndarray) -> Inputs:
    """Input probes of a graph; its weights are not among them."""
    n, x = len(A), features
    adj = A + np.eye(n) != 0
    return Inputs(np.arange(n) / n, s, adj, x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7])


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
        **{f"x_{k}": (Location.EDGE, Kind.SCALAR) for k in range(NUM_FEATURES)},
    },
    hints={probe.name: (probe.location, probe.kind) for probe in BELLMAN_FORD_SPEC.hints},
    outputs={probe.name: (probe.location, probe.kind) for probe in BELLMAN_FORD_SPEC.outputs},
)


register_jitable(bellman_ford)  # so that compiled code may loop over it


def noisy_paths(A, s, features, pi):
    """Bellman-Ford on the weights; the network is shown the observations instead."""
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
