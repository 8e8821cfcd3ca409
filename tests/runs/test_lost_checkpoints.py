"""A best checkpoint that is damaged or missing: nothing takes its place unless that is requested."""

import json
import shutil

import pytest
from quick_runs import config_of, outcome, quick_runs
from saved_checkpoints import saved_file, saved_files, saved_steps

import nar
from nar.atomic_io import read_json, write_json
from nar.runs.components import GraphComponents
from nar.runs.workdir import Workdir
from nar.training.checkpointing import LostCheckpointError


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Quick runs whose scores fall."""
    with quick_runs(), pytest.MonkeyPatch.context() as patch:
        score = GraphComponents.score_split

        def falling(*arguments):
            value = 1 - score(*arguments)["bfs"][16]["score"]
            return {"bfs": {16: {"pi": value, "score": value}}}

        patch.setattr(GraphComponents, "score_split", falling)
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run whose best checkpoint is not its last one."""
    workdir = nar.train(config_of(), tmp_path_factory.mktemp("runs") / "finished").workdir
    assert saved_steps(workdir.path)[-1] == 12 != outcome(workdir)["best_step"]
    return workdir


@pytest.fixture
def copy(finished, tmp_path):
    return Workdir(shutil.copytree(finished.path, tmp_path / "copy"))


@pytest.fixture
def best(finished):
    return outcome(finished)["best_step"]


def truncated(file):
    file.write_bytes(file.read_bytes()[:100])


def swapped(file):
    """Puts the last checkpoint in its place."""
    shutil.copy(saved_file(file.parents[1], 12), file)


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), truncated, swapped])
def test_load_run_refuses_another_checkpoint(copy, best, damage, caplog):
    damage(saved_file(copy.path, best))
    problem = "missing" if damage not in (truncated, swapped) else "damaged"
    message = (
        rf"best checkpoint is lost: step {best} \(validation score .*%\): .*step_{best}.npz is {problem}"
    )
    for _ in range(2):
        with pytest.raises(LostCheckpointError, match=rf"{message}.*Intact: \[.*12\]. Put its file back"):
            nar.load_run(copy)
        copy.result.unlink(missing_ok=True)  # Later checkpoints know it as well.
    run = nar.load_run(copy, checkpoint_fallback=True)
    assert run.step != best and run.lost_checkpoints[0].startswith(f"step {best} ")
    assert "of which the best takes its place" in caplog.text
    assert nar.load_run(copy, "last").step == 12 and nar.load_run(copy, "last").lost_checkpoints == []


def test_checkpoint_of_another_run_does_not_take_the_place_of_one(copy, best, tmp_path):
    """One file of a run of the same network with other data."""
    other = Workdir(shutil.copytree(copy.path, tmp_path / "other"))
    for path in (other.config, other.checkpoints / "config.json"):
        config = read_json(path)
        config["training"]["seed"] = 5
        write_json(path, config)
    for file in saved_files(other.path):
        file.unlink()
    other.result.unlink()
    nar.train(config_of(seed=5), other)
    shutil.copy(saved_file(other.path, best), saved_file(copy.path, best))
    message = rf"step {best} .*it is the checkpoint of a run with another training.seed: 5\)"
    with pytest.raises(LostCheckpointError, match=message):
        nar.load_run(copy)
    copy.result.unlink()
    with pytest.raises(LostCheckpointError, match=message):
        nar.train(config_of(), copy)


def test_damaged_checkpoint_after_the_intact_ones_may_be_the_best(copy, best):
    """Neither a result nor a later checkpoint of an unfinished run says which one was."""
    copy.result.unlink()
    truncated(saved_file(copy.path, 12))
    with pytest.raises(LostCheckpointError, match="best checkpoint may be lost: step 12: .* is damaged"):
        nar.load_run(copy)
    run = nar.load_run(copy, checkpoint_fallback=True)
    assert (run.step, run.lost_checkpoints) == (best, ["step 12"])
    nar.train(config_of(), copy)  # It is computed again.
    assert nar.load_run(copy).step == best


