"""Training with dm-clrs 2.0.3 up to a score, in the order of things of its training script.

That script begins with the download of a test set, which this leaves out: validation data are drawn, as
there. Its options have the values that they have by default. Nothing of `nar` is imported here.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.benchmarks.lib.dm_clrs_network import relaxed
from experiments.benchmarks.lib.import_dm_clrs import import_clrs

SIZES = (4, 7, 11, 13, 16)
EVERY = 50
"""Steps between two validations."""


class Data(NamedTuple):
    """Endless batches, and the specification of what is in them."""

    batches: Iterator[Any]
    spec: Any


def train(
    algorithm: str, goal: float, num_steps: int, seed: int, folder: str, fixes_hints: bool, hidden_size: int
) -> None:
    """Trains until validation reaches a score, and prints a line `reached STEP SCORE`, or `missed ...`.

    Args:
      algorithm: by name.
      goal: score of validation, 0 to 1.
      num_steps: at most.
      seed: of everything.
      folder: for checkpoints.
      fixes_hints: whether the script turns predecessor hints of this algorithm into inputs.
      hidden_size: of states; 128 by default.
    """
    clrs, random = import_clrs(), np.random.RandomState(seed)
    key = jax.random.PRNGKey(random.randint(2**32))
    count = 2 * clrs.CLRS30["val"]["num_samples"]
    count *= clrs.CLRS_30_ALGS_SETTINGS[algorithm]["num_samples_multiplier"]
    with relaxed():
        training = make_data(
            clrs, algorithm, SIZES, -clrs.CLRS30["train"]["num_samples"], random, fixes_hints
        )
        validation = make_data(clrs, algorithm, SIZES[-1:], count, random, fixes_hints)
        network = make_network(clrs, validation, folder, hidden_size)
        best = -1.0
        for step in range(num_steps):
            batch = next(training.batches)
            if step == 0:
                network.init([batch.features], seed + 1)
            key, step_key, score_key = jax.random.split(key, 3)
            float(network.feedback(step_key, batch, 0))
            if step % EVERY:
                continue
            found = score(clrs, network, validation, count, score_key)
            if found > best:
                best = found
                network.save_model("best.pkl")
            if found >= goal:
                print(f"reached {step + 1} {found}", flush=True)
                return
    print(f"missed {num_steps} {best}", flush=True)


def make_data(
    clrs: Any, algorithm: str, sizes: Sequence[int], count: int, random: Any, fixes_hints: bool
) -> Data:
    """Batches of 32 of each size in turn; with a negative count traces are drawn anew without end."""
    options = {"p": tuple(0.1 + 0.1 * index for index in range(9)), "length_needle": -8}
    sources = []
    spec: Any = None
    for size in sizes:
        sampler, spec = clrs.build_sampler(
            algorithm, seed=random.randint(2**32), num_samples=count, length=size, **options
        )
        batches: Any = clrs.process_random_pos(_endless(sampler), random)
        if fixes_hints:
            spec, batches = clrs.process_pred_as_input(spec, batches)
        spec, batches = clrs.process_permutations(spec, batches, True)
        sources.append(batches)
    return Data((next(source) for source in itertools.cycle(sources)), spec)


def _endless(sampler: Any) -> Iterator[Any]:
    """Batches of one sampler; a function of its own, since a loop has one variable for all samplers."""
    while True:
        yield sampler.next(32)


def make_network(clrs: Any, data: Data, folder: str, hidden_size: int) -> Any:
    """The network of the script's defaults."""
    factory = clrs.get_processor_factory("triplet_gmpnn", use_ln=True, nb_triplet_fts=8, nb_heads=1)
    return clrs.models.BaselineModel(
        spec=[data.spec],
        dummy_trajectory=[next(data.batches)],
        processor_factory=factory,
        hidden_dim=hidden_size,
        encode_hints=True,
        decode_hints=True,
        encoder_init="xavier_on_scalars",
        learning_rate=1e-3,
        grad_clip_max_norm=1.0,
        checkpoint_path=folder,
    )


def score(clrs: Any, network: Any, data: Data, count: int, key: Any) -> float:
    """The score of validation, over as many traces as it has."""
    truths, predictions, seen = [], [], 0
    while seen < count:
        batch = next(data.batches)
        key, own_key = jax.random.split(key)
        predictions.append(network.predict(own_key, batch.features, 0)[0])
        truths.append(batch.outputs)
        seen += len(batch.features.lengths)

    def joined(parts: list[Any]) -> Any:
        return jax.tree_util.tree_map(lambda *leaves: np.concatenate(leaves), *parts)

    return float(clrs.evaluate(joined(truths), joined(predictions))["score"])
