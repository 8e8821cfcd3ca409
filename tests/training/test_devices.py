"""Data parallelism over several devices and processes: results equal those of one device."""

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

import nar
from experiments.cli import distributed
from nar.training import Devices
from nar.training.devices import check_same_on_all, run_on_all, run_on_first

ROOT = pathlib.Path(__file__).parents[2]

# ---------------------------------------------------------------------------------------------------
# Eight devices in one process


def results_on_eight_and_one(file, name):
    """Results of `sharded_steps.py` on eight devices of a process, and on one of them."""
    subprocess.run(
        [sys.executable, "tests/support/sharded_steps.py", str(file), name],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "XLA_FLAGS": f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=8",
        },
        timeout=500,
        check=True,
    )
    results = np.load(file)
    assert results["num_devices"] == 8
    return (
        {key.removeprefix(prefix): results[key] for key in results.files if key.startswith(prefix)}
        for prefix in ("all/", "one/")
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["bfs", "insertion_sort", "dijkstra"])
def test_eight_devices_equal_one(tmp_path, name):
    """Compares loss, gradients and parameters of each step with noise, and the predictions after training."""
    eight, one = results_on_eight_and_one(tmp_path / "results.npz", name)
    assert set(eight) == set(one)
    assert {key.split("[")[1] for key in one if "[" in key} == {"'metrics']", "'gradients']", "'params']"}
    for key, value in one.items():
        if key.startswith(f"{name}/decoded/"):
            assert len(value) == sharded_steps.NUM_SCORED
            np.testing.assert_array_equal(eight[key], value, err_msg=key)
        else:
            # Entries near zero are sums of terms of the order of the largest ones.
            atol = 2e-6 + 2e-5 * np.abs(value).max(initial=0)
            np.testing.assert_allclose(eight[key], value, rtol=2e-5, atol=atol, err_msg=key)


def devices_of(*processes):
    """Stand-in for a mesh of devices, given the process index of each."""
    devices = np.array([types.SimpleNamespace(process_index=process) for process in processes])
    return Devices(types.SimpleNamespace(devices=devices, size=devices.size))


def test_batch_size_must_be_a_multiple_of_the_devices():
    eight, two_processes = devices_of(*[0] * 8), devices_of(0, 0, 1, 1)
    eight.check_batch_size(16)
    with pytest.raises(ValueError, match=r"^batch_size 12 must be a multiple of the 8 devices$"):
        eight.check_batch_size(12)
    with pytest.raises(ValueError, match=r"batch_size 6 must be a multiple of the 4 devices of 2 processes"):
        two_processes.check_batch_size(6)
    assert [eight.round_up(size) for size in (1, 8, 11)] == [8, 8, 16]
    assert eight.process_slice(16) == slice(0, 16)
    assert two_processes.process_slice(16) == slice(0, 8)


@pytest.mark.parametrize("num_leading_axes", [0, 1, 2])
def test_only_the_batch_axis_is_sharded(num_leading_axes):
    devices, spec = Devices.one(), jax.sharding.PartitionSpec
    batch = sharded_steps.stream_of("bfs").batch(0)
    ones = (1,) * num_leading_axes
    host_batch = jax.tree.map(lambda value: value.reshape(ones + value.shape), batch)
    device_batch = devices.put_batch(host_batch, num_leading_axes)
    leading = (None,) * num_leading_axes
    assert {value.sharding.spec for value in device_batch.inputs.values()} == {spec(*leading, "data")}
    assert {value.sharding.spec for value in device_batch.hints.values()} == {spec(*leading, None, "data")}
    assert device_batch.lengths.sharding.spec == spec(*leading, "data")
    for value, expected in zip(jax.tree.leaves(device_batch), jax.tree.leaves(host_batch), strict=True):
        np.testing.assert_array_equal(value, expected.astype(value.dtype))


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
        ({"coordinator": "host:1"}, "give all three or none"),
        ({"num_processes": 2, "process_id": 0}, "give all three or none"),
        ({"coordinator": "host", "num_processes": 2, "process_id": 0}, "must be HOST:PORT, got 'host'"),
        ({"coordinator": "host:0", "num_processes": 2, "process_id": 0}, "must be HOST:PORT, got 'host:0'"),
        (
            {"coordinator": "host:1", "num_processes": 2, "process_id": 2},
            "--num_processes=2, got 2",
        ),
    ],
)
def test_inconsistent_flags_are_errors(values, message):
    with pytest.raises(ValueError, match=message):
        connect(**values)


