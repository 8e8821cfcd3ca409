"""The command `nar`: list of commands, short names of configs, completion, descriptions of runs."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest
from commands import ROOT, TINY, run

from experiments import __main__ as nar_command
from experiments.cli import config_files
from experiments.cli.command_list import command_list, commands
from experiments.cli.completion import SHELLS, completion_script, flag_names


def test_list_has_every_script_with_its_summary(capsys):
    nar_command.main(["--help"])
    printed = capsys.readouterr().out.strip()
    assert printed == command_list()
    assert list(commands())[:3] == ["demo", "train", "evaluate"]
    for name, summary in commands().items():
        assert (ROOT / "experiments" / f"{name}.py").is_file()
        assert summary.endswith("."), name
        assert f"  {name} " in printed


def test_list_is_the_same_where_the_encoding_of_files_is_ascii():
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    words = [sys.executable, "-m", "experiments", "--help"]
    listed = subprocess.run(words, cwd=ROOT, env=ascii_only, capture_output=True, timeout=120, check=True)
    assert listed.stdout.decode().strip() == command_list()


@pytest.mark.parametrize(
    ("words", "message"),
    [(["tain"], "did you mean train?"), (["completion", "fish"], "completion bash"), (["x"], "known: demo")],
)
def test_unknown_commands_are_refused(words, message):
    with pytest.raises(SystemExit, match=message):
        nar_command.main(words)


@pytest.mark.slow
def test_command_is_the_script():
    """In a process of its own, with a dash in the name, and flags."""
    words = ["show", "--algorithm=minimum", "--size=4"]
    expected = run(*words)[1]
    done = subprocess.run(
        [sys.executable, "-m", "experiments", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == expected
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "make-text", "--output"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "--output" in done.stderr


def test_short_names_of_configs(tmp_path, monkeypatch):
    assert config_files.replace_config_name(["a", "--config=bfs"]) == ["a", "--config=configs/bfs.py"]
    assert config_files.replace_config_name(["--config", "bfs:2"]) == ["--config", "configs/bfs.py:2"]
    assert config_files.find_file("bfs_processors", "configs/sweeps") == "configs/sweeps/bfs_processors.py"
    monkeypatch.chdir(tmp_path)  # where there are no configs: those of the package
    for name in ("bfs", "bfs.py", "configs/bfs.py"):
        assert config_files.find_file(name) == str(ROOT / "configs" / "bfs.py")
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "bfs.py").touch()
    assert config_files.find_file("bfs") == "configs/bfs.py"
    assert config_files.find_file("unknown") == "unknown"
    assert "bfs" in config_files.config_names()


def test_error_for_an_unknown_short_name_has_the_known_ones():
    code, _, errors = run("train", "--config=bfz", "--workdir=x")
    assert code == 1
    assert "unknown config 'bfz'" in errors
    assert "did you mean bfs?" in errors


def complete(shell_words, position):
    script = f"""{completion_script("bash")}
COMP_WORDS=({" ".join(shell_words)}); COMP_CWORD={position}; _nar 2>/dev/null; echo "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True, cwd="/")
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash")
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nar", "sh"], ["show"]),
        (["nar", "train", "--wor"], ["--workdir="]),
        (["nar", "train", "--config.model.hid"], ["--config.model.hidden_size="]),
        (["nar", "train", "--config", "=", "bf"], ["bfs"]),  # bash splits words at =
        (["nar", "train", "--config=bf"], ["--config=bfs"]),  # zsh does not
        (["nar", "show", "--config.model.hid"], []),
    ],
)
def test_completion(words, expected):
    assert complete(words, len(words) - 1) == expected


def test_flags_of_scripts_are_found_in_their_sources():
    assert {"config", "workdir", "dry_run", "trust"} <= set(flag_names("train"))
    assert {"sizes", "pretrained", "workdir"} <= set(flag_names("evaluate"))
    assert all("bashcompinit" not in completion_script(one) for one in SHELLS if one != "zsh")


def test_config_is_printed():
    code, output, errors = run("train", "--config=tiny", *TINY, "--print_config")
    assert code == 0, errors
    assert "model.hidden_size = 8  # default: 128\n" in output
    assert "training.learning_rate = 0.001\n" in output


@pytest.mark.slow
def test_dry_run_describes_the_run_and_writes_nothing(tmp_path):
    words = ("--config=tiny", *TINY, "--dry_run", f"--workdir={tmp_path}/run")
    code, output, errors = run("train", *words)
    assert code == 0, errors
    assert "Parameters: " in output
    assert "Steps: 40, validation every 10" in output
    assert "Estimate from 12 steps: " in output
    assert not pathlib.Path(tmp_path, "run").exists()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("callbacks", "('os:none',)", "os has no callback 'none'"),
        ("trackers", "('wandbb',)", "'wandbb'"),
        ("init_from", "nowhere", "training.init_from: "),
    ],
)
def test_dry_run_refuses_what_training_refuses(key, value, message):
    for mode in (("--dry_run",), ("--workdir=unused",)):
        code, _, errors = run("train", "--config=tiny", *TINY, f"--config.training.{key}={value}", *mode)
        assert code == 1 and message in errors and "Traceback" not in errors


def test_workdir_is_required_for_training():
    code, _, errors = run("train", "--config=tiny")
    assert (code, "--workdir is missing: Run directory." in errors) == (1, True)
