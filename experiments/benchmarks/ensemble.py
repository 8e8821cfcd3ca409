"""Ensemble of the seeds of a run: score, likelihood, calibration, and wrong entries found by uncertainty.

    python -m experiments.train --config=configs/ensemble.py --workdir=runs/ensemble
    python -m experiments.benchmark ensemble --workdir=runs/ensemble --sizes=16,32,64

The run trains several seeds (`training.num_seeds`), the members; or one, with weight uncertainty
(`configs/bayes.py`), from whose distribution members are drawn. They average the probabilities of their
outputs, or those of the hints that are fed back as well (`nar.evaluation.ensemble`). The rows of a size have
the mean over members, and both ensembles.
"""

from collections.abc import Iterator, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

import nar
from experiments.benchmarks.lib.benchmark_flags import define_count, define_numbers
from experiments.cli.paths import define_path
from nar.data import Transforms, take
from nar.evaluation import score_outputs
from nar.evaluation.ensemble import AVERAGES, Ensemble, logits_of
from nar.evaluation.problem_sets import make_problem_sets
from nar.evaluation.uncertainty import Uncertainty, measure_uncertainty
from nar.model import Model, Params
from nar.model.weight_uncertainty import has_uncertainty, sample_weights
from nar.reports import Table
from nar.traces import TraceBatch

FLAGS = flags.FlagValues()
_WORKDIR = define_path("workdir", None, "Run directory, with the members.", flag_values=FLAGS)
_SIZES = define_numbers(FLAGS, "sizes", (16, 32, 64), "Numbers of nodes.")
_TRUST = flags.DEFINE_bool(
    "trust", False, "Import the code outside nar that the run's config names.", flag_values=FLAGS
)
_COUNT = define_count(FLAGS, "count", 32, "Number of test problems of each size.")
_SAMPLES = define_count(
    FLAGS, "samples", 5, "Members drawn from the distribution over weights of a run with weight uncertainty."
)

_BATCH_SIZE = 4
"""Problems that all members predict at once."""


def main() -> None:
    """Loads the members, and prints a table."""
    if _WORKDIR.value is None:
        raise ValueError(f"--workdir is missing: {FLAGS['workdir'].help}")
    run = nar.load_run(_WORKDIR.value, trust=_TRUST.value)
    components, members = run.graph_components, find_members(run)
    rows = []
    for task in components.model.specs:
        for size in _SIZES.value:
            batch = _test_problems(task, size, components.transforms)
            for name, score, one in measure(components.model, members, task, batch):
                rows.append([task, str(size), name, f"{100 * score:.2f}", *(f"{value:.3f}" for value in one)])
    header = ["algorithm", "n", "prediction", "score", "NLL", "calibration error", "AUROC"]
    print(Table(header, rows, notes=["score in percent, NLL in nats"]).as_text())


def find_members(run: nar.Run) -> list[Params]:
    """Parameters of the members: those of all seeds, or samples of a distribution over weights.

    Raises:
      ValueError: if the run has one seed, and no weight uncertainty.
    """
    num_seeds = run.graph_components.num_seeds
    if num_seeds > 1:
        indices = range(num_seeds)
        return [nar.load_run(run.workdir, seed_index=one, trust=_TRUST.value).params for one in indices]
    if not has_uncertainty(run.params):
        raise ValueError(
            "an ensemble needs a run with several seeds or weight uncertainty: training.num_seeds is 1, and "
            "model.weight_uncertainty.deviation 0"
        )
    return [sample_weights(run.params, jax.random.key(number)) for number in range(_SAMPLES.value)]


def _test_problems(task: str, size: int, transforms: Transforms) -> TraceBatch:
    """Test problems of a size, after transforms."""
    algorithm = nar.ALGORITHMS.find(task)
    (problems,) = make_problem_sets(algorithm, (size,), (0,), count=_COUNT.value)
    return transforms.apply(algorithm, problems.draw())


def measure(
    model: Model, members: Sequence[Params], task: str, batch: TraceBatch
) -> Iterator[tuple[str, float, Uncertainty]]:
    """Name, score and uncertainty of the mean member, and of the ensemble by each average."""
    for average in AVERAGES:
        by_member = _predict(Ensemble(model, members, average), task, batch)
        if average == "outputs":
            alone = [
                _measure_one(model, task, batch, {name: value[index] for name, value in by_member.items()})
                for index in range(len(members))
            ]
            scores, uncertainties = zip(*alone, strict=True)
            yield "mean member", float(np.mean(scores)), Uncertainty(*np.mean(uncertainties, axis=0).tolist())
        mean = {name: value.mean(axis=0) for name, value in by_member.items()}
        yield f"ensemble, averaged {average}", *_measure_one(model, task, batch, mean)


def _predict(ensemble: Ensemble, task: str, batch: TraceBatch) -> dict[str, np.ndarray]:
    """Probabilities of all problems by member, [members, B, ...]."""
    parts = [
        ensemble.by_member(task, take(batch, slice(start, start + _BATCH_SIZE)))
        for start in range(0, batch.batch_size, _BATCH_SIZE)
    ]
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in parts[0]}


def _measure_one(
    model: Model, task: str, batch: TraceBatch, probabilities: Mapping[str, np.ndarray]
) -> tuple[float, Uncertainty]:
    """Score and uncertainty of probabilities [B, ...]."""
    spec = model.specs[task]
    logits = {probe.name: logits_of(probe, jnp.asarray(probabilities[probe.name])) for probe in spec.outputs}
    return score_outputs(spec, batch, logits)["score"], measure_uncertainty(spec, batch, probabilities)
