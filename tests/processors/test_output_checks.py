"""Checks of the output of processors: every wrong answer is an error in words, and every right one passes."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import tiny
from nar.processors import ProcessorOutput
from nar.processors.base import FactoredFeatures
from nar.processors.output_checks import check_initial_memory, check_output
from nar.runs.components import build_graph_run
from nar.runs.components.optimizer import parameter_shapes

BATCH, NODES, HIDDEN = 2, 5, 8
CASES, SEED = 1_000, 23
MEMORY = {"pairs": np.zeros((BATCH, NODES, NODES)), "states": (np.zeros((BATCH, 3)),)}


class Shaped:
    """Not an array, though it has a shape and a dtype."""

    shape, dtype = 3, None

    def __repr__(self):
        return "nothing"


FACTORED = FactoredFeatures(np.ones((BATCH, NODES, 2)), jnp.ones((2, HIDDEN)), jnp.ones(HIDDEN))
NO_ARRAYS = ("nodes", 3, 1.5, True, [1.0], {"a": 1}, {1: 2, "a": 3}, object(), Shaped(), len, FACTORED, b"")
DTYPES = (jnp.int32, jnp.float16, jnp.bfloat16, jnp.complex64, bool)


def right_output(random):
    """A valid output; which of its optional fields are given is random."""
    shapes = {
        "messages": (BATCH, NODES, HIDDEN),
        "edges": (BATCH, NODES, NODES, HIDDEN),
        "graph": (BATCH, HIDDEN),
    }
    fields = {name: np.ones(shape, np.float32) for name, shape in shapes.items() if random.random() < 0.7}
    if random.random() < 0.5:
        fields["pointer_mask"] = np.ones((BATCH, NODES, NODES), bool)
    losses = {name: np.zeros(BATCH) for name in ("gate", "penalty") if random.random() < 0.7}
    nodes = np.ones((BATCH, NODES, HIDDEN), np.float32)
    return ProcessorOutput(nodes, memory=MEMORY, losses=losses, **fields)


def wrong_array(random, value):
    """An array of another shape or dtype, or no array."""
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
            shape[axis] = (0, shape[axis] + 1)[random.integers(2)]
        case 4:
            others = [dtype for dtype in DTYPES if dtype != value.dtype]
            return value.astype(others[random.integers(len(others))])
    return np.zeros(shape, value.dtype)


def wrong_output(random, output):
    """An output with one wrong field, or something else."""
    given = [
        name for name in ProcessorOutput._fields if isinstance(getattr(output, name), np.ndarray | jax.Array)
    ]
    field = [*given, "memory", "losses", "output"][random.integers(len(given) + 3)]
    other = NO_ARRAYS[random.integers(len(NO_ARRAYS))]
    if field == "output":
        return [None, tuple(output), output._asdict(), output.nodes, ProcessorOutput, other][
            random.integers(6)
        ]
    if field == "memory":
        pairs, states = MEMORY["pairs"], MEMORY["states"]
        memories = (
            None,
            (),
            other,
            {"pairs": pairs},
            {**MEMORY, "more": pairs},
            {**MEMORY, "states": [*states]},
            {**MEMORY, "pairs": wrong_array(random, pairs)},
        )
        return output._replace(memory=memories[random.integers(len(memories))])
    if field == "losses":
        loss = np.zeros(BATCH)
        losses = (None, loss, [loss], {3: loss}, {"gate": loss[:1]}, {"gate": loss > 0}, {"gate": None})
        return output._replace(losses=losses[random.integers(len(losses))])
    return output._replace(**{field: wrong_array(random, getattr(output, field))})


def problem_of(output):
    """The message of the error of an output; None if it is right."""
    try:
        check_output(output, np.zeros((BATCH, NODES, HIDDEN), np.float32), MEMORY)
    except ValueError as error:
        return str(error)
    return None


def test_random_outputs():
    rejected = 0
    for index in range(CASES):
        random = np.random.default_rng([SEED, index])
        output, is_wrong = right_output(random), bool(random.integers(2))
        problem = problem_of(wrong_output(random, output) if is_wrong else output)
        rejected += is_wrong
        assert (problem is not None) == is_wrong, (index, problem)
        assert problem is None or (" must " in problem and len(problem) < 700), (index, problem)
    assert 0.4 * CASES < rejected < 0.6 * CASES


@pytest.mark.parametrize("memory", [None, (), {}, MEMORY, [np.zeros((BATCH, 1))]])
def test_initial_memory(memory):
    check_initial_memory(memory, BATCH)


@pytest.mark.parametrize(
    "memory",
    [3, "memory", np.zeros(3), np.zeros(()), {"a": 1.0}, {1: np.zeros(2), "a": np.zeros(2)}, Shaped()],
)
def test_wrong_initial_memory(memory):
    with pytest.raises(ValueError, match=r"the processor's (initial_memory must return|memory must be)"):
        check_initial_memory(memory, BATCH)


SOURCE = """
import jax.numpy as jnp
from nar.processors import Context, ProcessorOutput

class Wrong:
    def __init__(self, hidden_size):
        pass

    def initial_memory(self, batch_size, num_nodes):
        return {memory}

    def __call__(self, features, hidden, memory=(), context=Context()):
        return {output}
"""


@pytest.mark.parametrize(
    ("output", "memory", "message"),
    [
        ("ProcessorOutput(hidden)", "()", None),
        ("(hidden, memory)", "()", r"output must be a nar.processors.ProcessorOutput, got \(float32"),
        (
            "ProcessorOutput(hidden[..., :0])",
            "()",
            r"nodes of .* must be float32\(4, 4, 4\), got .*4, 0\)",
        ),
        ("ProcessorOutput(hidden, memory=(1 / max(1, 0),))", "()", r"memory of .* got \(float,\)"),
        ("ProcessorOutput(hidden)", "jnp.zeros(3)", r"initial_memory must return arrays \(4, ...\)"),
    ],
)
def test_wrong_processor_in_a_model(tmp_path, monkeypatch, output, memory, message):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "wrong_processor.py").write_text(SOURCE.format(output=output, memory=memory))
    config = tiny.get_config().to_dict()
    config["model"] |= {"processor": "wrong_processor:Wrong", "hidden_size": 4}
    try:
        components = build_graph_run(config)
        if message is None:
            assert parameter_shapes(components.model, components.stream)
        else:
            with pytest.raises(ValueError, match=message):
                parameter_shapes(components.model, components.stream)
    finally:
        sys.modules.pop("wrong_processor", None)