def test_process_0_listens_on_the_given_address_only(monkeypatch):
    calls = []
    monkeypatch.setattr(jax.distributed, "initialize", lambda **arguments: calls.append(arguments))
    connect(coordinator="10.0.0.5:1234", num_processes=1, process_id=0)
    assert calls[0]["coordinator_address"] == calls[0]["coordinator_bind_address"] == "10.0.0.5:1234"


LISTEN = """
import os, sys
from absl import flags
from experiments.cli import distributed
port = int(sys.argv[1])
flags.FLAGS(["test", f"--coordinator=localhost:{port}", "--num_processes=1", "--process_id=0"])
distributed.connect()
for name in ("tcp", "tcp6"):
    for line in open(f"/proc/self/net/{name}").read().splitlines()[1:]:
        address, state = line.split()[1], line.split()[3]
        if state == "0A" and int(address.split(":")[1], 16) == port:
            print(address.split(":")[0])
sys.stdout.flush()
os._exit(0)
"""


@pytest.mark.slow
@pytest.mark.skipif(not pathlib.Path("/proc/self/net/tcp").exists(), reason="needs Linux's list of sockets")
def test_localhost_is_not_reached_from_other_machines():
    output = subprocess.run(
        [sys.executable, "-c", LISTEN, str(free_port())],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
    ).stdout.split()
    assert output
    assert set(output) <= {
        "0100007F",  # 127.0.0.1
        "00000000000000000000000001000000",  # ::1
        "0000000000000000FFFF00000100007F",  # the first, as an IPv6 address
    }


def test_no_connection_without_flags():
    connect()
    assert jax.process_count() == 1


def test_coordination_in_a_single_process():
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
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        return probe.getsockname()[1]


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", f"experiments.{script}", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class TwoProcessRun:
    """Two processes that train one run; the second is given another workdir, which it must not touch."""

    def __init__(self, workdir, *overrides, second_overrides=()):
        self.workdir, self.other = workdir, workdir.with_name(f"{workdir.name}-other")
        cluster = (f"--coordinator=localhost:{free_port()}", "--num_processes=2")
        self.processes = [
            start(
                "train", *TRAIN, *cluster, f"--process_id={index}", f"--workdir={folder}", *overrides, *more
            )
            for index, folder, more in ((0, self.workdir, ()), (1, self.other, second_overrides))
        ]

    def wait_for_step(self, step):
        metrics, deadline = self.workdir / "metrics.jsonl", time.monotonic() + 300
        while not (metrics.is_file() and f'"step": {step},' in metrics.read_text()):
            assert [process.poll() for process in self.processes] == [None, None]
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def wait(self):
        """Waits for both to end; returns their exit codes, the first's output, and their errors."""
        try:
            streams = [process.communicate(timeout=200) for process in self.processes]
        finally:
            for process in self.processes:
                process.kill()
        assert not self.other.exists()
        # On CPUs, JAX's communication library prints the number of connected processes.
        outputs, errors = zip(
            *([re.sub(r"\[Gloo\].*\n", "", text) for text in pair] for pair in streams), strict=True
        )
        assert outputs[1] == ""
        return [process.returncode for process in self.processes], outputs[0], errors


def result_of(workdir):
    return json.loads((workdir / "result.json").read_text())


@pytest.fixture(scope="module")
def two_process_workdir(tmp_path_factory):
    """Workdir of an uninterrupted run of two processes."""
    workdir = tmp_path_factory.mktemp("runs") / "two"
    codes, output, errors = TwoProcessRun(workdir).wait()
    assert codes == [0, 0], errors
    assert "scored: step" in output
    assert "training:" in errors[0] and "training:" not in errors[1]
    return workdir


@pytest.fixture(scope="module")
def one_process_workdir(tmp_path_factory):
    """Workdir of the same run of one process."""
    workdir = tmp_path_factory.mktemp("runs") / "one"
    code, _, errors = run("train", *TRAIN, f"--workdir={workdir}")
    assert code == 0, errors
    return workdir


@pytest.mark.slow
def test_two_processes_equal_one(two_process_workdir, one_process_workdir):
    rows = []
    for workdir in (two_process_workdir, one_process_workdir):
        lines = [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]
        rows.append([{key: line[key] for key in line if "second" not in key} for line in lines])
    assert [row["step"] for row in rows[0]] == list(range(5, 51, 5))
    for two, one in zip(*rows, strict=True):
        assert two == pytest.approx(one, rel=1e-5)
    workdirs = (two_process_workdir, one_process_workdir)
    two, one = (nar.load_run(workdir, "last").state.params for workdir in workdirs)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), two, one)
    assert result_of(two_process_workdir)["scores"] == result_of(one_process_workdir)["scores"]
    two, one = ({path.name for path in workdir.iterdir()} for workdir in workdirs)
    assert two == one
    # Only the first process logs to trackers.
    logged = (two_process_workdir / "metrics.csv").read_text().splitlines()
    steps = [line.split(",")[0] for line in logged if ",loss," in line]
    assert steps == [str(row["step"]) for row in rows[0]]
    assert logged[-1] == "50,finished,1"


