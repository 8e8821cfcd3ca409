"""Names of evaluations: nothing outside the workdir, nothing of the run, nothing that exists."""

import pytest

from nar.atomic_io import write_json
from nar.reports.run_report.reading import DEFAULT_EVALUATION
from nar.runs.evaluation_files import RUN_FILES, evaluation_files
from nar.runs.workdir import Workdir

EVALUATION = {"measurements": [], "summary": []}


@pytest.mark.parametrize(
    "name", ["../x", "../../x", "a/b", "/tmp/x", "", ".", "..", ".hidden", "a b", "x\n", "é", "x" * 300]
)
def test_names_that_are_no_plain_names_are_errors(tmp_path, name):
    with pytest.raises(ValueError, match="--name must be a name of at most 200 letters"):
        evaluation_files(tmp_path, name, overwrite=True)


@pytest.mark.parametrize("name", ["CON", "nul.json", "com1", "Lpt9.x"])
def test_names_of_devices_are_errors(tmp_path, name):
    with pytest.raises(ValueError, match="--name must not be that of a device on Windows"):
        evaluation_files(tmp_path, name)
    assert evaluation_files(tmp_path, "console").name == "console"


def test_longest_name_can_be_written(tmp_path):
    files = evaluation_files(tmp_path, "x" * 200)
    write_json(files.scores, EVALUATION)
    write_json(files.unused().scores, EVALUATION)


@pytest.mark.parametrize("name", [*RUN_FILES, "Config", "RESULT", "metrics.jsonl", "config.json"])
def test_names_of_the_run_are_errors_even_before_its_files_exist(tmp_path, name):
    with pytest.raises(ValueError, match="--name must not be that of a file of the run"):
        evaluation_files(tmp_path, name, overwrite=True)


def test_all_files_of_a_workdir_are_reserved(tmp_path):
    workdir = Workdir(tmp_path)
    values = [getattr(workdir, name) for name, one in vars(Workdir).items() if isinstance(one, property)]
    paths = [*values, *workdir.artifacts()]
    assert {path.name.split(".")[0] for path in paths} <= {*RUN_FILES, DEFAULT_EVALUATION}


@pytest.mark.parametrize("existing", ["mine.json", "mine.csv", "mine"])
def test_existing_evaluation_is_replaced_only_on_request(tmp_path, existing):
    if existing == "mine":
        (tmp_path / existing).mkdir()
    else:
        write_json(tmp_path / "mine.json", EVALUATION)
        (tmp_path / existing).touch()
    with pytest.raises(ValueError, match=f"({existing}|mine.json) exists: choose another --name, or pass"):
        evaluation_files(tmp_path, "mine")
    assert evaluation_files(tmp_path, "mine", overwrite=True).name == "mine"
    assert evaluation_files(tmp_path, "mine2").scores == tmp_path / "mine2.json"


def test_files_of_others_are_never_replaced(tmp_path):
    write_json(tmp_path / "notes.json", {"mine": 1})
    (tmp_path / "torn.json").write_text("{")
    (tmp_path / "table.csv").mkdir()
    (tmp_path / "measured.csv").write_text("mine")
    for name, problem in (
        ("measured", "measured.csv is not an evaluation"),
        ("notes", "is not an evaluation"),
        ("torn", "is not an"),
        ("table", "is a directory"),
    ):
        with pytest.raises(ValueError, match=problem):
            evaluation_files(tmp_path, name, overwrite=True)


def test_arrays_of_a_replaced_evaluation_are_removed(tmp_path):
    names = ["mine/old.npz", "mine/new.npz", "other/a.npz", "mine/../b.npz", "mine/notes.txt"]
    files = evaluation_files(tmp_path, "mine")
    files.remove(files.other_arrays([]))
    write_json(files.scores, {**EVALUATION, "arrays": names})
    for name in (*names, "mine/own.npz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    files.remove(files.other_arrays(kept=["mine/new.npz"]))
    assert sorted(path.name for path in files.arrays.iterdir()) == ["new.npz", "notes.txt", "own.npz"]
    assert (tmp_path / "other/a.npz").exists() and (tmp_path / "b.npz").exists()


def test_files_that_appear_meanwhile_get_the_next_name(tmp_path):
    files = evaluation_files(tmp_path, "mine")
    assert files.unused() == files
    write_json(files.scores, EVALUATION)
    (tmp_path / "mine_2").mkdir()
    assert files.unused().scores == tmp_path / "mine_3.json"
