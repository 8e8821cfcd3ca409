"""`nar`: neural algorithmic reasoning in JAX and Haiku.

The subpackages, in the order in which data flows through them; each imports only those before it:

    specs → problems → algorithms → traces → data → processors → model → losses → training
          → evaluation → reports

Generating traces does not need jax: names that do are imported lazily, on first use.
"""

import importlib
from typing import TYPE_CHECKING, Any

from nar.algorithms import ALGORITHMS, register
from nar.traces import clrs30_split, run_algorithm, sample_traces

if TYPE_CHECKING:
    from nar.processors import PROCESSORS

__all__ = ["ALGORITHMS", "PROCESSORS", "clrs30_split", "register", "run_algorithm", "sample_traces"]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name == "PROCESSORS":
        return importlib.import_module("nar.processors").PROCESSORS
    raise AttributeError(f"module 'nar' has no attribute {name!r}")
