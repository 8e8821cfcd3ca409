"""Processors with memory, auxiliary losses or step encoding, in whole models and rollouts."""

import functools

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import nar
from nar.data import Task, TrainingStream, Transforms, pad_batch, pad_nodes, pad_steps, take
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, make_model
from nar.processors import PROCESSORS
from nar.specs import Kind, Location, Spec, Stage
from nar.traces import sample_traces
from nar.training import TrainState, make_train_step

RECURRENT = ("relational_transformer", "edge_transformer", "floydnet")
NAMES = (*RECURRENT, "forgetnet", "g_forgetnet", "step_encoding_mpnn")
# The mechanisms of these are covered by the other processors.
SLOW = ("edge_transformer", "forgetnet", "relational_transformer", "step_encoding_mpnn")
every_name = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in NAMES]
)
FACTORIES = {name: PROCESSORS[name] for name in NAMES} | {
    "relational_transformer": functools.partial(PROCESSORS["relational_transformer"], num_layers=1)
}
HIDDEN, BATCH, NODES = 8, 3, 5
SPEC = Transforms().spec(nar.ALGORITHMS["bfs"])


@functools.cache
def batch():
    """Batch of BFS traces with different lengths."""
    traces = sample_traces("bfs", NODES, 10, seed=0)
    uniforms = np.random.default_rng(0).random(traces.inputs["pos"].shape)
    transformed = Transforms().apply(nar.ALGORITHMS["bfs"], traces, uniforms)
    return take(transformed, np.argsort(-transformed.lengths, kind="stable")[[0, 4, 9]])


@functools.cache
def network(name):
    """Model, random parameters, and a compiled function of predictions and losses."""
    model = make_model(NetConfig(FACTORIES[name], HIDDEN), {"bfs": SPEC})
    random = np.random.default_rng(0)
    shapes = jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch()})
    params = jax.tree.map(lambda leaf: random.standard_normal(leaf.shape).astype("f") * 0.3, shapes)

    @jax.jit
    def predict(params, batch):
        predictions = model.apply(params, None, "bfs", batch, False)
        return predictions, losses_by_probe(SPEC, batch, predictions)

    return model, params, predict


def predict(name, batch):
    _, params, apply = network(name)
    return apply(params, batch)


def assert_close(first, second):
    np.testing.assert_allclose(first, second, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
@every_name
def test_padding_does_not_change_predictions_or_losses(name):
    """Covers padding of steps and of nodes, and auxiliary losses."""
    assert len(set(batch().lengths)) > 1
    padded = pad_nodes(pad_steps(batch(), batch().num_steps + 2), SPEC, NODES + 2)
    (before, losses), (after, losses_after) = predict(name, batch()), predict(name, padded)
    assert ("auxiliary/gate" in losses) == (name == "g_forgetnet")
    jax.tree.map(assert_close, losses_after, losses)
    assert_close(after.outputs["pi"][:, :NODES, :NODES], before.outputs["pi"])
    hints = after.hints["reach_h"][: batch().num_steps - 1]
    assert_close(hints[..., :NODES], before.hints["reach_h"])


@pytest.mark.slow
@every_name
def test_samples_are_independent(name):
    """A trace has the same predictions on its own and batched with longer ones."""
    together, losses = predict(name, batch())
    gate_losses = []
    for index, length in enumerate(batch().lengths):
        alone = pad_batch(pad_steps(take(batch(), slice(index, index + 1)), batch().num_steps), BATCH)
        predictions, alone_losses = predict(name, alone)
        assert_close(predictions.outputs["pi"][0], together.outputs["pi"][index])
        steps = max(length - 1, 1)
        assert_close(predictions.hints["pi_h"][: length - 1, 0], together.hints["pi_h"][: length - 1, index])
        gate_losses += [float(alone_losses.get("auxiliary/gate", 0))] * steps
    assert_close(losses.get("auxiliary/gate", 0), np.mean(gate_losses))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in RECURRENT]
)
def test_memory_is_carried_between_steps(name):
    """Without memory, the predicted hints are equal at the first step and differ at the second."""
    _, params, _ = network(name)

    class WithoutMemory:
        def __init__(self, processor):
            self._processor, self.initial_memory = processor, processor.initial_memory

        def __call__(self, features, hidden, memory, context):
            output = self._processor(features, hidden, (), context)
            return output._replace(memory=memory)

    other = make_model(NetConfig(lambda size: WithoutMemory(FACTORIES[name](size)), HIDDEN), {"bfs": SPEC})
    with_memory = predict(name, batch())[0].hints["reach_h"]

    @jax.jit
    def predict_without_memory(params):
        return other.apply(params, None, "bfs", batch(), False).hints["reach_h"]

    without_memory = predict_without_memory(params)
    assert_close(with_memory[0], without_memory[0])
    assert np.abs(with_memory[1] - without_memory[1]).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "floydnet")) for name in NAMES]
)
def test_every_processor_parameter_gets_a_gradient(name):
    """Checks a newly initialized model with inputs at every location."""
    probes = [
        (Stage.INPUT, Location.NODE, Kind.SCALAR),
        (Stage.INPUT, Location.EDGE, Kind.SCALAR),
        (Stage.INPUT, Location.GRAPH, Kind.SCALAR),
        (Stage.HINT, Location.NODE, Kind.MASK),
        (Stage.OUTPUT, Location.NODE, Kind.POINTER),
    ]
    spec = Spec(every_kind.make_probe(*probe) for probe in probes)
    batch = every_kind.random_batch(0, spec, batch_size=2)
    model = make_model(NetConfig(FACTORIES[name], HIDDEN), {"places": spec})

    def loss(params):
        predictions = model.apply(params, jax.random.key(0), "places", batch, True)
        return total_loss(losses_by_probe(spec, batch, predictions))

    gradients = jax.jit(jax.grad(loss))(model.init(jax.random.key(0), {"places": batch}))
    for path, value in jax.tree_util.tree_leaves_with_path(gradients["processor"]):
        assert np.abs(value).max() > 0, path


