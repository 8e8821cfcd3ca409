"""Loss weights by stage, task, probe and name: their products, effect on gradients, and invalid ones."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from nar import ALGORITHMS
from nar.data import Task, TrainingStream, Transforms
from nar.losses import check_loss_weights, resolve_loss_weights, total_loss
from nar.model import NetConfig, make_model
from nar.model.params_by_task import flatten_tasks
from nar.processors import PGN
from nar.training import Devices, init_state, make_optimizer, make_train_step

HIDDEN, SIZE, BATCH = 8, 5, 4
BFS = Transforms().spec(ALGORITHMS["bfs"])


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({}, {"pi": 1, "reach_h": 1, "pi_h": 1, "auxiliary/gate": 1}),
        ({"hint": 0.5}, {"pi": 1, "reach_h": 0.5, "pi_h": 0.5, "auxiliary/gate": 1}),
        ({"hint": 0.5, "bfs/pi_h": 4}, {"pi": 1, "reach_h": 0.5, "pi_h": 2, "auxiliary/gate": 1}),
        ({"bfs": 3, "dfs": 7, "output": 0}, {"pi": 0, "reach_h": 3, "pi_h": 3, "auxiliary/gate": 3}),
        ({"auxiliary": 2}, {"pi": 1, "reach_h": 1, "pi_h": 1, "auxiliary/gate": 2}),
        ({"auxiliary/gate": 2}, {"pi": 1, "reach_h": 1, "pi_h": 1, "auxiliary/gate": 2}),
        ({"bfs/auxiliary/gate": 2}, {"pi": 1, "reach_h": 1, "pi_h": 1, "auxiliary/gate": 2}),
        ({"bfs": 2, "auxiliary": 5, "own": 3}, {"pi": 2, "auxiliary/gate": 10, "own": 6}),
        ({"bfs/own": 3, "hint": 5, "output": 7}, {"pi": 7, "auxiliary/gate": 1, "own": 3}),
    ],
)
def test_loss_weights_multiply(weights, expected):
    names = {"bfs": list(expected), "dfs": ["pi"]}
    check_loss_weights(weights, {"bfs": BFS, "dfs": BFS}, names)
    resolved = resolve_loss_weights(BFS, "bfs", expected, weights)
    assert resolved == expected
    losses = {name: jnp.asarray(float(index + 1)) for index, name in enumerate(expected)}
    weighted = sum(expected[name] * float(value) for name, value in losses.items())
    assert float(total_loss(losses, resolved)) == weighted


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"hints": 1.0}, "unknown loss weight 'hints'; known: hint, output, auxiliary, bfs, bfs/pi"),
        ({"pi": 1.0}, "unknown loss weight 'pi'"),
        ({"dfs": 1.0}, "unknown loss weight 'dfs'"),
        ({"hint": -1.0}, "loss weight hint must be a finite number >= 0, got -1.0"),
        ({"hint": float("nan")}, "got nan"),
        ({"hint": "much"}, "got 'much'"),
    ],
)
def test_invalid_loss_weights_raise(weights, message):
    with pytest.raises(ValueError, match=message):
        check_loss_weights(weights, {"bfs": BFS}, {"bfs": ["pi", "pi_h"]})


@pytest.mark.slow
def test_loss_weights_scale_gradients():
    """With weight 0 of outputs, the parameters of their decoders do not change."""
    task = Task(ALGORITHMS["minimum"], (SIZE,))
    stream = TrainingStream([task], batch_size=BATCH, seed=0)
    model = make_model(NetConfig(PGN, HIDDEN), {"minimum": task.spec})
    devices, optimizer = Devices.all(), make_optimizer(1e-2)
    state = devices.make_state(lambda: init_state(model, optimizer, {"minimum": stream.batch(0)}, 0))
    before = flatten_tasks(jax.tree.map(np.array, state.params))
    state, metrics = make_train_step(model, optimizer, loss_weights={"output": 0.0, "hint": 2.0})(
        state, devices.put_batch(stream.batch(0)), "minimum"
    )
    hints = [value for name, value in metrics.items() if name.endswith(("_h", "/i"))]
    assert len(hints) == 2
    assert float(metrics["loss"]) == pytest.approx(2 * sum(map(float, hints)), rel=1e-5)
    for name in ("min/node", "min_h/node"):
        name = f"minimum/decode/{name}"
        same = np.array_equal(before[name]["w"], flatten_tasks(state.params)[name]["w"])
        assert same == (name == "minimum/decode/min/node")