def test_result_knows_the_best_one_if_later_checkpoints_are_gone(copy, best):
    for step in saved_steps(copy.path):
        if step != 12:
            saved_file(copy.path, step).rename(saved_file(copy.path, step).with_suffix(".moved"))
    saved_file(copy.path, best).with_suffix(".moved").rename(saved_file(copy.path, best))
    saved_file(copy.path, 12).unlink()
    assert nar.load_run(copy).step == best
    with pytest.raises(LostCheckpointError, match=f"step 12, is damaged or missing; .* is step {best}"):
        nar.load_run(copy, "last")
    shutil.copy(saved_file(copy.path, best), saved_file(copy.path, 0))  # an older one, under another name
    saved_file(copy.path, best).unlink()
    with pytest.raises(LostCheckpointError, match=f"step {best}"):
        nar.load_run(copy)


def test_training_goes_on_without_it_only_if_requested(copy, best, finished):
    saved_file(copy.path, best).unlink()
    copy.result.unlink()
    before = sorted(path.name for path in copy.checkpoints.iterdir())
    with pytest.raises(LostCheckpointError, match=f"step {best}"):
        nar.train(config_of(), copy)
    assert sorted(path.name for path in copy.checkpoints.iterdir()) == before and not copy.result.exists()
    nar.train(config_of(checkpoint_fallback=True), copy)
    assert outcome(copy)["best_step"] not in (best, None)
    assert [one.split(" (")[0] for one in outcome(copy)["lost_checkpoints"]] == [f"step {best}"]
    assert outcome(copy)["parameters_sha256"] == outcome(finished)["parameters_sha256"]
    # From now on the new one is the best.
    assert nar.load_run(copy).step == outcome(copy)["best_step"]
    nar.train(config_of(steps=16, checkpoint_fallback=True), copy)
    assert outcome(copy)["lost_checkpoints"][0].startswith(f"step {best} ")


def test_best_checkpoint_that_is_damaged_while_training_goes_on_is_noticed_and_kept(
    tmp_path, best, monkeypatch
):
    from nar.runs import train

    workdir, shown = Workdir(tmp_path / "run"), train.ShowProgress.on_step

    def on_step(self, report):
        if report.step == best + 1:
            truncated(saved_file(workdir.path, best))
        return shown(self, report)

    monkeypatch.setattr(train.ShowProgress, "on_step", on_step)
    with pytest.raises(LostCheckpointError, match=f"step_{best}.npz is damaged"):
        nar.train(config_of(), workdir)
    assert saved_file(workdir.path, best).exists()


def test_warm_start_if_the_other_run_lost_it(copy, best, tmp_path):
    saved_file(copy.path, best).unlink()
    with pytest.raises(ValueError, match=r"training.init_from: the best checkpoint is lost"):
        nar.train(config_of(init_from=str(copy)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_checkpoints_of_another_run_are_refused(copy, finished, tmp_path):
    other = Workdir(tmp_path / "other")
    nar.train(config_of(seed=5), other)
    shutil.rmtree(copy.checkpoints)
    shutil.copytree(other.checkpoints, copy.checkpoints)
    message = r"has the checkpoints of another run:\n  training.seed: 0 in .*, 5 in "
    for use in (nar.load_run, lambda path: nar.train(config_of(), path)):
        with pytest.raises(ValueError, match=message):
            use(copy)


def test_result_without_the_names_of_checkpoints_is_not_used(copy, best, caplog):
    for content in ({"steps": 12}, {"best_step": 3}, {"steps": "12", "best_step": None}, {}):
        write_json(copy.result, content)
        assert nar.load_run(copy).step == best
    copy.result.write_text("{")
    assert nar.load_run(copy).step == best
    assert "the result is not used" in caplog.text


def test_evaluation_and_report_say_that_another_one_was_scored(copy, best):
    from nar.reports.run_report import make_settings, read_records, report_notes

    result = {**read_json(copy.result), "lost_checkpoints": [f"step {best} (validation score 50.00%)"]}
    write_json(copy.result, result)
    records = read_records([copy.path])
    notes = report_notes(records, make_settings(records.runs))
    assert any("Scored without the best checkpoint, which was lost: copy" in note for note in notes)
    assert json.loads(copy.result.read_text())["best_step"] == best
