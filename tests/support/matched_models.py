"""A dm-clrs network and ours with the same parameters, applied to the same batch."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
import oracle

from nar import ALGORITHMS
from nar.data import Transforms
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, make_model
from nar.model.dm_clrs import convert_parameters
from nar.model.params_by_task import flatten_tasks
from nar.processors import PROCESSORS
from nar.specs import Kind
from nar.traces import clrs30_sample

HIDDEN, SIZE, BATCH = 8, 5, 4

HINT_OPTIONS = {
    "encoded_decoded": {"encode_hints": True, "decode_hints": True},
    "decoded_only": {"encode_hints": False, "decode_hints": True},
    "none": {"encode_hints": False, "decode_hints": False},
}
"""dm-clrs options of each hint mode."""

THEIR_NAMES = {
    "hint_feedback": "hint_repred_mode",
    "teacher_forcing": "hint_teacher_forcing",
    "message_passing_steps": "nb_msg_passing_steps",
    "lstm": "use_lstm",
    "dropout": "dropout_prob",
    "encoder_init": "encoder_init",
}
"""dm-clrs names of our options."""


class Predicted(NamedTuple):
    """Logits by name; those of hints are [S, B, ...]."""

    outputs: Mapping[str, Any]
    hints: Mapping[str, Any]


class Trained(NamedTuple):
    """Loss, gradients and predictions of a training step."""

    loss: Any
    gradients: Any
    predicted: Predicted


@dataclasses.dataclass(frozen=True)
class MatchedModels:
    """Both networks with their predictions of the batch.

    Results are cached so that each program is compiled once; training predictions come with the gradients.
    """

    theirs: Any
    their_params: Any
    feedback: Any
    model: Any
    params: Any
    task: str
    processor: str
    batch: Any

    def converted(self, params: Any) -> Any:
        """Converts dm-clrs parameters or gradients to ours."""
        return convert_parameters(params, self.processor, self.model.specs)

    @property
    def is_noisy(self) -> bool:
        """True if training predictions are random, as those of permutations are."""
        return any(probe.kind is Kind.PERMUTATION_POINTER for probe in self.model.specs[self.task].outputs)

    @functools.cached_property
    def their_evaluation(self) -> Predicted:
        """Predictions of dm-clrs in evaluation."""

        def predict(params: Any, features: Any) -> Any:
            return self.theirs.net_fn.apply(params, jax.random.key(0), [features], True, 0, True, False)

        with oracle.relaxed():
            return _stacked(*jax.jit(predict)(self.their_params, self.feedback.features))

    @functools.cached_property
    def our_evaluation(self) -> Predicted:
        """Our predictions in evaluation."""

        def predict(params: Any) -> Any:
            predictions = self.model.apply(params, None, self.task, self.batch, False)
            return predictions.outputs, predictions.hints

        return Predicted(*jax.jit(predict)(self.params))

    @functools.cached_property
    def their_training(self) -> Trained:
        """Loss, gradients and predictions of dm-clrs."""
        recorded = []

        def apply(*arguments: Any, **options: Any) -> Any:
            recorded.append(pure.apply(*arguments, **options))
            return recorded[-1]

        def loss(params: Any) -> Any:
            return self.theirs._loss(params, jax.random.PRNGKey(0), self.feedback, 0), recorded.pop()

        pure, self.theirs.net_fn = self.theirs.net_fn, self.theirs.net_fn._replace(apply=apply)
        with oracle.relaxed():
            (value, predicted), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(self.their_params)
        self.theirs.net_fn = pure
        return Trained(value, gradients, _stacked(*predicted))

    @functools.cached_property
    def our_training(self) -> Trained:
        """Our loss, gradients and predictions."""

        def loss(params: Any) -> Any:
            predictions = self.model.apply(params, jax.random.key(0), self.task, self.batch, True)
            losses = losses_by_probe(self.model.specs[self.task], self.batch, predictions)
            return total_loss(losses), (predictions.outputs, predictions.hints)

        (value, predicted), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(self.params)
        return Trained(value, gradients, Predicted(*predicted))


def _stacked(outputs: Any, hints: Any) -> Predicted:
    names = hints[0] if hints else ()
    return Predicted(outputs, {name: np.stack([step[name] for step in hints]) for name in names})


@functools.cache
def make_matched_models(
    task: str, processor: str, hint_mode: str = "encoded_decoded", **options: Any
) -> MatchedModels:
    """Makes matched models for a task; options are fields of `NetConfig`."""
    algorithm, seed = ALGORITHMS[task], 3
    options = {"encoder_init": "xavier_on_scalars", **options}
    with oracle.relaxed():
        sampler, spec = oracle.clrs.build_sampler(task, BATCH, length=SIZE, seed=seed)
        stream = itertools.repeat(sampler.next())
        if algorithm.fixed_hints:
            spec, stream = oracle.clrs.process_pred_as_input(spec, stream)
        spec, stream = oracle.clrs.process_permutations(spec, stream, True)
        feedback = next(stream)
        theirs = oracle.clrs.models.BaselineModel(
            spec=[spec],
            dummy_trajectory=[feedback],
            processor_factory=oracle.clrs.get_processor_factory(
                processor, use_ln=True, nb_triplet_fts=8, nb_heads=1
            ),
            hidden_dim=HIDDEN,
            **HINT_OPTIONS[hint_mode],
            **{THEIR_NAMES[name]: value for name, value in options.items()},
        )
        shapes = jax.eval_shape(
            lambda key: theirs.net_fn.init(key, [feedback.features], True, -1, False, False),
            jax.random.PRNGKey(1),
        )
    model = make_model(
        NetConfig(PROCESSORS[processor], HIDDEN, hint_mode=hint_mode, **options),
        {task: Transforms().spec(algorithm)},
    )
    # Features of MemNet are word indices; beyond its vocabulary dm-clrs returns NaN.
    their_params = random_params(shapes, 0.2 if processor.startswith("memnet") else 1.0)
    params = convert_parameters(their_params, processor, model.specs)
    batch = Transforms().apply(algorithm, clrs30_sample(task, SIZE, BATCH, seed))
    return MatchedModels(theirs, their_params, feedback, model, params, task, processor, batch)


def random_params(shapes: Any, scale: float = 1.0) -> Any:
    """Random parameters of the scale of initial ones, but without biases of 0 or scales of 1.

    Weight matrices are multiplied by `scale`.
    """
    random = np.random.default_rng(0)

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        noise = random.standard_normal(shape)
        value = scale * noise / shape[0] ** 0.5 if len(shape) > 1 else (name == "scale") + 0.1 * noise
        return value.astype(np.float32)

    return {
        module: {name: draw(name, leaf.shape) for name, leaf in leaves.items()}
        for module, leaves in shapes.items()
    }


# ---------------------------------------------------------------------------------------------------
# Comparisons


def assert_close(ours: Any, theirs: Any, tolerance: float = 1e-4) -> None:
    """Raises AssertionError unless both are equal up to `tolerance` times the largest value."""
    theirs = np.asarray(theirs)
    scale = max(np.abs(theirs).max(), 1e-3)
    assert np.abs(np.asarray(ours) - theirs).max() <= tolerance * scale


def assert_same_predictions(ours: Predicted, theirs: Predicted, lengths: np.ndarray) -> None:
    """Raises AssertionError unless outputs and hints are the same; hints only up to the end of each trace."""
    for our_logits, their_logits in zip(ours, theirs, strict=True):
        assert set(our_logits) == set(their_logits)
    for name, value in theirs.outputs.items():
        assert_close(ours.outputs[name], value)
    for name, value in theirs.hints.items():
        active = np.arange(1, len(value) + 1)[:, None] < lengths
        assert active.any()
        assert_close(np.asarray(ours.hints[name])[active], value[active])


def assert_same_loss_and_gradients(models: MatchedModels) -> None:
    """Raises AssertionError unless loss and gradients in training are the same."""
    ours, theirs = models.our_training, models.their_training
    np.testing.assert_allclose(ours.loss, theirs.loss, rtol=1e-4)
    expected, actual = flatten_tasks(models.converted(theirs.gradients)), flatten_tasks(ours.gradients)
    assert set(actual) == set(expected)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    for module, leaves in expected.items():
        for name, value in leaves.items():
            error = np.abs(np.asarray(actual[module][name]) - value).max()
            assert error <= 1e-3 * max(np.abs(value).max(), 1e-2 * largest), (module, name)
