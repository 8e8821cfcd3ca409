"""Networks of dm-clrs and ours, with the same parameters and batch, compute the same."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import oracle
import pytest
import tasks

from nar import ALGORITHMS
from nar.batches import Transforms
from nar.evaluation import score_outputs
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, make_model
from nar.model.dm_clrs import convert_parameters
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.processors import PROCESSORS
from nar.specs import Kind
from nar.traces import clrs30_sample

HIDDEN = 16
SIZE = 6
BATCH = 5


@dataclasses.dataclass(frozen=True)
class Twins:
    """The same network twice, and the same batch twice."""

    theirs: object
    feedback: object
    model: object
    params: dict
    task: str
    processor: str
    batch: object

    def converted(self, params):
        return convert_parameters(params, self.processor, self.model.specs)


def make_twins(task: str, processor: str, seed: int = 3) -> Twins:
    algorithm = ALGORITHMS[task]
    transforms = Transforms()
    sampler, spec = oracle.clrs.build_sampler(task, BATCH, length=SIZE, seed=seed)
    stream = itertools.repeat(sampler.next())
    if algorithm.fixed_hints:
        spec, stream = oracle.clrs.process_pred_as_input(spec, stream)
    spec, stream = oracle.clrs.process_permutations(spec, stream, True)
    feedback = next(stream)
    theirs = oracle.clrs.models.BaselineModel(
        spec=[spec],
        dummy_trajectory=[feedback],
        processor_factory=oracle.clrs.get_processor_factory(processor, True, nb_triplet_fts=8, nb_heads=1),
        hidden_dim=HIDDEN,
        encode_hints=True,
        decode_hints=True,
        encoder_init="xavier_on_scalars",
    )
    init = jax.jit(theirs.net_fn.init, static_argnums=(2, 3, 4, 5))
    theirs.params = init(jax.random.PRNGKey(1), [feedback.features], True, -1, False, False)
    our_spec = transforms.spec(algorithm)
    model = make_model(NetConfig(PROCESSORS[processor], HIDDEN), {task: our_spec})
    batch = transforms.apply(algorithm, clrs30_sample(task, SIZE, BATCH, seed))
    _shake(theirs)
    params = convert_parameters(theirs.params, processor, model.specs)
    return Twins(theirs, feedback, model, params, task, processor, batch)


def _shake(theirs):
    """Random offsets and scales, so that no parameter hides behind its initial 0 or 1."""
    random = np.random.default_rng(0)
    theirs.params = jax.tree.map(
        lambda x: x + 0.1 * random.standard_normal(x.shape).astype("f"), theirs.params
    )


def close(ours, theirs, tolerance):
    scale = max(np.abs(theirs).max(), 1e-3)
    assert np.abs(np.asarray(ours) - theirs).max() <= tolerance * scale


def in_turn(processors, algorithms, start=0):
    """Each processor with one of the algorithms, which are taken in turn."""
    return [(algorithms[k % len(algorithms)], name) for k, name in enumerate(processors, start)]


OTHERS = sorted(set(LAYOUTS) - {"triplet_gmpnn"})
PAIRS = [(task, "triplet_gmpnn") for task in ALGORITHMS]
PAIRS += in_turn(OTHERS, tasks.COVERING) + in_turn(OTHERS, tasks.COVERING, start=4)
# What is masked: pointers of nodes, permutations, edge masks.
PAIRS += [("bfs", "pgn_mask"), ("insertion_sort", "triplet_gpgn_mask"), ("mst_kruskal", "gpgn_mask")]


def their_predictions(twins):
    """Logits of outputs, and of hints step by step, in evaluation."""

    def predict(params, features):
        return twins.theirs.net_fn.apply(params, jax.random.key(0), [features], True, 0, True, False)

    return jax.jit(predict)(twins.theirs.params, twins.feedback.features)


@pytest.mark.parametrize(("task", "processor"), sorted(set(PAIRS)))
def test_same_predictions_and_scores(task, processor):
    with oracle.relaxed():
        twins = make_twins(task, processor)
        outputs, hints = their_predictions(twins)
        decided = oracle.decoders.postprocess(twins.theirs._spec[0], outputs, 0.1, 50, hard=True)
        their_score = oracle.clrs.evaluate(twins.feedback.outputs, decided)
    ours = jax.jit(twins.model.apply, static_argnums=(2, 4))(twins.params, None, task, twins.batch, False)
    assert set(ours.outputs) == set(outputs)
    for name, value in outputs.items():
        close(ours.outputs[name], np.asarray(value), 1e-4)
    for name in ours.hints:
        close(ours.hints[name], np.stack([step[name] for step in hints]), 1e-4)
    scores = score_outputs(twins.model.specs[task], twins.batch, ours.outputs)
    assert scores["score"] == pytest.approx(their_score["score"], abs=1e-6)


ORDERING = [
    name
    for name, algorithm in ALGORITHMS.items()
    if Kind.SHOULD_BE_PERMUTATION in {probe.kind for probe in algorithm.spec.outputs}
]


WITHOUT_NOISE = sorted(set(ALGORITHMS) - set(ORDERING))
TRAINED = [(task, "triplet_gmpnn") for task in WITHOUT_NOISE]
TRAINED += in_turn(
    ("deepsets", "gat", "gatv2_full", "memnet_masked", "triplet_mpnn"),
    [task for task in tasks.COVERING if task in WITHOUT_NOISE],
)
TRAINED += [("bfs", "pgn_mask"), ("mst_kruskal", "triplet_pgn_mask")]


@pytest.mark.parametrize(("task", "processor"), sorted(set(TRAINED)))
def test_same_losses_and_gradients(task, processor):
    """Sorting is left out: its loss in training has random noise."""
    with oracle.relaxed():
        twins = make_twins(task, processor)
        compute = jax.jit(jax.value_and_grad(twins.theirs._loss), static_argnums=3)
        key = jax.random.PRNGKey(0)
        their_loss, their_gradients = compute(twins.theirs.params, key, twins.feedback, 0)

    def loss(params):
        predictions = twins.model.apply(params, jax.random.key(0), task, twins.batch, True)
        return total_loss(losses_by_probe(twins.model.specs[task], twins.batch, predictions))

    compute = jax.jit(jax.value_and_grad(loss))
    our_loss, our_gradients = compute(twins.params)
    assert float(our_loss) == pytest.approx(float(their_loss), rel=1e-4)
    expected = twins.converted(their_gradients)
    assert set(our_gradients) == set(expected)
    largest = max(np.abs(leaf).max() for leaf in jax.tree.leaves(expected))
    for module, leaves in expected.items():
        for name, value in leaves.items():
            error = np.abs(np.asarray(our_gradients[module][name]) - value).max()
            assert error <= 1e-3 * max(np.abs(value).max(), 1e-2 * largest), (module, name)


@pytest.mark.parametrize("task", ORDERING)
def test_same_losses_of_permutations_without_noise(task):
    """The losses of dm-clrs on the predictions that it makes without noise are ours on ours."""
    with oracle.relaxed():
        twins = make_twins(task, "triplet_gmpnn")
        outputs, hints = their_predictions(twins)
        expected = {
            truth.name: oracle.losses.output_loss(truth, outputs[truth.name], SIZE)
            for truth in twins.feedback.outputs
        } | {
            truth.name: oracle.losses.hint_loss(
                truth, [step[truth.name] for step in hints], twins.feedback.features.lengths, SIZE
            )
            for truth in twins.feedback.features.hints
        }
    ours = twins.model.apply(twins.params, None, task, twins.batch, False)
    losses = losses_by_probe(twins.model.specs[task], twins.batch, ours)
    assert Kind.PERMUTATION_POINTER in {probe.kind for probe in twins.model.specs[task].outputs}
    assert set(losses) == set(expected)
    for name, value in expected.items():
        assert float(losses[name]) == pytest.approx(float(jnp.asarray(value)), rel=1e-4, abs=1e-6), name
