"""Runs: their configs, directories, training and results; `nar.train` and `nar.load_run` are the entries.

Configs do not need jax: names that do are imported lazily, on first use.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nar.runs.config import (
    BudgetConfig,
    DataConfig,
    EvaluationConfig,
    HaltingConfig,
    ModelConfig,
    RunConfig,
    TeacherForcingConfig,
    TrainingConfig,
)
from nar.runs.text_config import (
    TextDataConfig,
    TextEvaluationConfig,
    TextModelConfig,
    TextRunConfig,
    TextTrainingConfig,
)

if TYPE_CHECKING:
    from nar.runs.run import Run, load_run
    from nar.runs.train import Interrupted
    from nar.runs.workdir import Workdir

__all__ = [
    "BudgetConfig",
    "DataConfig",
    "EvaluationConfig",
    "HaltingConfig",
    "Interrupted",
    "ModelConfig",
    "Run",
    "RunConfig",
    "TeacherForcingConfig",
    "TextDataConfig",
    "TextEvaluationConfig",
    "TextModelConfig",
    "TextRunConfig",
    "TextTrainingConfig",
    "TrainingConfig",
    "Workdir",
    "load_run",
]

_LAZY: Mapping[str, str] = MappingProxyType(
    {
        "Interrupted": "nar.runs.train",
        "Run": "nar.runs.run",
        "Workdir": "nar.runs.workdir",
        "load_run": "nar.runs.run",
    }
)
"""Name -> module that is imported on its first use."""


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'nar.runs' has no attribute {name!r}")
