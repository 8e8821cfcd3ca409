"""The networks that the package ships: complete, intact, and as good as they are said to be."""

import pathlib
import tomllib

import pytest

import nar
from nar.atomic_io import read_json
from nar.runs.build import build_run
from nar.runs.components.graph import GraphComponents
from nar.runs.export import GENERALIST, SIZES
from nar.runs.pretrained import PRETRAINED
from nar.runs.run import read_config
from nar.training import Devices
from nar.training.state import digest

SHIPPED = sorted(PRETRAINED.glob("*/"))
MAX_BYTES = 30_000_000


def test_shipped_files_are_package_data_of_at_most_30_mb():
    files = [path for path in PRETRAINED.rglob("*") if path.is_file() and path.parent != PRETRAINED]
    assert sum(path.stat().st_size for path in files) <= MAX_BYTES
    project = tomllib.loads(pathlib.Path(__file__).parents[2].joinpath("pyproject.toml").read_text())
    (pattern,) = project["tool"]["setuptools"]["package-data"]["nar.runs"]
    assert set(PRETRAINED.parent.glob(pattern)) == set(files)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_network_is_intact_and_says_how_it_was_made(path):
    run = nar.load_run(path)
    config, result = read_config(path), run.result
    algorithms = [name for name, one in nar.ALGORITHMS.items() if one.in_clrs30]
    name = path.name.rpartition("_seed")[0]
    assert list(config.algorithms) == ([name] if name != GENERALIST else algorithms)
    assert path.name == f"{name}_seed{config.training.seed}" and config.training.num_seeds == 1
    assert (
        run.is_exported
        and result["dtype"] == "float16"
        and digest(run.params) == result["exported_parameters_sha256"]
    )
    assert run.step == result["best_step"] <= result["steps"]
    assert {"seconds", "precision", "selection", "command", "hardware"} <= set(result)
    by_size = read_json(run.workdir.evaluation)["scores"]
    for task, sizes in by_size.items():
        assert {int(size) for size in sizes} >= set(SIZES)
        assert sizes["64"]["score"] == result["scores"]["test"][task]["64"]["score"]


@pytest.mark.slow
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_shipped_network_predicts(path):
    """The parameters fit the network of the config, and its recorded scores on validation are found again."""
    run = nar.load_run(path)
    components = build_run(run.config, Devices.one())
    assert isinstance(components, GraphComponents)
    scores = components.score_split(components.make_evaluator(), run.params, "val")
    for task, sizes in run.result["scores"]["validation"].items():
        assert scores[task]["16"]["score"] == pytest.approx(sizes["16"]["score"], abs=0.005)
