"""JAX_ENABLE_X64: networks, losses and updates are in float32, whatever the precision of jax's defaults."""

import every_kind
import jax
import numpy as np
import pytest
from networks import batch_of, spec_of
from processor_families import FAMILIES

from nar.losses import loss_terms, total_loss
from nar.model import Budget, Learned, NetConfig, make_model
from nar.processors import PROCESSORS

OPTIONS = {
    "learned termination": {"termination": Learned()},
    "budget": {"termination": Budget()},
    "hard feedback": {"hint_feedback": "hard"},
    "teacher forcing": {"teacher_forcing": 0.5},
    "remat": {"remat": True},
    "without hints": {"hint_mode": "none"},
}


def shapes_of(task, processor, options, wide):
    """Shapes and dtypes of a state, the predictions and the losses; nothing is compiled."""
    config = NetConfig(PROCESSORS[processor], 8, **options)
    model = make_model(config, {task: spec_of(task)})
    batch = batch_of(task)

    def run(key):
        params = model.init(key, {task: batch})
        predicted = [model.apply(params, key, task, batch, is_training) for is_training in (True, False)]
        terms = loss_terms(model.specs[task], batch, predicted[0])
        return params, predicted, terms, total_loss({name: term.mean for name, term in terms.items()})

    with jax.enable_x64(wide):
        return jax.eval_shape(run, jax.random.key(0))


def float_dtypes(tree):
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {
        jax.tree_util.keystr(path): leaf.dtype
        for path, leaf in leaves
        if jax.dtypes.issubdtype(leaf.dtype, np.floating)
    }


def assert_same_dtypes(task, processor, options):
    wide = float_dtypes(shapes_of(task, processor, options, True))
    assert wide and wide == float_dtypes(shapes_of(task, processor, options, False))


@pytest.mark.parametrize(
    "processor",
    ["triplet_gmpnn", *(pytest.param(one, marks=pytest.mark.slow) for one in FAMILIES)],
)
def test_processors_compute_in_float32(processor):
    assert_same_dtypes("bfs", processor, {})


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, marks=[] if one == "learned termination" else pytest.mark.slow) for one in OPTIONS],
)
def test_options_compute_in_float32(case):
    assert_same_dtypes("bfs", "mpnn", OPTIONS[case])


@pytest.mark.slow
def test_every_kind_computes_in_float32():
    assert_same_dtypes(every_kind.NAME, "mpnn", {})
