"""Ensemble of the seeds of a run: score, likelihood, calibration, and wrong entries found by uncertainty.

    python -m experiments.train --config=configs/ensemble.py --workdir=runs/ensemble
    python -m experiments.benchmark ensemble --workdir=runs/ensemble --sizes=16,32,64

The run trains several seeds (`training.num_seeds`), the members. They average the probabilities of their
outputs, or those of the hints that are fed back as well (`nar.evaluation.ensemble`). The rows of a size have
the mean over members, and both ensembles.
"""

from collections.abc import Iterator, Sequence

import jax.numpy as jnp
import numpy as np
from absl import flags

import nar
from experiments.cli.paths import define_path
from nar.data import Transforms, take
from nar.evaluation import score_outputs
from nar.evaluation.ensemble import AVERAGES, Ensemble, logits_of
from nar.evaluation.problem_sets import make_problem_sets
from nar.evaluation.uncertainty import Uncertainty, measure_uncertainty
from nar.model import Model, Params
from nar.reports import Table
from nar.traces import TraceBatch

FLAGS = flags.FlagValues()
_WORKDIR = define_path("workdir", None, "Run directory, with the members.", flag_values=FLAGS)
_SIZES = flags.DEFINE_list("sizes", ["16", "32", "64"], "Numbers of nodes.", flag_values=FLAGS)
_TRUST = flags.DEFINE_bool(
    "trust", False, "Import the code outside nar that the run's config names.", flag_values=FLAGS
)
_COUNT = flags.DEFINE_integer("count", 32, "Number of test problems of each size.", 1, flag_values=FLAGS)

_BATCH_SIZE = 4
"""Problems that all members predict at once."""


def main() -> None:
    """Loads the members, and prints a table."""
    if _WORKDIR.value is None:
        raise ValueError(f"--workdir is missing: {FLAGS['workdir'].help}")
    run = nar.load_run(_WORKDIR.value, trust=_TRUST.value)
    components = run.graph_components
    num_seeds = components.num_seeds
    if num_seeds < 2:
        raise ValueError(f"an ensemble needs a run with several seeds, training.num_seeds is {num_seeds}")
    members = [
        nar.load_run(_WORKDIR.value, seed_index=index, trust=_TRUST.value).params
        for index in range(num_seeds)
    ]
    rows = []
    for task in components.model.specs:
        for size in map(int, _SIZES.value):
            batch = _test_problems(task, size, components.transforms)
            for name, score, one in measure(components.model, members, task, batch):
                rows.append([task, str(size), name, f"{100 * score:.2f}", *(f"{value:.3f}" for value in one)])
    header = ["algorithm", "n", "prediction", "score", "NLL", "calibration error", "AUROC"]
    print(Table(header, rows, notes=["score in percent, NLL in nats"]).as_text())


def _test_problems(task: str, size: int, transforms: Transforms) -> TraceBatch:
    """Test problems of a size, after transforms."""
    algorithm = nar.ALGORITHMS.find(task)
    (problems,) = make_problem_sets(algorithm, (size,), (0,), count=_COUNT.value)
    return transforms.apply(algorithm, problems.draw())


def measure(
    model: Model, members: Sequence[Params], task: str, batch: TraceBatch
) -> Iterator[tuple[str, float, Uncertainty]]:
    """Name, score and uncertainty of the mean member, and of the ensemble by each average."""
    alone = [_measure_one(Ensemble(model, [member]), task, batch) for member in members]
    scores, uncertainties = zip(*alone, strict=True)
    yield "mean member", float(np.mean(scores)), Uncertainty(*np.mean(uncertainties, axis=0).tolist())
    for average in AVERAGES:
        score, uncertainty = _measure_one(Ensemble(model, members, average), task, batch)
        yield f"ensemble, averaged {average}", score, uncertainty


def _measure_one(ensemble: Ensemble, task: str, batch: TraceBatch) -> tuple[float, Uncertainty]:
    """Score and uncertainty of an ensemble."""
    spec = ensemble.model.specs[task]
    parts = [
        ensemble(task, take(batch, slice(start, start + _BATCH_SIZE)))
        for start in range(0, batch.batch_size, _BATCH_SIZE)
    ]
    probabilities = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    logits = {probe.name: logits_of(probe, jnp.asarray(probabilities[probe.name])) for probe in spec.outputs}
    return score_outputs(spec, batch, logits)["score"], measure_uncertainty(spec, batch, probabilities)
