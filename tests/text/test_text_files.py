"""Sets of texts on disk: published lines, atomic writes, and reproducibility after interruptions."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest
from commands import ROOT, command, run
from numpy.random import default_rng

from experiments.cli.text_set import make_set
from experiments.fault_injection.damages import DAMAGES
from nar.ownership import HOLDER, LOCK, LostFolderError, own_folder
from nar.runs.lock import Lock
from nar.text import sample_texts
from nar.text.rendering import text_files
from nar.text.rendering.text_files import TextRequest, claim_folder
from nar.text.scoring.answer_files import score_file, with_checksum

SMALL = ("--algorithms=minimum,insertion_sort", "--lengths=4,6", "--samples=30", "--seeds=3,14")


def make(folder, *options, code=0):
    returned, output, errors = run("make_text", f"--output={folder}", *options)
    assert returned == code, errors
    return output if code == 0 else errors


def lines_of(folder):
    return [line for path in sorted(folder.glob("*.jsonl")) for line in path.read_text().splitlines()]


def content(folder):
    """Bytes of the files by name, without those of the lock, which `make_text` leaves."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name not in (LOCK, HOLDER)}


@pytest.mark.slow
def test_files_do_not_depend_on_workers_or_interruptions(tmp_path):
    summary = make(tmp_path / "one", *SMALL, "--hints", "--decimals=3", "--workers=1")
    assert "240 texts in 4 files" in summary
    rows = [json.loads(line) for line in lines_of(tmp_path / "one")]
    expected = [
        {
            "text": text.question + text.answer,
            "question": text.question,
            "answer": text.answer,
            "algorithm": name,
            "length": length,
            "use_hints": True,
        }
        for name in ("minimum", "insertion_sort")
        for length in (4, 6)
        for seed in (3, 14)
        for text in sample_texts(name, length, 30, seed, use_hints=True, decimals=3)
    ]
    assert rows == expected
    assert lines_of(tmp_path / "one") == [json.dumps(row) for row in expected]
    manifest = json.loads((tmp_path / "one" / "manifest.json").read_text())
    assert (manifest["complete"], manifest["lines"], len(manifest["files"])) == (True, 240, 4)
    # The number of workers does not matter; only missing files are made.
    make(tmp_path / "two", *SMALL, "--hints", "--decimals=3", "--workers=2")
    whole = content(tmp_path / "one")
    assert content(tmp_path / "two") == whole
    first, second = sorted((tmp_path / "two").glob("*.jsonl"))[:2]
    second.unlink()
    killed = tmp_path / "two" / f".{second.name}.0123456789abcdef.part"
    killed.write_text("half")
    mine = [tmp_path / "two" / name for name in (".env", ".gitignore", ".x.part", ".x.0123456789abcdef.part")]
    for path in mine:
        path.write_text("mine")
    before = first.stat().st_mtime_ns
    assert "60 of them new" in make(tmp_path / "two", *SMALL, "--hints", "--decimals=3", "--workers=1")
    assert not killed.exists() and all(path.read_text() == "mine" for path in mine)
    assert {name: text for name, text in content(tmp_path / "two").items() if name[0] != "."} == whole
    assert first.stat().st_mtime_ns == before


def test_first_lines_equal_the_published_set(tmp_path):
    """The published script has one sampler per algorithm, length and seed, in this order."""
    from test_rendering import dm_clrs_texts

    make(tmp_path, "--split=val", "--algorithms=bfs", "--lengths=4", "--workers=1")
    rows = [json.loads(line) for line in lines_of(tmp_path)]
    assert len(rows) == 625
    for seed, start in ((3, 0), (94, 500)):
        expected = dm_clrs_texts("bfs", 4, 125, seed, False, None)
        assert [(row["question"], row["answer"]) for row in rows[start : start + 125]] == expected


SET_OPTIONS = ("--split=val", "--algorithms=minimum,binary_search", "--samples=40", "--workers=2")


