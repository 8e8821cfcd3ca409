"""Processors of one's own: found by module and attribute, and trained by that name."""

import os
import subprocess
import sys

import haiku as hk
import pytest
from commands import ROOT, TINY, command, run
from processor_contract import (
    BATCH,
    HIDDEN,
    NODES,
    Compiled,
    assert_invariant_to_padding_and_edge_format,
    assert_permutation_equivariant,
    dense_features,
)

from experiments.examples.pna import PNA
from nar.processors import MPNN, check_processor, find_processor

EXAMPLE = "experiments.examples.pna:PNA"
SOURCE = """
import haiku as hk
import jax
import jax.numpy as jnp

from nar.processors import Context, Linear, ProcessorOutput


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


def test_module_and_attribute():
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
def test_bad_modules_and_attributes(name, message):
    with pytest.raises(ValueError, match=message):
        find_processor(name)


def test_what_is_no_processor():
    with pytest.raises(TypeError, match="a processor must have the method initial_memory, got .*Linear"):
        check_processor(lambda hidden_size: hk.Linear(hidden_size))
    with pytest.raises(TypeError, match="a processor must have the method __call__, got 3"):
        check_processor(lambda hidden_size: 3)


def test_the_current_directory_is_searched(tmp_path, monkeypatch):
    """Also where Python has not been told so, as in a script of another folder."""
    (tmp_path / "own_in_a_folder.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert find_processor("own_in_a_folder:MyProcessor").__name__ == "MyProcessor"
    with pytest.raises(ValueError, match="has no processor 'NOT_A_PROCESSOR'; it has: .*MyProcessor"):
        find_processor("own_in_a_folder:NOT_A_PROCESSOR")


def test_the_example_keeps_the_contract():
    example = Compiled(lambda: PNA(HIDDEN))
    assert example(*dense_features()).nodes.shape == (BATCH, NODES, HIDDEN)
    assert_permutation_equivariant(example)
    assert_invariant_to_padding_and_edge_format(example, 9.0)


def train(folder, *arguments):
    """Trains from some folder, which Python finds nar from as a user's installation does."""
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
def test_training_by_name_from_a_folder_outside(tmp_path):
    (tmp_path / "my_module.py").write_text(SOURCE)
    name = "--config.model.processor=my_module:MyProcessor"
    refused = train(tmp_path, name, "--config.model.processor_options={'slope': 2}")
    assert refused.returncode != 0 and "Traceback" not in refused.stderr
    assert "processor_options of my_module:MyProcessor: " in refused.stderr and "slope" in refused.stderr
    missing = train(tmp_path, "--config.model.processor=my_module:Yours")
    assert "error: my_module has no processor 'Yours'; it has: MyProcessor" in missing.stderr
    done = train(tmp_path, name, "--config.model.processor_options={'scale': 0.5}")
    assert done.returncode == 0, done.stderr
    assert "10/10" in done.stderr


@pytest.mark.slow
def test_training_the_example_by_name(tmp_path):
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
