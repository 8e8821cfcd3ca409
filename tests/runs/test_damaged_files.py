"""Damaged files and full disks: a run resumes to the same result, or ends with a message."""

import errno
import json
import os
import pathlib
import shutil

import numpy as np
import pytest
from quick_runs import STEPS, config_of, metrics_of, outcome, quick_runs
from saved_checkpoints import saved_file, saved_files, saved_steps

import nar
from experiments.fault_injection.damages import DAMAGES, truncated
from nar.atomic_io import read_json
from nar.runs import train
from nar.runs.run import read_config
from nar.runs.workdir import Workdir
from nar.training.checkpointing import LostCheckpointError, read_arrays
from nar.training.state import digest

CONFIG = config_of()


@pytest.fixture(scope="module")
def quick():
    with quick_runs():
        yield


@pytest.fixture(scope="module")
def finished(quick, tmp_path_factory):
    workdir = Workdir(tmp_path_factory.mktemp("runs") / "finished")
    nar.train(CONFIG, workdir)
    assert {8, 12} <= set(saved_steps(workdir.path))
    return workdir


@pytest.fixture(scope="module")
def unfinished(quick, tmp_path_factory):
    """A run killed after step 10: it has metrics and events after its last checkpoint, and no result."""
    workdir = Workdir(tmp_path_factory.mktemp("runs") / "unfinished")

    def killed(*arguments):
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            train.ShowProgress, "on_step", lambda self, report: killed() if report.step == 10 else None
        )
        with pytest.raises(KeyboardInterrupt):
            nar.train(CONFIG, workdir)
    assert [line["step"] for line in metrics_of(workdir)] == [2, 4, 6, 8, 10]
    return workdir


def train_and_catch(workdir):
    """Runs training and returns its user error, if any; other errors are raised."""
    try:
        nar.train(CONFIG, workdir)
    except (ValueError, OSError) as problem:
        return problem


def deleted(path, random):
    path.unlink()


# ---------------------------------------------------------------------------------------------------
# Damage


def list_files(workdir):
    return sorted(path.relative_to(workdir.path) for path in workdir.path.rglob("*") if path.is_file())


ANY_DAMAGE = [*DAMAGES, deleted]


