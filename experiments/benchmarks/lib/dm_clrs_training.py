"""Training with dm-clrs 2.0.3 up to a score, following its training script.

The script first downloads a test set, which is left out here; validation data are sampled, as in the script.
Its options have their default values. This module does not import `nar`.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.benchmarks.lib.dm_clrs_network import relax_jax_checks
from experiments.benchmarks.lib.import_dm_clrs import import_clrs

SIZES = (4, 7, 11, 13, 16)
EVAL_EVERY = 50
"""Steps between evaluations."""


class Data(NamedTuple):
    """Infinite iterator over batches, and their spec."""

    batches: Iterator[Any]
    spec: Any


def train(
    algorithm: str,
    goal: float,
    num_steps: int,
    seed: int,
    folder: str,
    has_fixed_hints: bool,
    hidden_size: int,
) -> None:
    """Trains until a validation score is reached, and prints `reached STEP SCORE` or `missed STEPS BEST`.

    Args:
      algorithm: name of the algorithm.
      goal: validation score, 0 to 1.
      num_steps: maximum number of steps.
      seed: seed of all randomness.
      folder: directory of checkpoints.
      has_fixed_hints: whether the script converts predecessor hints of this algorithm to inputs.
      hidden_size: hidden size; the script's default is 128.
    """
    clrs, random = import_clrs(), np.random.RandomState(seed)
    key = jax.random.PRNGKey(random.randint(2**32))
    count = 2 * clrs.CLRS30["val"]["num_samples"]
    count *= clrs.CLRS_30_ALGS_SETTINGS[algorithm]["num_samples_multiplier"]
    with relax_jax_checks():
        training = make_data(
            clrs, algorithm, SIZES, -clrs.CLRS30["train"]["num_samples"], random, has_fixed_hints
        )
        validation = make_data(clrs, algorithm, SIZES[-1:], count, random, has_fixed_hints)
        network = make_network(clrs, validation, folder, hidden_size)
        best = -1.0
        for step in range(num_steps):
            batch = next(training.batches)
            if step == 0:
                network.init([batch.features], seed + 1)
            key, step_key, score_key = jax.random.split(key, 3)
            float(network.feedback(step_key, batch, 0))
            if step % EVAL_EVERY:
                continue
            validation_score = score(clrs, network, validation, count, score_key)
            if validation_score > best:
                best = validation_score
                network.save_model("best.pkl")
            if validation_score >= goal:
                print(f"reached {step + 1} {validation_score}", flush=True)
                return
    print(f"missed {num_steps} {best}", flush=True)


def make_data(
    clrs: Any, algorithm: str, sizes: Sequence[int], count: int, random: Any, has_fixed_hints: bool
) -> Data:
    """Batches of 32, cycling through sizes; a negative count samples new traces forever."""
    options = {"p": tuple(0.1 + 0.1 * index for index in range(9)), "length_needle": -8}
    sources = []
    spec: Any = None
    for size in sizes:
        sampler, spec = clrs.build_sampler(
            algorithm, seed=random.randint(2**32), num_samples=count, length=size, **options
        )
        batches: Any = clrs.process_random_pos(_endless(sampler), random)
        if has_fixed_hints:
            spec, batches = clrs.process_pred_as_input(spec, batches)
        spec, batches = clrs.process_permutations(spec, batches, True)
        sources.append(batches)
    return Data((next(source) for source in itertools.cycle(sources)), spec)


def _endless(sampler: Any) -> Iterator[Any]:
    """Infinite iterator over batches of one sampler (a function, to bind the loop variable)."""
    while True:
        yield sampler.next(32)


def make_network(clrs: Any, data: Data, folder: str, hidden_size: int) -> Any:
    """Makes the network of the script's default options."""
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
    """Validation score over `count` traces."""
    targets, predictions, num_traces = [], [], 0
    while num_traces < count:
        batch = next(data.batches)
        key, batch_key = jax.random.split(key)
        predictions.append(network.predict(batch_key, batch.features, 0)[0])
        targets.append(batch.outputs)
        num_traces += len(batch.features.lengths)

    def concatenated(batches: list[Any]) -> Any:
        return jax.tree_util.tree_map(lambda *leaves: np.concatenate(leaves), *batches)

    return float(clrs.evaluate(concatenated(targets), concatenated(predictions))["score"])
