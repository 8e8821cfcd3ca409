"""Precision of matrix products: the highest one in scoring, on every platform."""

import contextlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import nar
from nar.data import Transforms
from nar.evaluation import Inference, inference
from nar.evaluation.precision import describe_precision, scoring_only
from nar.model import NetConfig, make_model
from nar.processors import MPNN
from nar.text import generation
from nar.text.transformer.model import TextModel
from nar.traces import sample_traces


def precisions(jaxpr):
    """Precisions of all matrix products in a program, with those in loops and conditions."""
    found = set()
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            found |= {str(one) for one in np.atleast_1d(equation.params["precision"] or "DEFAULT").flat}
        for inner in jax.tree.leaves(
            list(equation.params.values()), is_leaf=lambda one: hasattr(one, "eqns")
        ):
            inner = getattr(inner, "jaxpr", inner)
            found |= precisions(inner) if hasattr(inner, "eqns") else set()
    return found


def program_of_inference():
    transforms, algorithm = Transforms(), nar.ALGORITHMS["bfs"]
    model = make_model(NetConfig(MPNN, 4), {"bfs": transforms.spec(algorithm)})
    batch = transforms.apply(algorithm, sample_traces("bfs", 4, 2, seed=0))
    params = jax.eval_shape(model.init, jax.random.key(0), {"bfs": batch})
    engine = Inference(model, transforms)
    return engine._predict.trace(params, "bfs", batch, None).jaxpr.jaxpr


def test_inference_multiplies_in_full_float32():
    assert precisions(program_of_inference()) == {"HIGHEST"}


def test_training_is_as_configured(monkeypatch):
    """Without the context of scoring, the same program has the configured precision."""
    monkeypatch.setattr(inference, "scoring_precision", contextlib.nullcontext)
    assert precisions(program_of_inference()) == {"DEFAULT"}


def test_generation_of_texts_multiplies_in_full_float32(monkeypatch):
    class Product:
        """A model whose logits are a matrix product."""

        config = None

        def extend(self, params, tokens, positions, slots, caches):
            del positions, slots
            return jax.nn.one_hot(tokens, len(params)) @ params, caches

    monkeypatch.setattr(generation, "empty_caches", lambda *arguments: ())
    model: TextModel = Product()  # pyright: ignore[reportAssignmentType]
    shapes = jnp.zeros((9, 9)), jnp.ones((2, 3), int), jnp.ones(2, int), jnp.zeros((2, 5), int)
    program = jax.make_jaxpr(generation.make_generate(model))(*shapes)
    assert precisions(program.jaxpr) == {"HIGHEST"}


@pytest.mark.parametrize(
    ("dtype", "platform", "setting", "training", "scoring"),
    [
        ("float32", "cpu", None, "float32", "float32"),
        ("float32", "gpu", None, "tensorfloat32", "float32"),
        ("float32", "tpu", None, "bfloat16", "float32"),
        ("float32", "tpu", "highest", "float32", "float32"),
        ("float32", "gpu", "bfloat16", "bfloat16", "float32"),
        ("bfloat16", "tpu", None, "bfloat16", "bfloat16"),
    ],
)
def test_description(dtype, platform, setting, training, scoring):
    with jax.default_matmul_precision(setting):
        found = describe_precision(dtype, platform)
    assert (found["training"], found["scoring"]) == (training, scoring)
    assert (found["training_setting"], found["scoring_setting"]) == (setting or "default", "highest")
    assert scoring_only(found) == {"scoring": scoring, "scoring_setting": "highest", "platform": platform}
