"""Precision and memory: bfloat16 computation with float32 parameters and losses, and rematerialization."""

import functools
import math

import haiku as hk
import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from processor_families import FAMILIES

import nar
from nar.data import Task, TrainingStream
from nar.losses import losses_by_probe, total_loss
from nar.model import FromTrace, Learned, NetConfig, make_model
from nar.model.processor_function import ProcessorFunction
from nar.processors import PROCESSORS, Context, Features, ProcessorOutput
from nar.processors.layers.linear import Linear
from nar.training import init_state, make_optimizer, make_train_step

BATCH, NODES, HIDDEN = 2, 6, 16


class OfHaiku(hk.Module):
    """A processor made of Haiku's modules, which request parameters in the dtype of their inputs."""

    def __init__(self, hidden_size, name="of_haiku"):
        super().__init__(name=name)
        self.hidden_size = hidden_size

    def initial_memory(self, batch_size, num_nodes):
        return ()

    def __call__(self, features, hidden, memory=(), context=Context()):
        senders, edges = features.nodes[:, :, None], features.edges
        messages = hk.nets.MLP([self.hidden_size, self.hidden_size])(edges + senders)
        received = hk.LayerNorm(-1, True, True)(messages.max(axis=1))
        attention = hk.MultiHeadAttention(
            2, self.hidden_size // 2, w_init=hk.initializers.VarianceScaling(), model_size=self.hidden_size
        )
        new = attention(received, hidden, hidden)
        cell = hk.GRU(self.hidden_size)
        nodes, _ = cell(new.reshape(-1, self.hidden_size), hidden.reshape(-1, self.hidden_size))
        return ProcessorOutput(nodes=nodes.reshape(hidden.shape), memory=memory)


ALL_PROCESSORS = {**PROCESSORS, "of_haiku": OfHaiku}


class Network:
    """A network for one task, with a batch."""

    def __init__(self, task, processor="mpnn", *, nodes=NODES, batch_size=BATCH, hidden=HIDDEN, **options):
        self.task = Task(nar.ALGORITHMS[task], (nodes,))
        self.batch = TrainingStream((self.task,), batch_size, seed=0).batch(0)
        config = NetConfig(ALL_PROCESSORS[processor], hidden, **options)
        self.model = make_model(config, {task: self.task.spec})

    def init(self):
        return self.model.init(jax.random.key(0), {self.task.name: self.batch})

    def loss(self, params):
        predictions = self.model.apply(params, jax.random.key(1), self.task.name, self.batch, True)
        return total_loss(losses_by_probe(self.task.spec, self.batch, predictions))

    def value_and_gradient(self, params):
        return jax.jit(jax.value_and_grad(self.loss))(params)


@functools.cache
def initialized_network(task, processor="mpnn", **options):
    """A network, its initial parameters, and their loss and gradient."""
    network = Network(task, processor, **options)
    params = network.init()
    return network, params, network.value_and_gradient(params)


