"""A network of dm-clrs 2.0.3 with the options of its training script, to be measured beside ours.

Nothing of `nar` is imported here, so that a process that holds this alone takes what dm-clrs takes.
"""

import contextlib
import itertools
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jax

from experiments.benchmarks.lib.import_dm_clrs import import_clrs


class DmClrsNetwork:
    """A network and a batch of one algorithm.

    Attributes:
      params: of the network.
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
        """Makes both; the batch is padded to the longest of its traces.

        Args:
          algorithm: by name.
          processor: by name.
          size: of problems.
          batch_size: traces at once.
          hidden_size: of states.
          seed: of traces and parameters.
          options: of problems.
          has_fixed_hints: whether hints that never change become inputs, as the training script has it.

        Raises:
          ValueError: if dm-clrs is not installed.
        """
        clrs = import_clrs()
        with relaxed():
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
        """A function that trains for one step and returns the loss."""
        key = jax.random.key(0)

        def train() -> float:
            with relaxed():
                return float(self._network.feedback(key, self._feedback))

        return train

    def evaluation(self) -> Callable[[], Any]:
        """A function that predicts the batch and returns the decided outputs."""
        key = jax.random.key(0)

        def predict() -> Any:
            with relaxed():
                return jax.device_get(self._network.predict(key, self._feedback.features)[0])

        return predict


@contextlib.contextmanager
def relaxed() -> Iterator[None]:
    """Lets dm-clrs broadcast between ranks and warn."""
    with jax.numpy_rank_promotion("allow"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
