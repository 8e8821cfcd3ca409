"""`check_processor`: processors that satisfy the contract, and words for each way to violate it."""

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from processor_families import FAMILIES

from experiments.examples.pna import PNA
from nar.processors import Context, ProcessorOutput, check_processor
from nar.processors.layers.linear import Linear
from nar.processors.registry import check_options


class Valid(hk.Module):
    """Message passing with a memory; base of the invalid ones."""

    def __init__(self, hidden_size, scale=1.0):
        super().__init__(name="valid")
        self.size, self.scale = hidden_size, scale

    def initial_memory(self, batch_size, num_nodes):
        return {"count": jnp.zeros((batch_size, num_nodes))}

    def messages(self, features, hidden):
        return Linear(self.size, name="edge")(features.edges) + hidden[:, :, None]

    def aggregate(self, messages, adjacency):
        weights = adjacency / adjacency.sum(axis=1, keepdims=True)
        return (messages * weights[..., None].astype(messages.dtype)).sum(axis=1)

    def __call__(self, features, hidden, memory=(), context=Context()):
        received = self.aggregate(self.messages(features, hidden), features.adjacency)
        nodes = jnp.tanh(self.scale * Linear(self.size, name="new")(received, features.nodes))
        return self.output(nodes, {"count": memory["count"] + nodes[..., 0]}, context)

    def output(self, nodes, memory, context):
        del context
        return ProcessorOutput(nodes, memory=memory)


class OnlyHaiku(Valid):
    def messages(self, features, hidden):
        edges = features.edges + features.edges.swapaxes(1, 2) * (features.edges.ndim == 4)
        return hk.Linear(self.size)(jnp.concatenate([edges, features.edges[..., :1]], axis=-1))


class Tuple(Valid):
    def output(self, nodes, memory, context):
        return nodes, memory


