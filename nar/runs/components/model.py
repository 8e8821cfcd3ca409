"""Builds the network from the `model` section of a config."""

import functools
import inspect
import re
from collections.abc import Callable

from nar.model import Budget, FromTrace, Learned, NetConfig, Schedule, Termination
from nar.model.weight_uncertainty import WeightUncertainty
from nar.plugins import did_you_mean, unknown_name
from nar.processors import find_processor
from nar.processors.registry import accepts_neighbors, check_options
from nar.runs.config import ModelConfig, RunConfig, TeacherForcingConfig


def make_net_config(model: ModelConfig) -> NetConfig:
    """Builds the network config.

    Raises:
      ValueError: if the processor or one of its options is unknown, or a number is invalid.
    """
    factory = find_processor(model.processor)
    options = dict(model.processor_options)
    if not model.layer_norm:
        options.setdefault("layer_norm", False)
    try:
        check_options(factory, model.hidden_size, options)
    except (TypeError, ValueError) as error:
        where = "model.processor_options of" if model.processor_options else "model.processor"
        where = where if model.layer_norm else "model.layer_norm or processor_options of"
        raise ValueError(f"{where} {model.processor}: {_with_hint(factory, error)}") from None
    return NetConfig(
        processor=functools.partial(factory, **options),
        hidden_size=model.hidden_size,
        hint_mode=model.hint_mode,
        hint_feedback=model.hint_feedback,
        hint_noise=model.hint_noise,
        reconstruction_weight=model.reconstruction_weight,
        teacher_forcing=make_teacher_forcing(model.teacher_forcing, model.teacher_forcing_schedule),
        message_passing_steps=model.message_passing_steps,
        dropout=model.dropout,
        lstm=model.lstm,
        encoder_init=model.encoder_init,
        termination=make_termination(model),
        precision=model.precision,
        remat=model.remat,
        pair_size=model.pair_size,
        pairs=model.pairs,
        weight_uncertainty=make_weight_uncertainty(model),
    )


EXECUTIONS = ("dense", "sparse")


def check_execution(config: RunConfig) -> None:
    """Raises ValueError if the execution is unknown, or cannot be combined with another option."""
    model, execution = config.model, config.model.execution
    if execution not in EXECUTIONS:
        raise ValueError(f"model.execution: {unknown_name('execution', execution, EXECUTIONS)}")
    if execution == "sparse" and not accepts_neighbors(
        find_processor(model.processor), model.hidden_size, model.processor_options
    ):
        raise ValueError(
            f"model.execution sparse: the processor {model.processor} computes on all pairs of nodes; "
            "processors that run along the edges are, for instance, pgn_mask, gpgn_mask, gat, gatv2, deepsets"
        )
    others = {
        "training.chunk_length": config.training.chunk_length,
        "data.reversed_pointers": config.data.reversed_pointers,
        "training.num_seeds": config.training.num_seeds - 1,
    }
    for key, is_used in others.items():
        if execution == "sparse" and is_used:
            raise ValueError(f"model.execution sparse cannot be combined with {key}")


def _with_hint(factory: Callable[..., object], error: Exception) -> str:
    """The message of an error, and the nearest option of a processor if one is unknown."""
    unknown = re.search(r"unexpected keyword argument '(\w+)'", str(error))
    known = [*inspect.signature(factory).parameters, "aggregation", "message_layers", "layer_norm"]
    return f"{error}{did_you_mean(unknown[1], known)}" if unknown else str(error)


def make_weight_uncertainty(model: ModelConfig) -> WeightUncertainty | None:
    """Builds the distribution over the parameters; None if it is disabled.

    Raises:
      ValueError: if a number is invalid.
    """
    options = model.weight_uncertainty
    return WeightUncertainty(**options.to_dict()) if options.deviation else None


def make_termination(model: ModelConfig) -> Termination:
    """Builds the termination rule, which determines the number of processor steps.

    Raises:
      ValueError: if the rule is unknown, or a number is invalid.
    """
    makers: dict[str, Callable[[], Termination]] = {
        "trace": FromTrace,
        "budget": lambda: Budget(**model.budget.to_dict()),
        "learned": lambda: Learned(Budget(**model.budget.to_dict()), **model.halting.to_dict()),
    }
    if model.termination not in makers:
        raise ValueError(unknown_name("termination", model.termination, makers))
    return makers[model.termination]()


def make_teacher_forcing(start: float, schedule: TeacherForcingConfig) -> float | Schedule:
    """Builds the teacher-forcing probability: a constant or a schedule.

    Raises:
      ValueError: if the schedule is invalid.
    """
    if schedule.shape == "constant":
        return start
    try:
        return Schedule(start=start, **schedule.to_dict())
    except ValueError as error:
        raise ValueError(f"model.teacher_forcing_schedule: {error}") from None