@pytest.mark.slow
def test_two_processes_resume_bit_for_bit(two_process_workdir, tmp_path):
    """Resumes after a failure of the first process, and after a kill of and a signal to the second."""
    workdir = tmp_path / "run"
    processes = TwoProcessRun(workdir)
    processes.wait_for_step(10)
    metrics = workdir / "metrics.jsonl"
    while metrics.is_file():  # repeated if a step writes the file between rename and mkdir
        metrics.rename(workdir / "saved.jsonl")
        with contextlib.suppress(FileExistsError):
            metrics.mkdir()
    codes, _, errors = processes.wait()
    assert all(codes), errors
    assert re.search(r"error: process 0: .*metrics.jsonl.*[Ii]s a directory", errors[0])
    assert "Traceback" not in errors[0] and "directory" not in errors[1]
    metrics.rmdir()
    (workdir / "saved.jsonl").rename(metrics)

    processes = TwoProcessRun(workdir)
    processes.wait_for_step(20)
    processes.processes[1].kill()
    codes, output, errors = processes.wait()
    assert all(codes), errors
    assert re.search(r"Resuming from step [1-3]0\.", output)

    processes = TwoProcessRun(workdir)
    processes.wait_for_step(35)
    processes.processes[1].send_signal(signal.SIGTERM)
    codes, _, errors = processes.wait()
    assert codes == [1, 1], errors
    assert "run the same command to resume" in errors[0] and "the same command" not in errors[1]
    assert not (workdir / "result.json").exists()

    codes, output, errors = TwoProcessRun(workdir).wait()
    assert codes == [0, 0], errors
    assert re.search(r"Resuming from step (3[5-9]|4\d)\.", output)
    for key in ("parameters_sha256", "scores", "best_step", "steps"):
        assert result_of(workdir)[key] == result_of(two_process_workdir)[key], key


@pytest.mark.slow
def test_config_error_in_one_process_ends_both(two_process_workdir, tmp_path):
    """Only one process prints the error, and nothing is written."""
    config = two_process_workdir / "config.json"
    before = config.read_bytes()
    codes, output, errors = TwoProcessRun(two_process_workdir, "--config.training.seed=1").wait()
    assert codes == [1, 1] and output == ""
    assert "training.seed: 0 saved, 1 given" in errors[0] and "seed" not in errors[1]
    assert "process 1: stopped, since process 0 failed" in errors[1]
    assert config.read_bytes() == before

    overrides = ("--config.training.seed=1",)
    codes, output, errors = TwoProcessRun(tmp_path / "new", second_overrides=overrides).wait()
    assert codes == [1, 1] and output == ""
    assert "the config of process 1 differs from that of process 0" in errors[1]
    assert "process 0: stopped, since process 1 failed" in errors[0]
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process_id", "message"),
    [(0, "no connection to all of the processes 1 to 1"), (1, "no connection to process 0 at localhost:")],
)
def test_process_without_the_others_times_out(tmp_path, process_id, message):
    start_time = time.monotonic()
    cluster = (f"--coordinator=localhost:{free_port()}", "--num_processes=2", f"--process_id={process_id}")
    process = start("train", *TRAIN, *cluster, "--connect_timeout=3", f"--workdir={tmp_path / 'run'}")
    output, errors = process.communicate(timeout=400)
    assert process.returncode == 1 and output == ""
    assert message in errors and "after 3 seconds (--connect_timeout)" in errors
    assert time.monotonic() - start_time < 60
    assert not (tmp_path / "run").exists()


def test_help_lists_the_flags():
    _, output, _ = run("train", "--help")
    for flag in (
        "--[no]distributed",
        "--coordinator",
        "--num_processes",
        "--process_id",
        "--connect_timeout",
    ):
        assert f"  {flag}:" in output


def test_distributed_flag_needs_a_known_cluster(tmp_path):
    code, _, errors = run("train", *TRAIN, "--distributed", f"--workdir={tmp_path / 'run'}")
    assert code == 1
    assert "neither a TPU pod slice nor Slurm nor Open MPI" in errors and "--coordinator" in errors
