"""The keys of a config that make up the evaluation protocol of a run, and the names of protocols."""

from collections.abc import Mapping
from typing import Any

from nar.runs.config import EvaluationConfig, RunConfig

PROTOCOL_KEYS = ("validation", "test", "selection", "selection_sizes")
"""Keys of `evaluation` that make up the protocol; the first two are keys of a task, too."""

CLRS30_PROTOCOL, CUSTOM_PROTOCOL = "CLRS-30", "custom"
"""Names of protocols in results."""


def uses_clrs30_protocol(config: RunConfig) -> bool:
    """Returns True if validation, test and selection are those of CLRS-30 for every task."""
    evaluation, default = config.evaluation, EvaluationConfig()
    return all(getattr(evaluation, key) == getattr(default, key) for key in PROTOCOL_KEYS) and not any(
        key in overrides for overrides in config.tasks.values() for key in PROTOCOL_KEYS
    )


def describe_selection(protocol: Mapping[str, Any]) -> str:
    """The selection of the best checkpoint by a protocol, in words: `selected at n = 32`.

    Args:
      protocol: a mapping with the keys `selection` and perhaps `selection_sizes`.
    """
    sizes = protocol.get("selection_sizes", ())
    where = f" at n = {', '.join(map(str, sizes))}" if sizes else ""
    by = "" if protocol["selection"] == "score" and where else f" by {protocol['selection']}"
    return f"selected{by}{where}"
