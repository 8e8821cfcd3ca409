"""Edge features reach a processor as an array, unless it declares that it accepts factored ones."""

import haiku as hk
import jax
import jax.numpy as jnp
import pytest
from processor_contract import HIDDEN, initial_params, random_features, with_dense_edges

import nar
from nar.data import Transforms
from nar.losses import losses_by_probe, total_loss
from nar.model import NetConfig, make_model
from nar.processors import (
    LSTM,
    PROCESSORS,
    Context,
    Dropout,
    FullGraph,
    Gated,
    Masked,
    NoHistory,
    ProcessorOutput,
    Repeated,
    Triplets,
)
from nar.processors.base import FactoredFeatures, accepted_features
from nar.processors.wrappers.neighborhoods import IsolatedNodes
from nar.processors.wrappers.no_history import GatedHistory
from nar.processors.wrappers.step_encoding import StepEncoding
from nar.traces import sample_traces

SPEC = Transforms().spec(nar.ALGORITHMS["bfs"])
WRAPPERS = {
    "dropout": lambda inner: Dropout(inner, 0.1),
    "full_graph": FullGraph,
    "gated": lambda inner: Gated(inner, HIDDEN),
    "gated_history": GatedHistory,
    "isolated_nodes": IsolatedNodes,
    "lstm": lambda inner: LSTM(inner, HIDDEN),
    "masked": Masked,
    "no_history": NoHistory,
    "repeated": lambda inner: Repeated(inner, 2),
    "step_encoding": StepEncoding,
    "triplets": lambda inner: Triplets(inner, HIDDEN),
}


class OfArrays(hk.Module):
    """Reads edge features in all the ways in which an array can be read."""

    def __init__(self, hidden_size):
        super().__init__(name="of_arrays")
        self.hidden_size = hidden_size

    def initial_memory(self, batch_size, num_nodes):
        return ()

    def __call__(self, features, hidden, memory=(), context=Context()):
        edges = features.edges
        assert isinstance(edges, jax.Array)
        both = jnp.concatenate([edges, edges.swapaxes(1, 2), 2 * edges.astype(edges.dtype) - 1], axis=-1)
        messages = hk.Linear(self.hidden_size)(both)
        weights = jnp.einsum("bijf,bjf->bij", edges, features.nodes)
        nodes = jnp.tanh((messages * weights[..., None]).sum(axis=1) + edges[:, 0, :, :1])
        return ProcessorOutput(nodes, messages=nodes, memory=memory)


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_pass_arrays_to_processors_of_arrays(name):
    features, hidden = random_features()

    def call(features, hidden):
        return WRAPPERS[name](OfArrays(HIDDEN))(features, hidden).nodes

    params = initial_params(call, features, hidden)
    apply = hk.without_apply_rng(hk.transform(call)).apply
    from_factored = jax.eval_shape(apply, params, features, hidden)
    assert from_factored == jax.eval_shape(apply, params, with_dense_edges(features), hidden)


@pytest.mark.parametrize("lstm", [False, True])
def test_processors_of_arrays_can_be_trained(lstm):
    model = make_model(NetConfig(OfArrays, HIDDEN, lstm=lstm), {"bfs": SPEC})
    batch = Transforms().apply(nar.ALGORITHMS["bfs"], sample_traces("bfs", 4, 2, seed=0))

    def loss(params):
        predictions = model.apply(params, jax.random.key(0), "bfs", batch, True)
        return total_loss(losses_by_probe(SPEC, batch, predictions))

    params = jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch})
    assert jax.tree.structure(jax.eval_shape(jax.grad(loss), params)) == jax.tree.structure(params)


def test_factored_features_stay_factored_for_all_processors_of_nar():
    features = random_features()[0]._replace(scalars={})

    def forward():
        for make in PROCESSORS.values():
            accepted = accepted_features(make(HIDDEN), features)
            assert isinstance(accepted.edges, FactoredFeatures)
            for wrap in WRAPPERS.values():
                assert accepted_features(wrap(make(HIDDEN)), features) is features

    hk.transform(forward).init(None)
