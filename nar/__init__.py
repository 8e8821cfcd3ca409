"""`nar`: neural algorithmic reasoning in JAX and Haiku.

The subpackages, in the order in which data flows through them; each imports only those before it:

    specs → problems → algorithms → traces → data → processors → model → losses → training
          → evaluation → runs → reports

Generating traces does not need jax: names that do are imported lazily, on first use.
"""

import importlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from nar.algorithms import ALGORITHMS, register
from nar.traces import clrs30_split, run_algorithm, sample_traces

if TYPE_CHECKING:
    from nar.processors import PROCESSORS
    from nar.runs.config import RunConfig
    from nar.runs.pretrained import pretrained
    from nar.runs.run import Run, load_run
    from nar.runs.text_config import TextRunConfig
    from nar.runs.train import train

__all__ = [
    "ALGORITHMS",
    "PROCESSORS",
    "Run",
    "RunConfig",
    "TextRunConfig",
    "clrs30_split",
    "load_run",
    "pretrained",
    "register",
    "run_algorithm",
    "sample_traces",
    "train",
]

__version__ = "0.1.0"

_LAZY: Mapping[str, str] = MappingProxyType(
    {
        "PROCESSORS": "nar.processors",
        "Run": "nar.runs.run",
        "RunConfig": "nar.runs.config",
        "TextRunConfig": "nar.runs.text_config",
        "load_run": "nar.runs.run",
        "pretrained": "nar.runs.pretrained",
        "train": "nar.runs.train",
    }
)
"""Name -> module that is imported on its first use."""


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'nar' has no attribute {name!r}")