@pytest.mark.slow
@pytest.mark.parametrize("which", ["finished", pytest.param("unfinished", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "shift", [0, *(pytest.param(shift, marks=pytest.mark.slow) for shift in range(1, len(ANY_DAMAGE)))]
)
def test_run_with_a_damaged_file_ends_like_an_undamaged_one_or_with_a_message(
    finished, unfinished, tmp_path, caplog, which, shift
):
    """Kinds of damage are assigned to files cyclically; over all shifts, each file has each kind."""
    source = {"finished": finished, "unfinished": unfinished}[which]
    random = np.random.default_rng(0)
    for number, name in enumerate(list_files(source)):
        workdir = Workdir(shutil.copytree(source.path, tmp_path / str(name).replace("/", "_")))
        ANY_DAMAGE[(number + shift) % len(ANY_DAMAGE)](workdir.path / name, random)
        if name.name != "result.json":
            workdir.result.unlink(missing_ok=True)
        caplog.clear()
        problem = train_and_catch(workdir)
        if isinstance(problem, LostCheckpointError):
            # The best checkpoint itself was lost: the best of the others is used only if that is requested.
            best = outcome(finished)["best_step"]
            assert workdir.path / name == saved_file(workdir.path, best) and which == "finished"
            nar.train(config_of(checkpoint_fallback=True), workdir)
            assert outcome(workdir)["best_step"] != best
            assert outcome(workdir)["lost_checkpoints"][0].startswith(f"step {best} ")
        elif problem is not None:
            # Only for directories in place of files, which nar does not remove.
            assert f"{workdir.path / name} is a" in str(problem)
            assert "then run the same command to resume" in str(problem)
            shutil.rmtree(workdir.path / name)
            nar.train(CONFIG, workdir)
        assert outcome(workdir)["parameters_sha256"] == outcome(finished)["parameters_sha256"], name
        assert outcome(workdir) == outcome(finished) or isinstance(problem, LostCheckpointError)
        if metrics_of(workdir) != metrics_of(finished):
            assert name.name == "metrics.jsonl" and "differs from what was written" in caplog.text


@pytest.mark.parametrize("which", ["finished", "unfinished"])
def test_run_without_an_intact_checkpoint_is_an_error(finished, unfinished, tmp_path, which):
    source = {"finished": finished, "unfinished": unfinished}[which]
    workdir = Workdir(shutil.copytree(source.path, tmp_path / "copy"))
    random = np.random.default_rng(1)
    for path in saved_files(workdir.path):
        truncated(path, random)
    workdir.result.unlink(missing_ok=True)
    with pytest.raises(ValueError, match="no intact checkpoint in .*; remove the folder to start over"):
        nar.train(CONFIG, workdir)
    shutil.rmtree(workdir.checkpoints)
    nar.train(CONFIG, workdir)
    assert outcome(workdir) == outcome(finished)


@pytest.mark.parametrize(
    "damage", [*DAMAGES[:2], *(pytest.param(one, marks=pytest.mark.slow) for one in DAMAGES[2:])]
)
def test_restoring_a_damaged_run_gives_an_intact_state_and_changes_no_file(finished, tmp_path, damage):
    random = np.random.default_rng(2)
    intact = {digest(nar.load_run(finished.path, checkpoint).state) for checkpoint in ("best", "last")}
    saved = saved_file(finished.path, 12).relative_to(finished.path)
    for name in ("config.json", "checkpoints/config.json", str(saved)):
        problem = None
        workdir = Workdir(shutil.copytree(finished.path, tmp_path / name.replace("/", "_")))
        damage(workdir.path / name, random)
        before = list_files(workdir)
        try:
            run = nar.load_run(workdir.path, "last")
        except LostCheckpointError as error:
            problem = str(error)
            run = nar.load_run(workdir.path, "last", checkpoint_fallback=True)
        assert (problem is not None) == (int(run.state.step) == 8)
        assert problem is None or "step 12, is damaged or missing; the last intact one is step 8" in problem
        assert int(run.state.step) in (8, 12)
        assert int(run.state.step) == 8 or digest(run.state) in intact
        assert run.config.training.steps == STEPS
        assert list_files(workdir) == before


def test_config_with_a_missing_key_in_a_workdir_is_an_error(unfinished, tmp_path):
    workdir = Workdir(shutil.copytree(unfinished.path, tmp_path / "copy"))
    config = read_json(workdir.config)
    del (
        config["training"]["on_nonfinite"],
        config["training"]["early_stopping_patience"],
        config["evaluation"],
    )
    for path in (workdir.config, workdir.checkpoints / "config.json"):
        path.write_text(json.dumps(config))
    with pytest.raises(ValueError, match=r"config.json: config key evaluation is missing"):
        read_config(workdir)
    with pytest.raises(ValueError, match=r"evaluation.batch_size: nothing saved, 32 given"):
        nar.train(CONFIG, workdir)


def test_finished_run_can_be_extended(quick, finished, tmp_path, capsys):
    workdir = Workdir(tmp_path / "run")
    nar.train(config_of(steps=6), workdir)
    assert outcome(workdir)["steps"] == 6
    nar.train(CONFIG, workdir)
    assert "Resuming from step 6." in capsys.readouterr().out
    assert outcome(workdir)["parameters_sha256"] == outcome(finished)["parameters_sha256"]
    assert metrics_of(workdir)[-1] == metrics_of(finished)[-1]


def test_non_finite_policy_may_change_when_resuming(unfinished, finished, tmp_path):
    workdir = Workdir(shutil.copytree(unfinished.path, tmp_path / "copy"))
    nar.train(config_of(on_nonfinite="skip"), workdir)
    assert outcome(workdir) == outcome(finished)
    with pytest.raises(ValueError, match="training.seed"):
        nar.train(config_of(seed=1), workdir)


def test_run_in_use_is_rejected_and_unchanged(unfinished, tmp_path):
    workdir = Workdir(shutil.copytree(unfinished.path, tmp_path / "copy"))
    before = {path: path.read_bytes() for path in workdir.path.rglob("*") if path.is_file()}
    with workdir.lock():
        before[workdir.path / ".lock_holder"] = (workdir.path / ".lock_holder").read_bytes()
        with pytest.raises(ValueError, match="is in use by process"):
            nar.train(CONFIG, workdir)
    assert {path: path.read_bytes() for path in workdir.path.rglob("*") if path.is_file()} == before


# ---------------------------------------------------------------------------------------------------
# Full disks


class FullDisk:
    """A disk that fails after the given number of file writes."""

    def __init__(self, patch, writes, number=errno.ENOSPC):
        self.left, self._number = writes, number
        for name in ("fsync", "mkdir"):
            patch.setattr(os, name, self._counted(getattr(os, name)))
        original_open = pathlib.Path.open

        def counted_open(path, mode="r", *arguments, **options):
            function = self._counted(original_open) if mode.startswith("a") else original_open
            return function(path, mode, *arguments, **options)

        patch.setattr(pathlib.Path, "open", counted_open)

    def _counted(self, function):
        def write(*arguments, **options):
            if self.left <= 0:
                raise OSError(self._number, os.strerror(self._number))
            self.left -= 1
            return function(*arguments, **options)

        return write


@pytest.mark.parametrize(
    ("number", "first", "every"),
    [
        (errno.ENOSPC, 0, 5),
        pytest.param(errno.EDQUOT, 3, 17, marks=pytest.mark.slow),
        pytest.param(errno.ENOSPC, 0, 1, marks=pytest.mark.slow),
    ],
)
def test_full_disk_at_any_write_names_the_file_and_loses_nothing(
    finished, tmp_path, monkeypatch, number, first, every
):
    writes = first
    while True:
        workdir = Workdir(tmp_path / str(writes))
        with monkeypatch.context() as patch:
            disk = FullDisk(patch, writes, number)
            problem = train_and_catch(workdir)
        if problem is None:
            assert disk.left >= 0 and writes > 12
            break
        assert problem.errno == number
        assert str(workdir.path) in problem.filename
        for step in saved_steps(workdir.path):
            assert read_arrays(workdir.checkpoints, step)["step"] == step
        nar.train(CONFIG, workdir)
        assert outcome(workdir) == outcome(finished)
        assert metrics_of(workdir) == metrics_of(finished)
        assert not list(workdir.path.rglob("*.part"))
        writes += every
