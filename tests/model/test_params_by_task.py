"""Parameters nested by task, and the part of them that belongs to one task."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from nar.model.params_by_task import flatten_tasks, merge_task, nest_by_task, select_task

FLAT = {
    "bfs/decode": {"w": jnp.ones(2), "b": jnp.zeros(3)},
    "bfs/encode": {"w": jnp.ones(2)},
    "minimum/encode/key_0": {"w": jnp.ones(2)},
    "processor": {"w": jnp.ones(1)},
    "processor/mpnn": {"w": jnp.ones((2, 2))},
}
NESTED = nest_by_task(FLAT)


def names(tree):
    return [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)]


def test_nesting_is_inverted_and_keeps_the_order_of_arrays():
    assert set(NESTED) == {"bfs", "minimum", "processor"}
    assert set(NESTED["bfs"]) == {"decode", "encode"}
    assert NESTED["minimum"]["encode/key_0"] is FLAT["minimum/encode/key_0"]
    flat = flatten_tasks(NESTED)
    assert flat == FLAT and names(flat) == names(FLAT)
    assert nest_by_task({}) == {"processor": {}}


@pytest.mark.parametrize("frozen", [False, True])
def test_selection_and_merge_of_parameters_and_optimizer_states(frozen):
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(optax.constant_schedule(0.1)))
    if frozen:
        labels = jax.tree_util.tree_map_with_path(
            lambda path, leaf: "frozen" if "encode" in path[1].key else "trained", NESTED
        )
        optimizer = optax.multi_transform({"trained": optimizer, "frozen": optax.set_to_zero()}, labels)
    state = optimizer.init(NESTED)
    whole = {"params": NESTED, "opt_state": state}
    selected = select_task(whole, "bfs")
    assert [name for name in names(whole) if "minimum" not in name] == names(selected)
    assert selected["params"]["bfs"] is NESTED["bfs"]
    merged = merge_task(whole, jax.tree.map(lambda leaf: leaf + 1, selected), "bfs")
    assert jax.tree.structure(merged) == jax.tree.structure(whole)
    for name, before, after in zip(names(whole), *map(jax.tree.leaves, (whole, merged)), strict=True):
        np.testing.assert_array_equal(after, before + ("minimum" not in name), err_msg=name)


def test_trees_of_other_networks_are_kept_whole():
    tree = {"transformer": {"w": jnp.ones(2)}, "bfs": {"w": jnp.ones(1)}}
    assert select_task(tree, "bfs") == tree
    changed = {"transformer": {"w": 1}, "bfs": {"w": 2}}
    assert merge_task(tree, changed, "bfs") == changed
