"""Custom processors: lookup by `module:ATTRIBUTE`, and training with them."""

import os
import subprocess
import sys

import pytest
from commands import ROOT, TINY, command, run

from experiments.examples.pna import PNA
from nar.processors import MPNN, find_processor

EXAMPLE = "experiments.examples.pna:PNA"
SOURCE = """
import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors import Context, ProcessorOutput
from nar.processors.layers.linear import Linear


class MyProcessor(hk.Module):
    def __init__(self, hidden_size, scale=1.0):
        super().__init__(name="mine")
        self.hidden_size, self.scale = hidden_size, scale

    def initial_memory(self, batch_size, num_nodes):
        return ()

    def __call__(self, features, hidden, memory=(), context=Context()):
        weights = features.adjacency / features.adjacency.sum(axis=1, keepdims=True)
        received = jnp.einsum("bij,bih->bjh", weights, hidden)
        z = jnp.concatenate([features.nodes, received], axis=-1)
        return ProcessorOutput(nodes=self.scale * jax.nn.relu(Linear(self.hidden_size, name="new")(z)))


NOT_A_PROCESSOR = 3
"""


def test_find_processor_by_module_and_attribute():
    assert find_processor(EXAMPLE) is PNA
    assert find_processor("nar.processors:MPNN") is MPNN


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:MPNN", "processor 'no_such_module:MPNN' cannot be imported: No module named"),
        ("experiments.examples.pna:PMA", r"experiments.examples.pna has no processor 'PMA'; it has: .*PNA"),
        ("nar.processors:PROCESSORS", "nar.processors has no processor 'PROCESSORS'; it has: "),
        (":PNA", "processor ':PNA' is not of the form module:ATTRIBUTE"),
        ("nar.processors:", "is not of the form"),
        ("a b:c", "is not of the form"),
    ],
)
def test_find_processor_rejects_unknown_modules_and_attributes(name, message):
    with pytest.raises(ValueError, match=message):
        find_processor(name)


def test_find_processor_searches_the_current_directory(tmp_path, monkeypatch):
    """The current directory is searched even if it is not in `sys.path`, as for a script elsewhere."""
    (tmp_path / "processor_in_current_directory.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert find_processor("processor_in_current_directory:MyProcessor").__name__ == "MyProcessor"
    with pytest.raises(ValueError, match="has no processor 'NOT_A_PROCESSOR'; it has: .*MyProcessor"):
        find_processor("processor_in_current_directory:NOT_A_PROCESSOR")


def train(folder, *arguments):
    """Runs training from another folder, with nar on the Python path as if it were installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    config, workdir = f"--config={ROOT}/configs/bfs.py", f"--workdir={folder}/run"
    return subprocess.run(
        command("train", config, workdir, *TINY, "--config.training.steps=10", *arguments),
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )


@pytest.mark.slow
def test_train_with_a_processor_outside_the_repository(tmp_path):
    (tmp_path / "my_module.py").write_text(SOURCE)
    name = "--config.model.processor=my_module:MyProcessor"
    bad_option = train(tmp_path, name, "--config.model.processor_options={'slope': 2}")
    assert bad_option.returncode != 0 and "Traceback" not in bad_option.stderr
    assert "processor_options of my_module:MyProcessor: " in bad_option.stderr
    assert "slope" in bad_option.stderr
    bad_attribute = train(tmp_path, "--config.model.processor=my_module:Yours")
    assert "error: my_module has no processor 'Yours'; it has: MyProcessor" in bad_attribute.stderr
    trained = train(tmp_path, name, "--config.model.processor_options={'scale': 0.5}")
    assert trained.returncode == 0, trained.stderr
    assert "10/10" in trained.stderr


@pytest.mark.slow
def test_train_with_the_pna_example(tmp_path):
    code, _, errors = run(
        "train",
        "--config=configs/bfs.py",
        f"--workdir={tmp_path}/run",
        *TINY,
        "--config.training.steps=10",
        f"--config.model.processor={EXAMPLE}",
        "--config.model.processor_options={'aggregations': ('max', 'softmax')}",
    )
    assert code == 0, errors