def operations(jaxpr):
    """All operations of a jaxpr, including nested ones."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from operations(inner)


# ---------------------------------------------------------------------------------------------------
# bfloat16


@pytest.mark.parametrize(
    ("task", "processor"),
    [
        ("bfs", "of_haiku"),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in (
                ("bfs", "triplet_gmpnn"),
                ("matrix_chain_order", "mpnn"),
                ("bfs", "mpnn"),
                ("bfs", "g_forgetnet"),
                ("bfs", "relational_transformer"),
                ("matrix_chain_order", "triplet_gmpnn"),
                ("matrix_chain_order", "g_forgetnet"),
                ("matrix_chain_order", "relational_transformer"),
            )
        ),
    ],
)
def test_large_products_are_in_bfloat16(task, processor):
    """Forward and backward pass; large arrays have features or classes for all pairs of nodes."""
    network = Network(task, processor, precision="bfloat16")
    params = jax.eval_shape(network.model.init, jax.random.key(0), {task: network.batch})
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype("float32")}
    jaxpr = jax.make_jaxpr(jax.value_and_grad(network.loss))(params).jaxpr
    products = [e for e in operations(jaxpr) if e.primitive.name == "dot_general"]
    sizes = [max(math.prod(v.aval.shape) for v in (*e.invars, *e.outvars)) for e in products]
    large = [e for e, size in zip(products, sizes, strict=True) if size >= BATCH * NODES * NODES * HIDDEN]
    assert large
    for equation in large:
        assert {v.aval.dtype for v in equation.invars} == {jnp.dtype("bfloat16")}, equation


@pytest.mark.slow
@pytest.mark.parametrize("processor", FAMILIES)
def test_processors_predict_in_bfloat16(processor):
    """The carry keeps its dtypes over the steps, and predictions are float32."""
    network = Network("bfs", processor, precision="bfloat16")
    params = jax.eval_shape(network.model.init, jax.random.key(0), {"bfs": network.batch})
    predict = jax.jit(network.model.apply, static_argnums=(2, 4))
    for is_training in (True, False):
        predictions = predict.eval_shape(params, jax.random.key(1), "bfs", network.batch, is_training)
        assert all(leaf.dtype != jnp.bfloat16 for leaf in jax.tree.leaves(predictions))


@pytest.mark.parametrize(
    ("task", "processor", "termination"),
    [
        ("bfs", "mpnn", Learned()),
        pytest.param("bfs", "of_haiku", FromTrace(), marks=pytest.mark.slow),
        *(pytest.param("bfs", name, FromTrace(), marks=pytest.mark.slow) for name in FAMILIES),
        pytest.param("insertion_sort", "g_forgetnet", Learned(), marks=pytest.mark.slow),
    ],
)
def test_logits_losses_and_train_state_are_float32(task, processor, termination):
    network = Network(task, processor, precision="bfloat16", lstm=True, termination=termination)
    optimizer = make_optimizer(1e-3, 1.0)
    batches = {network.task.name: network.batch}
    state = jax.eval_shape(lambda: init_state(network.model, optimizer, batches, 0, track_ema=True))
    gradients = jax.eval_shape(jax.grad(network.loss), state.params)
    step = make_train_step(network.model, optimizer, ema_decay=0.9)
    new, metrics = jax.eval_shape(lambda state: step(state, network.batch, network.task.name), state)
    predictions = jax.eval_shape(
        lambda params: network.model.apply(params, jax.random.key(1), network.task.name, network.batch, True),
        state.params,
    )
    for leaf in jax.tree.leaves((gradients, new, metrics, predictions)):
        assert leaf.dtype == jnp.float32 or not jnp.issubdtype(leaf.dtype, jnp.floating), leaf


@pytest.mark.parametrize(
    "processor", ["of_haiku", *(pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES)]
)
def test_names_shapes_and_dtypes_of_parameters_do_not_depend_on_the_precision(processor):
    """Initial values depend on nothing else."""
    networks = [Network("bfs", processor, precision=precision) for precision in ("float32", "bfloat16")]
    full, half = (jax.eval_shape(network.init) for network in networks)
    assert full == half


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "processor"),
    [
        ("bfs", "mpnn"),
        ("bfs", "of_haiku"),
        ("bfs", "triplet_gmpnn"),
        ("matrix_chain_order", "triplet_gmpnn"),
    ],
)
def test_bfloat16_is_close_to_float32(task, processor):
    """The loss agrees within 1 %, and the cosine similarity of the gradients is above 0.99."""
    _, params, (loss, gradients) = initialized_network(task, processor)
    half_loss, half_gradients = Network(task, processor, precision="bfloat16").value_and_gradient(params)
    assert float(half_loss) == pytest.approx(float(loss), rel=1e-2) and half_loss != loss
    full, half = (
        np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(x)]) for x in (gradients, half_gradients)
    )
    assert full @ half > 0.99 * np.linalg.norm(full) * np.linalg.norm(half)


def test_products_in_float32_do_not_round_their_sums():
    """1 + 1/512 is not representable in bfloat16, but both terms are."""
    network = hk.without_apply_rng(hk.transform(lambda x: Linear(1, name="sum").in_float32(x)))
    x = np.array([[1.0, 1 / 512]], jnp.bfloat16)
    params = {"sum": {"w": np.ones((2, 1), np.float32), "b": np.zeros(1, np.float32)}}
    value_and_grad = jax.jit(jax.value_and_grad(lambda params: network.apply(params, x)[0, 0]))
    value, gradient = value_and_grad(params)
    assert value == 1 + 1 / 512
    gradient = gradient["sum"]
    np.testing.assert_array_equal(gradient["w"], [[1.0], [1 / 512]])
    assert gradient["w"].dtype == jnp.float32


def test_unknown_precision_raises():
    with pytest.raises(ValueError, match="unknown precision 'float16'; known: float32, bfloat16"):
        NetConfig(PROCESSORS["mpnn"], precision="float16")


# ---------------------------------------------------------------------------------------------------
# Rematerialization


@pytest.mark.parametrize(
    ("task", "processor", "options"),
    [
        pytest.param("bfs", "mpnn", {}, marks=pytest.mark.slow),
        pytest.param("bfs", "g_forgetnet", {}, marks=pytest.mark.slow),
        pytest.param(
            "minimum",
            "g_forgetnet",
            {"dropout": 0.2, "lstm": True, "teacher_forcing": 0.5},
            marks=pytest.mark.slow,
        ),
        pytest.param("bfs", "g_forgetnet", {"termination": Learned()}, marks=pytest.mark.slow),
    ],
)
def test_remat_does_not_change_loss_and_gradients(task, processor, options):
    """Random numbers included: the recomputation draws those of the forward pass."""
    network, params, (loss, gradients) = initialized_network(task, processor, **options)
    assert network.model.config.remat
    plain = Network(task, processor, remat=False, **options)
    jax.tree.map(np.testing.assert_array_equal, params, plain.init())
    expected_loss, expected = plain.value_and_gradient(params)
    assert float(loss) == pytest.approx(float(expected_loss), rel=1e-6)
    close = functools.partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5)
    jax.tree.map(close, gradients, expected)


@pytest.mark.slow
def test_remat_reduces_memory():
    """The temporary memory that the compiler allocates for a rollout of many steps."""

    def memory(remat):
        network = Network("minimum", nodes=16, remat=remat)
        params = jax.eval_shape(network.model.init, jax.random.key(0), {network.task.name: network.batch})
        compiled = jax.jit(jax.grad(network.loss)).lower(params).compile()
        return compiled.memory_analysis().temp_size_in_bytes

    assert memory(remat=True) < memory(remat=False) / 3


@pytest.mark.slow
def test_processor_function_has_float32_parameters():
    config = NetConfig(OfHaiku, HIDDEN)
    features = Features(
        nodes=jnp.ones((BATCH, NODES, HIDDEN), jnp.bfloat16),
        edges=jnp.ones((BATCH, NODES, NODES, HIDDEN), jnp.bfloat16),
        graph=jnp.ones((BATCH, HIDDEN), jnp.bfloat16),
        adjacency=jnp.ones((BATCH, NODES, NODES), bool),
    )
    hidden = jnp.zeros((BATCH, NODES, HIDDEN), jnp.bfloat16)
    processor = ProcessorFunction({}, config)
    params = processor.random_params(jax.random.key(0), features, hidden)
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {jnp.dtype(jnp.float32)}
    assert processor.apply(params, features, hidden).nodes.dtype == jnp.bfloat16
