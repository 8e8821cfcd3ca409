"""Checkpoints: retention, and detection of damage."""

import functools
import math
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.fault_injection.damages import DAMAGES, flipped, lengthened, truncated
from nar.training import Checkpoints, TrainState, make_optimizer
from nar.training.checkpointing import LostCheckpointError
from nar.training.checkpointing.checkpoint_file import read_checkpoint, write_checkpoint
from nar.training.state import digest

ADAM = make_optimizer(1e-3)


@functools.cache
def small_state(step: int, dtype=jnp.float32, optimizer=None) -> TrainState:
    params = {"a": {"w": np.arange(5, dtype=dtype) + dtype(step)}, "b": {"w": np.ones((3, 4), dtype)}}
    state = jax.jit((optimizer or ADAM).init)(params)
    return TrainState(jax.tree.map(jnp.asarray, params), state, jnp.array(step, jnp.int32), jax.random.key(7))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints = Checkpoints(folder)
    for step, score in ((1, 0.5), (2, 0.9), (3, 0.3), (4, 0.2), (5, None)):
        checkpoints.save(small_state(step), score, {"seconds": step})
    return folder


@pytest.fixture
def copy(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "copy")


def test_last_two_and_best_checkpoints_are_kept(saved):
    checkpoints = Checkpoints(saved, read_only=True)
    assert checkpoints.all_steps() == [2, 4, 5]
    best, last = checkpoints.best(small_state(0)), checkpoints.restore(small_state(0))
    assert digest(best.state) == digest(small_state(2))
    assert digest(last.state) == digest(small_state(5))
    assert last.metadata == {"seconds": 5}