@pytest.fixture(scope="module")
def whole_set(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    make(folder, *SET_OPTIONS)
    return content(folder)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_resumed_set_equals_an_uninterrupted_one(tmp_path, whole_set, number):
    folder = tmp_path / "killed"
    process = subprocess.Popen(
        command("make_text", f"--output={folder}", *SET_OPTIONS),
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and len(list(folder.glob("*.jsonl"))) < 3:
        time.sleep(0.02)
    os.kill(process.pid, number)
    _, message = process.communicate(timeout=400)
    if number != signal.SIGKILL:
        assert f"Interrupted by {number.name}; all files are complete".encode() in message
    names = [path.name for path in folder.glob("*.jsonl")]
    assert 3 <= len(names) < 122
    for name in names:
        assert len((folder / name).read_text().splitlines()) == 200
    make(folder, *SET_OPTIONS)
    assert content(folder) == whole_set


def test_large_series_are_split_into_files(tmp_path, monkeypatch):
    request = TextRequest({"minimum": (4,)}, samples=25, seeds=(0, 1))
    (file,) = request.files()
    whole = list(file.lines(request))
    monkeypatch.setattr(text_files, "MAX_LINES_PER_FILE", 20)
    parts = request.files()
    assert [part.count for part in parts] == [20, 20, 10]
    assert [line for part in parts for line in part.lines(request)] == whole


def test_failed_write_leaves_no_partial_file(tmp_path, monkeypatch):
    request = TextRequest({"minimum": (4,)}, samples=3, seeds=(0,))
    claim_folder(tmp_path, request)
    (file,) = request.files()

    def raise_disk_full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(text_files, "json_line", raise_disk_full)
    with pytest.raises(OSError, match="No space"):
        file.write(tmp_path, request)
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    monkeypatch.undo()
    file.write(tmp_path, request)
    assert len(lines_of(tmp_path)) == 3


def test_folder_of_another_request_is_rejected(tmp_path):
    request = TextRequest({"minimum": (4,), "bfs": (4,)}, samples=3, seeds=(0,))
    claim_folder(tmp_path, request)
    claim_folder(tmp_path, request)
    for other, message in (
        (TextRequest({"minimum": (4,), "bfs": (4,)}, 3, (0, 1)), r"seeds: \[0\] saved, \[0, 1\] requested"),
        (TextRequest({"minimum": (4, 5), "bfs": (4,)}, 3, (0,)), "lengths: "),
        (TextRequest({"bfs": (4,), "minimum": (4,)}, 3, (0,)), "lengths: "),
        (
            TextRequest({"minimum": (4,), "bfs": (4,)}, 3, (0,), True, 2),
            "use_hints: false saved, true requested",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            claim_folder(tmp_path, other)


@pytest.mark.parametrize("junk", ["", "{}", "[" * 100_000, '{"format": "nar-texts", "version": 2}', "\0"])
def test_folder_of_other_files_is_rejected(tmp_path, junk):
    (tmp_path / "manifest.json").write_text(junk)
    with pytest.raises(ValueError, match="is not a manifest of a set of texts"):
        claim_folder(tmp_path, TextRequest({"minimum": (4,)}, 3, (0,)))
    (tmp_path / "manifest.json").rename(tmp_path / "notes")
    with pytest.raises(ValueError, match="is not empty and does not hold a set of texts"):
        claim_folder(tmp_path, TextRequest({"minimum": (4,)}, 3, (0,)))


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (TextRequest({"sort": (4,)}, 3, (0,)), "unknown algorithm 'sort'"),
        (TextRequest({"minimum": (0,)}, 3, (0,)), "minimum: size must be"),
        (TextRequest({"minimum": ()}, 3, (0,)), "no lengths are given for minimum"),
        (TextRequest({"minimum": (4, 4)}, 3, (0,)), "lengths of minimum must differ"),
        (TextRequest({"minimum": (4,)}, 0, (0,)), "samples must be at least 1, got 0"),
        (TextRequest({"minimum": (4,)}, 3, (-1,)), "seed must be"),
        (TextRequest({"minimum": (4,)}, 3, ()), "no seeds are given"),
        (TextRequest({"minimum": (4,)}, 3, (0,), decimals=101), "decimals must be"),
    ],
)
def test_invalid_request_is_rejected(request_, message):
    with pytest.raises(ValueError, match=message):
        request_.check()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "without --split, --algorithms must be given"),
        (("--split=val", "--algorithms=minimum,minimum"), "--algorithms must differ"),
        (("--split=val", "--algorithms=bipartite_matching"), "val has no lengths of bipartite_matching"),
        (("--split=val", "--lengths=4,x"), "--lengths must be integers"),
    ],
)
def test_invalid_flags_are_rejected(tmp_path, options, message):
    assert message in make(tmp_path / "none", *options, code=1)
    assert not (tmp_path / "none").exists()


