"""Several devices, and several processes as one run: they compute what one device computes."""

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sharded_steps
from absl import flags
from absl.testing import flagsaver
from commands import run

from experiments.cli import distributed
from experiments.cli.load_run import restore
from nar.training import Devices, check_same_on_all, run_on_all, run_on_first

ROOT = pathlib.Path(__file__).parents[2]

# ---------------------------------------------------------------------------------------------------
# Eight devices in one process


def on_eight_and_one(file, name, xla_flags):
    """What `sharded_steps.py` finds on eight devices of a process, and on one of them."""
    subprocess.run(
        [sys.executable, "tests/support/sharded_steps.py", str(file), name],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XLA_FLAGS": f"{xla_flags} --xla_force_host_platform_device_count=8",
        },
        timeout=500,
        check=True,
    )
    found = np.load(file)
    assert found["num_devices"] == 8
    return (
        {key.removeprefix(place): found[key] for key in found.files if key.startswith(place)}
        for place in ("all/", "one/")
    )


@pytest.mark.parametrize(
    ("name", "xla_flags"),
    [
        pytest.param("bfs", os.environ.get("XLA_FLAGS", ""), id="bfs"),
        # Programs as users have them: without optimization, rounding adds up in Sinkhorn's iterations.
        pytest.param("insertion_sort", "", marks=pytest.mark.slow, id="insertion_sort"),
    ],
)
def test_eight_devices_compute_what_one_computes(tmp_path, name, xla_flags):
    """Loss, gradients and parameters of each step under noise, and what is decided at the end."""
    found, one = on_eight_and_one(tmp_path / "found.npz", name, xla_flags)
    assert set(found) == set(one)
    assert {key.split("[")[1] for key in one if "[" in key} == {"'metrics']", "'gradients']", "'params']"}
    for key, value in one.items():
        if key.startswith(f"{name}/decided/"):
            assert len(value) == sharded_steps.NUM_SCORED
            np.testing.assert_array_equal(found[key], value, err_msg=key)
        else:
            np.testing.assert_allclose(found[key], value, rtol=2e-5, atol=2e-6, err_msg=key)


def devices_of(*processes):
    """Devices that belong to these processes, of which only the numbers are known."""
    devices = np.array([types.SimpleNamespace(process_index=process) for process in processes])
    return Devices(types.SimpleNamespace(devices=devices, size=devices.size))


def test_batch_sizes():
    eight, pods = devices_of(*[0] * 8), devices_of(0, 0, 1, 1)
    eight.check_batch_size(16)
    with pytest.raises(ValueError, match=r"^batch_size 12 must be a multiple of the 8 devices$"):
        eight.check_batch_size(12)
    with pytest.raises(ValueError, match=r"batch_size 6 must be a multiple of the 4 devices of 2 processes"):
        pods.check_batch_size(6)
    assert [eight.round_up(size) for size in (1, 8, 11)] == [8, 8, 16]
    assert eight.process_slice(16) == slice(0, 16)
    assert pods.process_slice(16) == slice(0, 8)


@pytest.mark.parametrize("leading", [0, 1, 2])
def test_only_the_axis_of_the_batch_is_split(leading):
    devices, spec = Devices.one(), jax.sharding.PartitionSpec
    batch = sharded_steps.stream_of("bfs").batch(0)
    extra = (1,) * leading
    longer = jax.tree.map(lambda value: value.reshape(extra + value.shape), batch)
    put = devices.put_batch(longer, leading)
    before = (None,) * leading
    assert {value.sharding.spec for value in put.inputs.values()} == {spec(*before, "data")}
    assert {value.sharding.spec for value in put.hints.values()} == {spec(*before, None, "data")}
    assert put.lengths.sharding.spec == spec(*before, "data")
    for ours, theirs in zip(jax.tree.leaves(put), jax.tree.leaves(longer), strict=True):
        np.testing.assert_array_equal(ours, theirs.astype(ours.dtype))


def test_put_state_shares_no_memory():
    devices = Devices.one()
    tree = {"host": np.arange(4.0, dtype=np.float32), "device": jnp.ones(3), "key": jax.random.key(3)}
    put = devices.put_state(tree)
    jax.jit(lambda tree: jax.tree.map(lambda leaf: leaf, tree), donate_argnums=0)(put)
    np.testing.assert_array_equal(tree["host"], np.arange(4.0))
    np.testing.assert_array_equal(tree["device"], np.ones(3))
    assert jax.random.uniform(tree["key"]) == jax.random.uniform(jax.random.key(3))


