"""Objectives and options together: several tasks and seeds, micro-batches, windows, selection, resumption."""

import signal

import pytest

import nar
from experiments.fault_injection.compare_runs import find_differences, metrics_of
from nar.runs import train as train_module
from nar.runs.train import Interrupted
from nar.runs.workdir import Workdir

FEW = {"sizes": (4,), "count": 4}
CONFIG = {
    "algorithms": ("insertion_sort", "minimum"),
    "model": {"processor": "mpnn", "hidden_size": 4},
    "data": {"sizes": (4,)},
    "training": {
        "steps": 6,
        "batch_size": 4,
        "eval_every": 2,
        "log_every": 1,
        "objective": "contrastive",
        "grad_accumulation_steps": 2,
        "num_seeds": 2,
        "ema_decay": 0.5,
        "max_cpu_minutes": 1e6,
        "trackers": (),
    },
    "evaluation": {"validation": FEW, "test": {**FEW, "sizes": (6,)}, "selection_sizes": (5, 7)},
}
WINDOWS = {
    "model": {"hint_noise": 0.1, "reconstruction_weight": 0.1, "teacher_forcing": 0.5},
    "training": {"window_length": 2, "loss_weights": {"contrastive": 0.5, "reconstruction": 2.0}},
}
NO_HINTS = {"model": {"hint_mode": "none", "termination": "budget"}}


@pytest.mark.slow
@pytest.mark.parametrize("options", [WINDOWS, NO_HINTS], ids=["windows", "no_hints"])
def test_composed_options_train_and_resume_bit_for_bit(options, tmp_path, monkeypatch):
    config = nar.RunConfig.from_dict(CONFIG).merged(options)
    whole, resumed = (Workdir(tmp_path / name) for name in ("whole", "resumed"))
    result = nar.train(config, whole).result
    shown = train_module.ShowProgress.on_step
    with monkeypatch.context() as patch:
        patch.setattr(
            train_module.ShowProgress,
            "on_step",
            lambda self, report: (
                signal.raise_signal(signal.SIGINT) if report.step == 3 else shown(self, report)
            ),
        )
        with pytest.raises(Interrupted):
            nar.train(config, resumed)
    nar.train(config, resumed)
    assert find_differences(whole, resumed) == []
    assert set(result["scores"]) == {"validation", "test", "selection"}
    assert set(result["scores"]["selection"]["minimum"]) == {"5", "7"}
    assert tuple(result["protocol"]["selection_sizes"]) == (5, 7)
    assert set(result["raw_averages"]) == {"validation", "test"} and len(result["best_step"]) == 2
    names = {name for line in metrics_of(whole) for name in line}
    assert {"loss/minimum/contrastive", "selection/minimum/score/7", "raw/validation/score"} <= names
    assert ("loss/insertion_sort/reconstruction/pred_h" in names) == (options is WINDOWS)
    scored = [line for line in metrics_of(whole) if "validation/selection" in line]
    for line in scored:
        by_task = (line["selection/insertion_sort/score"], line["selection/minimum/score"])
        assert line["validation/selection"] == pytest.approx(sum(by_task) / 2)
    assert len(scored) == 3