# ---------------------------------------------------------------------------------------------------
# Damage of finished sets


def make_in_process(folder, request, capsys):
    """Makes a set as `experiments.make_text` does; returns what is printed."""
    claim_folder(folder, request)
    make_set(folder, request, num_workers=1)
    return capsys.readouterr().out


def test_changed_file_of_a_finished_set_is_made_again(tmp_path, capsys):
    request = TextRequest({"minimum": (4,), "bfs": (4,)}, samples=20, seeds=(0,))
    assert "40 texts in 2 files" in make_in_process(tmp_path, request, capsys)
    whole, name = content(tmp_path), "00000-minimum-4.jsonl"
    lines = whole[name].splitlines(keepends=True)
    for damaged in (b"".join(lines[:10]), b"", whole[name].replace(b"0.1", b"0.2"), whole[name] + lines[0]):
        (tmp_path / name).write_bytes(damaged)
        output = make_in_process(tmp_path, request, capsys)
        assert f"{tmp_path / name} differs from the manifest: kept as {name}.damaged" in output
        assert "20 of them new" in output
        assert (tmp_path / f"{name}.damaged").read_bytes() == damaged
        (tmp_path / f"{name}.damaged").unlink()
        assert content(tmp_path) == whole
    for number, kept in enumerate((f"{name}.damaged", f"{name}.damaged.2")):
        (tmp_path / name).write_text(str(number))
        assert f"kept as {kept}, and made again" in make_in_process(tmp_path, request, capsys)
    assert [(tmp_path / f"{name}.damaged{suffix}").read_text() for suffix in ("", ".2")] == ["0", "1"]
    assert "0 of them new" in make_in_process(tmp_path, request, capsys)


def test_file_that_was_not_finished_is_made_again(tmp_path, capsys):
    request = TextRequest({"minimum": (4,), "bfs": (4,)}, samples=5, seeds=(0,))
    claim_folder(tmp_path, request)
    (tmp_path / "00000-minimum-4.jsonl").write_text("half\n")
    assert "10 of them new" in make_in_process(tmp_path, request, capsys)
    assert len(lines_of(tmp_path)) == 10 and not list(tmp_path.glob("*.damaged"))


def test_references_are_compared_with_the_manifest(tmp_path, capsys):
    request = TextRequest({"minimum": (4,)}, samples=20, seeds=(0,))
    make_in_process(tmp_path, request, capsys)
    references, answers = tmp_path / "00000-minimum-4.jsonl", tmp_path / "own.jsonl"
    answers.write_text("".join(json.dumps({"index": k, "completion": "0"}) + "\n" for k in range(10)))
    assert score_file(answers, references).total().count == 20
    references.write_text("".join(references.read_text().splitlines(keepends=True)[:10]))
    with pytest.raises(ValueError, match=r"00000-minimum-4.jsonl is damaged: it has 10 lines .*'lines': 20"):
        score_file(answers, references)


def test_references_with_a_damaged_manifest_are_refused(tmp_path, capsys):
    request = TextRequest({"minimum": (4,)}, samples=3, seeds=(0,))
    make_in_process(tmp_path, request, capsys)
    references, manifest = tmp_path / "00000-minimum-4.jsonl", tmp_path / "manifest.json"
    (tmp_path / "own.jsonl").write_text(json.dumps({"index": 0, "completion": "0"}))
    for damaged in ("", "{", json.dumps({"format": "nar-texts"}), manifest.read_text().replace("2", "9")):
        manifest.write_text(damaged)
        with pytest.raises(ValueError, match=r"cannot be compared with .*manifest.json|is damaged"):
            score_file(tmp_path / "own.jsonl", references)
    manifest.write_text('{"name": "of another program"}')
    assert score_file(tmp_path / "own.jsonl", references).total().count == 3