@pytest.mark.slow
def test_gate_loss_weight_and_annealing_in_training():
    """The total loss of a training step has the annealed gate loss times its weight."""
    task = Task(nar.ALGORITHMS["bfs"], (4,))
    stream = TrainingStream([task], batch_size=2, seed=0)
    processor = functools.partial(PROCESSORS["g_forgetnet"], annealing_steps=4)
    model = make_model(NetConfig(processor, 4), {"bfs": task.spec})
    optimizer = optax.sgd(0.0)
    step = make_train_step(model, optimizer, loss_weights={"auxiliary/gate": 0.25})
    params = model.init(jax.random.key(0), {"bfs": stream.batch(0)})
    state = TrainState(params, optimizer.init(params), jnp.zeros((), jnp.int32), jax.random.key(0))
    gates = []
    for _ in range(6):
        state, metrics = step(state, stream.batch(0), "bfs")
        losses = {name: float(value) for name, value in metrics.items() if name.startswith("loss/bfs/")}
        gates.append(losses.pop("loss/bfs/auxiliary/gate"))
        assert float(metrics["loss"]) == pytest.approx(sum(losses.values()) + 0.25 * gates[-1], rel=1e-5)
    np.testing.assert_allclose(np.array(gates) / gates[-1], [0, 0.25, 0.5, 0.75, 1, 1], rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("index", "name"), list(enumerate(NAMES)))
def test_training_decreases_the_losses(index, name):
    """The total loss and the gate loss decrease on one of three tasks, which alternate between processors."""
    task = ("bfs", "minimum", "task_scheduling")[index % 3]
    algorithm = nar.ALGORITHMS[task]
    stream = TrainingStream([Task(algorithm, (4,))], batch_size=8, seed=0)
    spec = stream.task(0).spec
    model = make_model(NetConfig(FACTORIES[name], HIDDEN), {task: spec})
    optimizer = optax.flatten(optax.chain(optax.clip_by_global_norm(1.0), optax.adam(5e-3)))

    @jax.jit
    def step(params, state, batch, key):
        def loss(params):
            losses = losses_by_probe(spec, batch, model.apply(params, key, task, batch, True))
            return total_loss(losses), losses

        (total, losses), gradients = jax.value_and_grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(params, updates), state, total, losses

    params = model.init(jax.random.key(0), {task: stream.batch(0)})
    state, totals, gates = optimizer.init(params), [], []
    for index in range(150):
        params, state, total, losses = step(params, state, stream.batch(index), jax.random.key(index))
        totals.append(float(total))
        gates.append(float(losses.get("auxiliary/gate", 0)))
    assert np.mean(totals[-25:]) < 0.75 * np.mean(totals[:25])
    assert name != "g_forgetnet" or gates[-1] < 0.8 * gates[0]
