"""Scores a run at any sizes.

    python -m experiments.evaluate --workdir=runs/bfs --sizes=16,32,64

Problems are drawn as CLRS-30 draws its test split: with the default seed, size 64 is that split. The table is
printed and kept as `evaluation.json` in the workdir.
"""

import pathlib

import jax
import numpy as np
from absl import flags

from experiments import distributed
from experiments.assembly import Parts
from experiments.command_line import launch
from experiments.kinds import assemble_kind, graph_parts
from experiments.restore import open_workdir, restore
from nar.evaluation import Evaluator, score_sizes
from nar.model import Params
from nar.reports import scores_table
from nar.training import Devices, is_first, on_all, on_first, say, write_json

_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the run.", required=True)
_SIZES = flags.DEFINE_list("sizes", ["16", "32", "64"], "Problem sizes.")
_SEED = flags.DEFINE_integer("seed", 3, "Seed of the problems; 3 is that of CLRS-30's test split.")
_CHECKPOINT = flags.DEFINE_enum("checkpoint", "best", ["best", "last"], "Which checkpoint to score.")
_BATCH_SIZE = flags.DEFINE_integer(
    "batch_size", None, "Traces predicted at once; by default that of the run's config.", lower_bound=1
)
flags.adopt_module_key_flags(distributed)


def main() -> None:
    """Checks everything that can be checked, then scores, on all devices."""
    config = on_first(lambda: open_workdir(_WORKDIR.value)[1])
    parts = on_all(lambda: graph_parts(assemble_kind(config, Devices.one()), _WORKDIR.value))
    sizes = on_all(lambda: parse_sizes(_SIZES.value, parts))
    params, step = on_first(_read)
    batch_size = _BATCH_SIZE.value or config["evaluation"]["batch_size"]
    evaluator = Evaluator(parts.model, parts.transforms, batch_size, Devices.all(), show_progress=is_first())
    scores = score_sizes(evaluator, params, sizes, _SEED.value)
    path = pathlib.Path(_WORKDIR.value) / "evaluation.json"
    content = {"scores": scores, "step": step, "checkpoint": _CHECKPOINT.value, "seed": _SEED.value}
    on_first(lambda: write_json(path, content))
    say(scores_table({f"seed {_SEED.value}": scores}))
    say(f"\nCheckpoint: {_CHECKPOINT.value}, step {step}. Written: {path}")


def _read() -> tuple[Params, int]:
    """Parameters of the checkpoint, and its step."""
    state = restore(_WORKDIR.value, _CHECKPOINT.value).state
    return jax.tree.map(np.asarray, state.evaluated), int(state.step)


def parse_sizes(words: list[str], parts: Parts) -> list[int]:
    """Sizes from the command line.

    Raises:
      ValueError: if one is no number or too small for a task.
    """
    if not words:
        raise ValueError("--sizes needs at least one size")
    sizes = []
    for word in words:
        if not word.strip().isdigit():
            raise ValueError(f"--sizes must be whole numbers separated by commas, got {word!r}")
        sizes.append(int(word))
    for task in parts.tasks:
        for size in sizes:
            try:
                task.algorithm.problem.check_request(size, {})
            except ValueError as error:
                raise ValueError(f"--sizes: {task.name}: {error}") from None
    return sizes


if __name__ == "__main__":
    launch(distributed.together(main))
