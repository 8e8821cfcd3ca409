"""Wrong inputs and options of processors: a ValueError in words, whatever is wrong with them."""

import inspect
import itertools
import math
import re

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from examples import NUM_EXAMPLES
from processor_contract import BATCH, HIDDEN, NODES, random_features, with_dense_edges

from nar.processors import (
    LSTM,
    MPNN,
    PROCESSORS,
    Context,
    Dropout,
    Gated,
    Repeated,
)
from nar.processors.base import FactoredFeatures
from nar.processors.wrappers.neighborhoods import IsolatedNodes
from nar.processors.wrappers.step_encoding import StepEncoding

NO_ARRAYS = (None, 3, 1.5, "nodes", [1.0, 2.0], (), {}, {"a": 1}, object())
NO_OPTIONS = (None, 0, -1, 1.5, "2", [1], (), {}, float("nan"), float("inf"), True, object())
OPTIONS = sorted(
    {name for make in PROCESSORS.values() for name in inspect.signature(make).parameters}
    - {"name", "options"}
)
WRAPPED = {
    **PROCESSORS,
    "lstm": lambda size: LSTM(MPNN(size), size),
    "dropout": lambda size: Dropout(MPNN(size), 0.1),
    "repeated": lambda size: Repeated(MPNN(size), 2),
    "isolated": lambda size: IsolatedNodes(StepEncoding(LSTM(Gated(MPNN(size), size), size))),
}


def call(make, features, hidden, memory=(), context=Context()):
    """Shapes of the output of a processor, without computing anything."""
    transformed = hk.transform(lambda: make(HIDDEN)(features, hidden, memory, context))
    return jax.eval_shape(transformed.init, jax.random.key(0))


def wrong_array(random, value):
    """An array of another shape or dtype than `value`, or something else."""
    shape = list(value.shape)
    axis = random.integers(len(shape))
    match random.integers(5):
        case 0:
            return NO_ARRAYS[random.integers(len(NO_ARRAYS))]
        case 1:
            del shape[axis]
        case 2:
            shape.insert(axis, 1)
        case 3:
            shape[axis] = 0
        case 4:
            return value.astype([np.int32, complex, object, "U1"][random.integers(4)])
    return np.zeros(shape, value.dtype)


def break_input(random, features, hidden):
    """Replaces one input by a wrong one."""
    fields = ["hidden", "memory", "nodes", "graph", "adjacency", "mask", "edges", "features", "context"]
    field = fields[random.integers(len(fields))]
    memory, context = (), Context()
    wrong = NO_ARRAYS[random.integers(len(NO_ARRAYS))]
    match field:
        case "hidden":
            hidden = wrong_array(random, hidden)
        case "features":
            features = [wrong, tuple(features), features._asdict()][random.integers(3)]
        case "memory":
            memory = [jnp.zeros((BATCH, NODES)), np.zeros((BATCH, NODES, NODES, HIDDEN + 1)), wrong][
                random.integers(3)
            ]
        case "context":
            context = [context._replace(step=np.zeros(BATCH + 1, int)), context._replace(step=wrong), wrong][
                random.integers(3)
            ]
        case "edges" if random.random() < 0.7:
            factored = dict(vars(features.edges))
            name = list(factored)[random.integers(3)]
            factored[name] = wrong_array(random, factored[name])
            features = features._replace(edges=FactoredFeatures(**factored))
        case "edges":
            features = features._replace(edges=wrong_array(random, with_dense_edges(features).edges))
        case "mask":
            features = features._replace(mask=wrong_array(random, np.ones((BATCH, NODES), bool)))
        case _:
            features = features._replace(**{field: wrong_array(random, getattr(features, field))})
    return field, (features, hidden, memory, context)


@pytest.mark.slow
@pytest.mark.examples
def test_wrong_inputs():
    num_rejected, count = 0, 5 * NUM_EXAMPLES
    for seed in range(count):
        random = np.random.default_rng(seed)
        name = list(WRAPPED)[seed % len(WRAPPED)]
        field, arguments = break_input(random, *random_features())
        try:
            call(WRAPPED[name], *arguments)
        except Exception as error:
            if not isinstance(error, ValueError) or " must " not in str(error):
                raise AssertionError(f"{name} with wrong {field}: {error!r}") from error
            num_rejected += 1
        else:
            # No mask is a valid mask, and processors without memory do not read it.
            assert field == "memory" or arguments[0].mask is None, (name, field, arguments)
    assert num_rejected > count * 0.8


def is_valid(option, value, kind=None):
    """True if a value of `NO_OPTIONS` is a valid one of this option, whose annotation is `kind`."""
    valid = {
        "annealing_steps": (0,),
        "attention_size": (None,),
        "message_layers": (0,),
    }
    if isinstance(value, bool):
        return kind is bool or option in ("carry_pairs", "embed", "layer_norm")  # may pass through **options
    if kind is float and isinstance(value, int | float):
        return math.isfinite(value)
    return any(value is known or value == known for known in valid.get(option, ()))


@pytest.mark.parametrize("name", PROCESSORS)
def test_wrong_options(name):
    make, checked = PROCESSORS[name], set()
    for option, value in itertools.product(OPTIONS, NO_OPTIONS):
        arguments = {"hidden_size": HIDDEN, option: value}
        try:
            hk.transform(lambda arguments=arguments: make(**arguments)).init(None)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
        else:
            parameter = inspect.signature(make).parameters.get(option)
            message = f"{name} accepts {option}={value!r}; check options with nar.processors.option_checks"
            assert is_valid(option, value, parameter and parameter.annotation), message
            continue
        if not re.search(f"^TypeError: .* unexpected keyword argument '{option}'", message):
            assert re.search("^ValueError: .*( must |unknown (aggregation|attention|score) )", message), (
                option,
                value,
                message,
            )
            checked.add(option)
    assert checked >= {"hidden_size", *inspect.signature(make).parameters} - {"name", "options"}