# ---------------------------------------------------------------------------------------------------
# Flags


def connect(**values):
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver(**values):
        distributed.connect()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"coordinator": "host:1"}, "give all of them or none"),
        ({"num_processes": 2, "process_id": 0}, "give all of them or none"),
        ({"coordinator": "host", "num_processes": 2, "process_id": 0}, "must be HOST:PORT, got 'host'"),
        ({"coordinator": "host:0", "num_processes": 2, "process_id": 0}, "must be HOST:PORT, got 'host:0'"),
        (
            {"coordinator": "host:1", "num_processes": 2, "process_id": 2},
            "--num_processes=2, got 2",
        ),
    ],
)
def test_flags_that_do_not_fit(values, message):
    with pytest.raises(ValueError, match=message):
        connect(**values)


def test_without_flags_nothing_is_connected():
    connect()
    assert jax.process_count() == 1


def test_one_process_needs_no_others():
    assert run_on_all(lambda: 1) == run_on_first(lambda: 1) == 1
    check_same_on_all("the config", {"a": 1})
    for function in (run_on_all, run_on_first):
        with pytest.raises(ZeroDivisionError):
            function(lambda: 1 // 0)


# ---------------------------------------------------------------------------------------------------
# Two processes

TRAIN = (
    "--config=configs/bfs.py",
    "--config.model.processor=mpnn",
    "--config.model.hidden_size=4",
    "--config.model.hint_mode=none",
    "--config.data.sizes=(4,)",
    "--config.training.batch_size=4",
    "--config.training.steps=50",
    "--config.training.log_every=5",
    "--config.training.eval_every=10",
    "--config.training.optimizer=sgd",
    "--config.training.learning_rate=0.1",
    "--config.training.trackers=('tensorboard','experiments.examples.spreadsheet:Spreadsheet')",
)


def free_port():
    with socket.socket() as chosen:
        chosen.bind(("localhost", 0))
        return chosen.getsockname()[1]


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", f"experiments.{script}", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Pair:
    """Two processes that train one run; the second is told another workdir, which it must not touch."""

    def __init__(self, workdir, *overrides, second=()):
        self.workdir, self.other = workdir, workdir.with_name(f"{workdir.name}-other")
        where = (f"--coordinator=localhost:{free_port()}", "--num_processes=2")
        self.processes = [
            start("train", *TRAIN, *where, f"--process_id={number}", f"--workdir={folder}", *overrides, *more)
            for number, folder, more in ((0, self.workdir, ()), (1, self.other, second))
        ]

    def wait_for_step(self, step):
        metrics, deadline = self.workdir / "metrics.jsonl", time.monotonic() + 300
        while not (metrics.is_file() and f'"step": {step},' in metrics.read_text()):
            assert [process.poll() for process in self.processes] == [None, None]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def ended(self):
        """Exit codes, outputs and errors of both, once they have ended by themselves."""
        try:
            found = [process.communicate(timeout=200) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        assert not self.other.exists()
        # On CPUs the library under jax says on its own how many processes it connected.
        outputs, errors = zip(
            *([re.sub(r"\[Gloo\].*\n", "", text) for text in pair] for pair in found), strict=True
        )
        assert outputs[1] == ""
        return [process.returncode for process in self.processes], outputs[0], errors


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """A run of two processes that nothing disturbed."""
    workdir = tmp_path_factory.mktemp("runs") / "together"
    codes, output, errors = Pair(workdir).ended()
    assert codes == [0, 0], errors
    assert "scored: step" in output
    assert "training:" in errors[0] and "training:" not in errors[1]
    return workdir


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same run of one process."""
    workdir = tmp_path_factory.mktemp("runs") / "alone"
    code, _, errors = run("train", *TRAIN, f"--workdir={workdir}")
    assert code == 0, errors
    return workdir


@pytest.mark.slow
def test_two_processes_equal_one(together, alone):
    rows = []
    for workdir in (together, alone):
        lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
        rows.append([{key: line[key] for key in line if "second" not in key} for line in lines])
    assert [row["step"] for row in rows[0]] == list(range(5, 51, 5))
    for ours, theirs in zip(*rows, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5)
    ours, theirs = (restore(workdir, "last").state.params for workdir in (together, alone))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), ours, theirs)
    assert result_of(together)["scores"] == result_of(alone)["scores"]
    assert {path.name for path in together.iterdir()} == {path.name for path in alone.iterdir()}
    # A tracker is told everything once, by the first process.
    told = (together / "metrics.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in told if ",loss," in line] == [str(row["step"]) for row in rows[0]]
    assert told[-1] == "50,finished,1"


@pytest.mark.slow
def test_two_processes_resume_together_bit_for_bit(together, tmp_path):
    """After a failure of the first process alone, a kill and a signal to the second."""
    workdir = tmp_path / "run"
    pair = Pair(workdir)
    pair.wait_for_step(10)
    metrics = workdir / "metrics.jsonl"
    while metrics.is_file():  # until no step writes between the two
        metrics.rename(workdir / "kept.jsonl")
        with contextlib.suppress(FileExistsError):
            metrics.mkdir()
    codes, _, errors = pair.ended()
    assert all(codes), errors
    assert re.search(r"error: process 0: .*metrics.jsonl.*[Ii]s a directory", errors[0])
    assert "Traceback" not in errors[0] and "directory" not in errors[1]
    metrics.rmdir()
    (workdir / "kept.jsonl").rename(metrics)

    pair = Pair(workdir)
    pair.wait_for_step(20)
    pair.processes[1].kill()
    codes, output, errors = pair.ended()
    assert all(codes), errors
    assert re.search(r"Resuming from step [1-3]0\.", output)

    pair = Pair(workdir)
    pair.wait_for_step(35)
    pair.processes[1].send_signal(signal.SIGTERM)
    codes, _, errors = pair.ended()
    assert codes == [1, 1], errors
    assert "run the same command to resume" in errors[0] and "the same command" not in errors[1]
    assert not (workdir / "result.json").exists()

    codes, output, errors = Pair(workdir).ended()
    assert codes == [0, 0], errors
    assert re.search(r"Resuming from step (3[5-9]|4\d)\.", output)
    for key in ("parameters_sha256", "scores", "best_step", "steps"):
        assert result_of(workdir)[key] == result_of(together)[key], key


@pytest.mark.slow
def test_what_one_process_refuses_ends_both(together, tmp_path):
    """With one message, and before anything is written."""
    before = (together / "config.json").read_bytes()
    codes, output, errors = Pair(together, "--config.training.seed=1").ended()
    assert codes == [1, 1] and output == ""
    assert "training.seed: 0 saved, 1 given" in errors[0] and "seed" not in errors[1]
    assert "process 1: stopped, since process 0 failed" in errors[1]
    assert (together / "config.json").read_bytes() == before

    codes, output, errors = Pair(tmp_path / "new", second=("--config.training.seed=1",)).ended()
    assert codes == [1, 1] and output == ""
    assert "the config of process 1 differs from that of process 0" in errors[1]
    assert "process 0: stopped, since process 1 failed" in errors[0]
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "message"),
    [(0, "no connection to all of the processes 1 to 1"), (1, "no connection to process 0 at localhost:")],
)
def test_a_process_that_finds_no_other_says_so(tmp_path, number, message):
    began = time.monotonic()
    where = (f"--coordinator=localhost:{free_port()}", "--num_processes=2", f"--process_id={number}")
    process = start("train", *TRAIN, *where, "--connect_timeout=3", f"--workdir={tmp_path / 'run'}")
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 1 and output == ""
    assert message in errors and "after 3 seconds (--connect_timeout)" in errors
    assert time.monotonic() - began < 60
    assert not (tmp_path / "run").exists()


def test_flags_are_in_the_help():
    _, output, _ = run("train", "--help")
    for flag in (
        "--[no]distributed",
        "--coordinator",
        "--num_processes",
        "--process_id",
        "--connect_timeout",
    ):
        assert f"  {flag}:" in output


def test_nothing_to_find_processes_by(tmp_path):
    code, _, errors = run("train", *TRAIN, "--distributed", f"--workdir={tmp_path / 'run'}")
    assert code == 1
    assert "neither a TPU pod slice nor Slurm nor Open MPI" in errors and "--coordinator" in errors
