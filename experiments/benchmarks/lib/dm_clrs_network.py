"""A network of dm-clrs 2.0.3 with the options of its training script.

This module does not import `nar`, so that the memory of a process that only imports this is that of dm-clrs.
"""

import contextlib
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from experiments.benchmarks.lib.import_dm_clrs import import_clrs


class DmClrsNetwork:
    """A dm-clrs network and a batch of one algorithm.

    Attributes:
      params: parameters of the network.
    """

    def __init__(
        self,
        algorithm: str,
        processor: str,
        size: int,
        batch_size: int,
        hidden_size: int,
        *,
        seed: int,
        options: Mapping[str, Any],
        has_fixed_hints: bool,
    ) -> None:
        """Makes network and batch; the batch is padded to its longest trace.

        Args:
          algorithm: name of the algorithm.
          processor: name of the processor.
          size: problem size.
          batch_size: batch size.
          hidden_size: hidden size.
          seed: seed of traces and parameters.
          options: options of the problem sampler.
          has_fixed_hints: whether predecessor hints become inputs, as in the training script.

        Raises:
          ValueError: if dm-clrs is not installed.
        """
        clrs = import_clrs()
        with relax_jax_checks():
            sampler, spec = clrs.build_sampler(algorithm, batch_size, length=size, seed=seed, **options)
            stream: Any = itertools.repeat(sampler.next())
            if has_fixed_hints:
                spec, stream = clrs.process_pred_as_input(spec, stream)
            spec, stream = clrs.process_permutations(spec, stream, True)
            self._feedback = next(stream)
            self._network = clrs.models.BaselineModel(
                spec=[spec],
                dummy_trajectory=[self._feedback],
                processor_factory=clrs.get_processor_factory(
                    processor, use_ln=True, nb_triplet_fts=8, nb_heads=1
                ),
                hidden_dim=hidden_size,
                encode_hints=True,
                decode_hints=True,
                encoder_init="xavier_on_scalars",
                learning_rate=1e-3,
                grad_clip_max_norm=1.0,
            )
            self._network.init(self._feedback.features, seed)
        self.params = self._network.params

    def step(self) -> Callable[[], float]:
        """Makes a function that runs one training step and returns the loss."""
        key = jax.random.key(0)

        def train() -> float:
            with relax_jax_checks():
                return float(self._network.feedback(key, self._feedback))

        return train

    def evaluation(self) -> Callable[[], Any]:
        """Makes a function that predicts the batch and returns the decoded outputs."""
        key = jax.random.key(0)

        def predict() -> Any:
            with relax_jax_checks():
                return jax.device_get(self._network.predict(key, self._feedback.features)[0])

        return predict


@contextlib.contextmanager
def relax_jax_checks() -> Iterator[None]:
    """Allows rank promotion and ignores warnings, for code of dm-clrs."""
    with jax.numpy_rank_promotion("allow"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
