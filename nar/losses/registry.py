"""The registry of objectives."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from nar.losses.augmented import Augmented
from nar.losses.contrastive import contrastive
from nar.losses.hint_relic import HintReLIC
from nar.losses.objectives import Objective, supervised, views_of
from nar.plugins import Registry, unknown_name

OBJECTIVES: Registry[Any] = Registry(
    "objective",
    {
        "supervised": supervised,
        "augmented": Augmented,
        "hint_relic": HintReLIC,
        "contrastive": contrastive,
    },
)
"""Registry of objectives: functions, and classes whose arguments are options and whose instances are
objectives."""


def find_objective(name: str, options: Mapping[str, Any] = MappingProxyType({})) -> Objective:
    """Returns the objective of a name in `OBJECTIVES`, or of `module:ATTRIBUTE`.

    Args:
      name: the name.
      options: arguments, if it is a class.

    Raises:
      ValueError: if there is none, it does not take five arguments, its views are not functions, or an option
        is unknown or invalid.
    """
    found: Any = OBJECTIVES.find(name)
    objective: Any = found
    if inspect.isclass(found):
        known = inspect.signature(found).parameters
        for option in options:
            if option not in known:
                raise ValueError(unknown_name(f"option of {name}", option, known))
        try:
            objective = objective(**options)
        except TypeError as error:
            raise ValueError(f"objective {name!r}: {error}") from None
    elif options:
        raise ValueError(f"objective {name!r} has no options, got {sorted(options)}")
    try:
        inspect.signature(objective).bind(*["argument"] * 5)
    except TypeError:
        raise ValueError(
            f"objective {name!r} must take the arguments (model, params, key, batch, context)"
        ) from None
    views_of(objective)
    return objective