class Wide(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(jnp.concatenate([nodes, nodes], axis=-1), memory=memory)


class Float32(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes.astype(jnp.float32), memory=memory)


class WrongEdges(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes, edges=nodes, memory=memory)


class WrongLoss(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes, memory=memory, losses={"penalty": jnp.square(nodes).mean()})


class WrongMemory(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes, memory={"count": nodes})


class NoMemory(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes)


class SharedMemory(Valid):
    def initial_memory(self, batch_size, num_nodes):
        return jnp.zeros(num_nodes)


class Random(Valid):
    def output(self, nodes, memory, context):
        noise = jax.random.normal(hk.next_rng_key(), nodes.shape, nodes.dtype)
        return ProcessorOutput(nodes + noise, memory=memory)


class Branches(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes if nodes.sum() > 0 else -nodes, memory=memory)


class Numpy(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(jnp.asarray(np.tanh(np.asarray(nodes))), memory=memory)


class WrongShapes(Valid):
    def messages(self, features, hidden):
        return hk.Linear(self.size + 1)(features.edges) + hidden[:, :, None]


class PerNode(Valid):
    def output(self, nodes, memory, context):
        bias = hk.get_parameter("bias", nodes.shape[1:], init=jnp.zeros)
        return ProcessorOutput(nodes + bias[None].astype(nodes.dtype), memory=memory)


class ScalarStep(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes * (1 + jnp.reshape(context.step, ())).astype(nodes.dtype), memory=memory)


class Position(Valid):
    def output(self, nodes, memory, context):
        position = jnp.arange(nodes.shape[1], dtype=nodes.dtype)
        return ProcessorOutput(nodes * (1 + position)[None, :, None], memory=memory)


class BatchNorm(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes - nodes.mean(axis=0, keepdims=True), memory=memory)


class AllNodes(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes - nodes.max(axis=1, keepdims=True), memory=memory)


class Infinite(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes / jnp.zeros_like(nodes), memory=memory)


class InfiniteGradient(Valid):
    def output(self, nodes, memory, context):
        return ProcessorOutput(nodes + jnp.sqrt(jnp.abs(nodes - nodes)), memory=memory)


class Counter(Valid):
    calls = 0

    def output(self, nodes, memory, context):
        Counter.calls += 1
        return ProcessorOutput(nodes * Counter.calls, memory=memory)


class HaikuState(Valid):
    def output(self, nodes, memory, context):
        steps = hk.get_state("steps", (), init=jnp.zeros)
        hk.set_state("steps", steps + 1)
        return ProcessorOutput(nodes + steps.astype(nodes.dtype), memory=memory)


class NoOutput(Valid):
    def output(self, nodes, memory, context):
        return None


class FactoredOnly(Valid):
    accepts_factored = True

    def messages(self, features, hidden):
        return Linear(self.size, name="edge")(jnp.asarray(features.edges)) + hidden[:, :, None]


VIOLATIONS = {
    Counter: "Counter: the same inputs must have the same results whenever the processor is traced",
    HaikuState: "a model carries no state of Haiku; what a processor keeps between steps belongs in memory",
    NoOutput: "the processor's output must be .*ProcessorOutput, got None",
    Tuple: r"given nodes float32\(2, 5, 8\): the processor's output must be .*ProcessorOutput, got \(",
    Wide: r"nodes of the processor's output must be float32\(2, 5, 8\), got float32\(2, 5, 16\)",
    Float32: r"given nodes bfloat16.*: nodes of .* must be bfloat16\(2, 5, 8\), got float32",
    WrongEdges: r"edges of the processor's output must be float32\(2, 5, 5, 8\), got float32\(2, 5, 8\)",
    WrongLoss: r"the loss 'penalty' of .* must have a name, shape \(2,\) and .*, got float32\(\)",
    WrongMemory: r"memory of the processor's output must be {count: float32\(2, 5\)}, as .*, got {count:",
    NoMemory: r"memory of the processor's output must be {.*}, as it was given, got \(\)",
    SharedMemory: r"initial_memory\(2, 5\) must have float32 arrays \(2, ...\), got float32\(5,\)",
    Random: "random keys are available in training only, if context.is_training",
    Branches: r"failed at test_validation.py:\d+ with TracerBoolConversionError: values are known only when",
    Numpy: r"failed at test_validation.py:\d+ with TracerArrayConversionError: values are known only when",
    WrongShapes: r"given nodes float32\(2, 5, 8\): failed at test_validation.py:\d+ with TypeError: ",
    PerNode: r"must not depend on the number of graphs and nodes.*bias is float32\(1, 8\), and",
    ScalarStep: r"context.step of shape \(2,\), as in chunked training: failed at test_val",
    Position: "must be permutation-equivariant: .*.nodes differs by",
    BatchNorm: "results must not depend on the other graphs of the batch; .nodes differs by",
    AllNodes: "padding nodes, where features.mask is False, must not change the results of others",
    Infinite: "the output must be finite; 80 of 80 values of .nodes are not",
    InfiniteGradient: r"in training: gradients must be finite; \d+ of \d+ values of",
    FactoredOnly: r"failed at test_validation.py:\d+ with",
}


def test_valid_processor():
    check_processor(Valid)
    check_processor(Valid, {"scale": 0.5}, hidden_size=6)


def test_edge_features_are_arrays():
    """Unless a processor declares `accepts_factored`. Parameters of Haiku's modules are float32."""
    check_processor(OnlyHaiku)


class IntegerParameter(Valid):
    def messages(self, features, hidden):
        return super().messages(features, hidden) * hk.get_parameter("factor", [], jnp.int32, init=jnp.ones)


def test_parameters_must_be_float32():
    with pytest.raises(AssertionError, match="the parameter valid/factor must be float32, got"):
        check_processor(IntegerParameter)


def test_float32_only():
    with pytest.raises(AssertionError, match="given nodes bfloat16"):
        check_processor(Float32)
    check_processor(Float32, bfloat16=False)


def test_the_order_of_nodes_may_matter():
    check_processor(Position, permutation_equivariant=False)


@pytest.mark.parametrize(("processor", "message"), VIOLATIONS.items())
def test_violations_are_reported_in_words(processor, message):
    with pytest.raises(AssertionError, match=message):
        check_processor(processor)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name == "gat" else pytest.mark.slow) for name in FAMILIES]
)
def test_registered_processors_satisfy_the_contract(name):
    has_ties = name == "discrete"  # whose choices depend on the order of nodes and on rounding
    check_processor(
        name,
        permutation_equivariant=not has_ties and not name.startswith(("memnet", "rnar")),
        bfloat16=not has_ties,
    )


@pytest.mark.slow
def test_the_example_satisfies_the_contract():
    check_processor(PNA)
    check_processor("experiments.examples.pna:PNA", {"aggregations": ("mean",)})


def test_unknown_processors_and_options():
    with pytest.raises(ValueError, match="unknown processor 'gta'; known: deepsets, "):
        check_processor("gta")
    with pytest.raises(ValueError, match="unknown processor 3; known: deepsets, "):
        check_processor(3)
    with pytest.raises(ValueError, match="num_heads must divide hidden_size = 8, got 3"):
        check_processor("gat", {"num_heads": 3})
    with pytest.raises(TypeError, match="slope"):
        check_processor(Valid, {"slope": 1})


def test_options_are_checked_without_computation():
    check_options(Valid, 8, {})
    with pytest.raises(TypeError, match=r"the method initial_memory, such as .* return \(\)`; got .*Linear"):
        check_options(lambda hidden_size: hk.Linear(hidden_size), 8, {})
    with pytest.raises(TypeError, match="a processor must have the method __call__, such as .*; got 3"):
        check_options(lambda hidden_size: 3, 8, {})