def test_latest_of_tied_checkpoints_is_best(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step in range(1, 6):
        checkpoints.save(small_state(step), 1.0 if step <= 3 else 0.5, {})
    assert int(Checkpoints(tmp_path).best(small_state(0)).state.step) == 3


def test_score_that_is_nan_is_never_the_best(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step, score in enumerate((math.nan, 0.2, math.nan, 0.1, math.nan, math.nan)):
        checkpoints.save(small_state(step), score, {})
    assert int(Checkpoints(tmp_path).best(small_state(0)).state.step) == 1


def test_last_scored_checkpoint_is_kept_across_interruptions(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    for step, score in ((1, 0.9), (2, 0.5), (3, None), (4, None), (5, None)):
        checkpoints.save(small_state(step), score, {})
    assert checkpoints.all_steps() == [1, 2, 4, 5]
    assert int(checkpoints.restore(small_state(0), scored_only=True).state.step) == 2


def test_scored_step_is_not_overwritten_without_its_score(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(small_state(1), 0.9, {})
    checkpoints.save(small_state(1), None, {})
    assert int(checkpoints.restore(small_state(0), scored_only=True).state.step) == 1


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("name", ["adam", "lion", "sgd"])
def test_round_trip_with_any_optimizer_and_dtype(tmp_path, dtype, name):
    state = small_state(3, dtype, make_optimizer(1e-3, 1.0, ("^b/",), name=name))
    Checkpoints(tmp_path).save(state, 0.5, {})
    restored = Checkpoints(tmp_path).restore(state).state
    assert digest(restored) == digest(state)
    assert jax.tree.structure(restored) == jax.tree.structure(state)
    assert restored.params["a"]["w"].dtype == dtype


def test_checkpoint_is_readable_with_numpy_alone(saved):
    with np.load(saved / "step_5.npz") as archive:
        assert np.array_equal(archive["params/a/w"], np.arange(5) + 5)
        assert archive["step"] == 5


# ---------------------------------------------------------------------------------------------------
# Damage


@pytest.mark.parametrize("num_trials", [10, pytest.param(40, marks=pytest.mark.slow)])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_checkpoint_is_skipped(saved, tmp_path, damage, num_trials, caplog):
    skipped, random = 0, np.random.default_rng(0)
    for trial in range(num_trials):
        folder = shutil.copytree(saved, tmp_path / str(trial))
        damage(folder / "step_5.npz", random)
        checkpoints = Checkpoints(folder)
        caplog.clear()
        restored = checkpoints.restore(small_state(0))
        step = int(restored.state.step)
        assert digest(restored.state) == digest(small_state(step))
        assert restored.metadata == {"seconds": step}
        if step == 4:
            skipped += 1
            assert caplog.text.count("damaged and skipped") == 1
            assert checkpoints.all_steps() == [2, 4]
            assert (folder / "damaged_step_5.npz").exists()
            checkpoints.save(small_state(5), 0.1, {"seconds": 5})
        else:
            assert step == 5 and not caplog.records
        assert int(Checkpoints(folder).restore(small_state(0)).state.step) == 5
    # A flipped bit may hit a date in the archive, and bytes after its end do no harm.
    assert skipped >= {flipped: num_trials // 2, lengthened: 0}.get(damage, num_trials)


def test_nothing_takes_the_place_of_a_damaged_best_checkpoint_unless_requested(copy, caplog):
    truncated(copy / "step_2.npz", np.random.default_rng(1))
    checkpoints = Checkpoints(copy, read_only=True)
    message = r"best checkpoint is lost: step 2 \(validation score 90.00%\): .* damaged .*Intact: \[4, 5\]"
    for use in (checkpoints.check_best, lambda: checkpoints.best(small_state(0))):
        with pytest.raises(LostCheckpointError, match=message):
            use()
    restored = checkpoints.best(small_state(0), fallback=True)
    assert int(restored.state.step) == 4 and [one.step for one in restored.best.lost] == [2]
    assert checkpoints.all_steps() == [2, 4, 5]


def test_replacement_of_a_lost_best_checkpoint_is_recorded(copy):
    (copy / "step_2.npz").unlink()
    checkpoints = Checkpoints(copy)
    checkpoints.restore(small_state(0))
    checkpoints.check_best(fallback=True)
    checkpoints.save(small_state(6), 0.1, {})
    again = Checkpoints(copy, read_only=True).best(small_state(0))
    assert int(again.state.step) == 4 and [one.step for one in again.best.lost] == [2]


def test_checkpoint_under_the_name_of_another_is_damaged(copy, caplog):
    shutil.copy(copy / "step_4.npz", copy / "step_5.npz")
    assert int(Checkpoints(copy).restore(small_state(0)).state.step) == 4
    assert "it is the checkpoint of step 4" in caplog.text


def test_checksum_mismatch_in_a_valid_archive_is_detected(copy, monkeypatch):
    monkeypatch.setattr("nar.training.checkpointing.checkpoint_file.digest", lambda content: "0" * 64)
    write_checkpoint(copy / "step_5.npz", {"params/a/w": np.zeros(5)}, {"metadata": {}, "score": None})
    monkeypatch.undo()
    assert int(Checkpoints(copy).restore(small_state(0)).state.step) == 4


def test_restore_fails_if_all_checkpoints_are_damaged(copy):
    for path in copy.glob("*.npz"):
        path.write_bytes(b"PK")
    checkpoints = Checkpoints(copy)
    with pytest.raises(ValueError, match=r"no intact checkpoint .*damaged: \[2, 4, 5\]"):
        checkpoints.restore(small_state(0))
    assert checkpoints.all_steps() == [2, 4, 5]


def test_checkpoint_of_another_network_is_rejected_and_kept(copy):
    other = small_state(0, optimizer=optax.sgd(0.1))
    with pytest.raises(ValueError, match=r"step_5.npz does not match the run's config.*opt_state/"):
        Checkpoints(copy).restore(other)
    assert Checkpoints(copy).all_steps() == [2, 4, 5]


def random_json(random, depth=0):
    """A random JSON value."""
    kind = random.integers(8 if depth < 3 else 6)
    if kind == 6:
        return [random_json(random, depth + 1) for _ in range(random.integers(4))]
    if kind == 7:
        names = ("metadata", "score", "best", "lost", "x")
        return {names[random.integers(5)]: random_json(random, depth + 1) for _ in range(random.integers(4))}
    return (None, True, int(random.integers(-9, 9)), float(random.normal()), "text", math.inf)[kind]


@pytest.mark.parametrize("num_trials", [25, pytest.param(1500, marks=pytest.mark.slow)])
def test_checkpoint_with_any_record_and_a_right_checksum_is_used_or_skipped(copy, num_trials):
    """Restoring and scoring never fail, and the arrays are those of the checkpoint that is restored."""
    random, path, template = np.random.default_rng(3), copy / "step_5.npz", small_state(0)
    arrays, intact = read_checkpoint(path)
    num_best, num_lost = 0, 0
    for _ in range(num_trials):
        record = random_json(random)
        if random.random() < 0.8:
            keys = ("metadata", "score", "best")
            record = {**intact, keys[random.integers(3)]: record}
        elif random.random() < 0.5:
            record = {**intact, "best": {"best": [[int(random.integers(1, 7)), 0.5]], "lost": []}}
        write_checkpoint(path, arrays, record)
        checkpoints = Checkpoints(copy, read_only=True)
        restored = checkpoints.restore(template)
        assert digest(restored.state) == digest(small_state(int(restored.state.step)))
        assert isinstance(restored.metadata, dict)
        try:
            best = checkpoints.best(template)
        except LostCheckpointError as error:
            # Its record names a checkpoint that does not exist; or it is damaged, and may have been the best.
            is_intact = int(restored.state.step) == 5
            assert ("is missing" if is_intact else "step_5.npz is damaged") in str(error), record  # noqa: PT017
            num_lost += 1
        else:
            assert digest(best.state) == digest(small_state(int(best.state.step)))
            num_best += 1
    assert num_best and num_lost


def test_partially_written_checkpoint_is_ignored(copy):
    (copy / ".step_6.npz.0123456789abcdef.part").write_bytes((copy / "step_5.npz").read_bytes()[:100])
    assert Checkpoints(copy, read_only=True).all_steps() == [2, 4, 5]
    assert int(Checkpoints(copy).restore(small_state(0)).state.step) == 5
    assert not list(copy.glob(".*"))


def test_restore_without_checkpoints(tmp_path):
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.restore(small_state(0)) is None
    with pytest.raises(ValueError, match="there are none"):
        checkpoints.best(small_state(0))


def test_file_in_place_of_the_folder_is_an_error(tmp_path):
    (tmp_path / "checkpoints").write_text("")
    with pytest.raises(ValueError, match="checkpoints is not a folder"):
        Checkpoints(tmp_path / "checkpoints")