def test_set_whose_folder_is_moved_is_not_continued_elsewhere(tmp_path):
    folder, request = tmp_path / "set", TextRequest({"minimum": (4,), "bfs": (4,)}, samples=5, seeds=(0,))
    claim_folder(folder, request)
    with own_folder(folder):
        folder.rename(tmp_path / "moved")
        folder.mkdir()
        with pytest.raises(LostFolderError):
            make_set(folder, request, num_workers=1)
    assert not list(folder.iterdir())


# ---------------------------------------------------------------------------------------------------
# Two processes


def test_second_command_for_a_folder_is_refused(tmp_path):
    folder, options = tmp_path / "set", ("--algorithms=minimum", "--lengths=4", "--samples=3", "--seeds=0")
    folder.mkdir()
    with Lock(folder):
        before = content(folder)
        message = f"{folder} is in use by process {os.getpid()} "
        assert message in make(folder, *options, code=1)
        answers = ("--model=experiments.fault_injection.echo_answers:answer", f"--output={tmp_path}")
        label = "experiments.fault_injection.echo_answers.answer"
        folder.rename(tmp_path / label)
        code, _, errors = run("evaluate_text", *answers, *options[:3])
        assert code == 1 and f"{tmp_path / label} is in use by process {os.getpid()} " in errors
        assert content(tmp_path / label) == before
    (tmp_path / label).rename(folder)
    assert "3 texts in 1 files" in make(folder, *options)


def test_folder_of_others_gets_no_lock(tmp_path):
    (tmp_path / ".env").write_text("mine")
    options = ("--algorithms=minimum", "--lengths=4", "--samples=3", "--seeds=0")
    assert "is not empty and does not hold a set of texts" in make(tmp_path, *options, code=1)
    assert os.listdir(tmp_path) == [".env"]


# ---------------------------------------------------------------------------------------------------
# Fuzzing


@pytest.mark.parametrize("num_trials", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_damaged_set_is_repaired_or_refused(tmp_path, capsys, num_trials):
    request, random = TextRequest({"minimum": (4,), "bfs": (4,)}, samples=3, seeds=(0,)), default_rng(5)
    make_in_process(tmp_path / "set", request, capsys)
    whole, refused = content(tmp_path / "set"), 0
    for trial in range(num_trials):
        folder = shutil.copytree(tmp_path / "set", tmp_path / str(trial))
        name = sorted(whole)[trial % len(whole)]
        DAMAGES[trial % len(DAMAGES)](folder / name, random)
        try:
            make_in_process(folder, request, capsys)
        except ValueError as error:
            assert name == "manifest.json" and f"{folder}" in str(error), (trial, name, error)  # noqa: PT017
            refused += 1
            continue
        assert {name: (folder / name).read_bytes() for name in whole} == whole, (trial, name)
    assert 0 < refused < num_trials / 2


@pytest.mark.parametrize("num_trials", [200, pytest.param(5000, marks=pytest.mark.slow)])
def test_any_bytes_are_scored_or_refused(tmp_path, num_trials):
    """Answers of which only some lines are intact are never scored as if they were whole."""
    random, damages = default_rng(6), [one for one in DAMAGES if one.__name__ != "replaced_by_a_folder"]
    row = {"answer": "[0.1 0.2], 3", "algorithm": "bfs", "length": 4, "completion": "[0.1 0.2], 3"}
    lines = [json.dumps(with_checksum({**row, "index": index})) for index in range(4)]
    whole, path, num_refused = "\n".join(lines).encode() + b"\n", tmp_path / "answers.jsonl", 0
    for trial in range(num_trials):
        path.write_bytes(whole)
        damages[trial % len(damages)](path, random)
        unmarked = len(lines) - path.read_bytes().count(b'"checksum"')
        try:
            scores = score_file(path)
        except ValueError as error:
            assert "holds no answers" in str(error), (trial, error)  # noqa: PT017
            num_refused += 1
            continue
        total = scores.total()
        assert total.exact >= total.count - scores.num_unreadable - max(unmarked, 0)
    assert 0 < num_refused < num_trials / 2
