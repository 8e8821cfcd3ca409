"""Conversion of dm-clrs 2.0.3 parameter names to those of `nar`."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nar.kinds import CLRS30_KINDS
from nar.model.dm_clrs.layouts import LAYOUTS
from nar.model.init import Params
from nar.model.params_by_task import nest_by_task
from nar.specs import Kind, Location, Probe, Spec, Stage

Names = dict[str, str]
"""Module path in dm-clrs -> module path in `nar`."""

_POINTS = ("source", "target", "edge", "out")
_MARKS = ("first", "second", "edge")
_DECODERS: Mapping[tuple[Location, Kind], tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys([(Location.NODE, kind) for kind in CLRS30_KINDS], ("node",)),
        (Location.NODE, Kind.POINTER): _POINTS,
        (Location.NODE, Kind.SHOULD_BE_PERMUTATION): _POINTS,
        (Location.NODE, Kind.PERMUTATION_POINTER): _POINTS,
        **dict.fromkeys([(Location.EDGE, kind) for kind in CLRS30_KINDS], _MARKS),
        (Location.EDGE, Kind.POINTER): (*_MARKS, "target", "out"),
        **dict.fromkeys([(Location.GRAPH, kind) for kind in CLRS30_KINDS], ("nodes", "graph")),
        (Location.GRAPH, Kind.POINTER): ("nodes", "graph", "target"),
    }
)
"""Linear layers of the decoders of `nar`, in the order in which dm-clrs creates them."""

_RENAMED_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "query_biases": "queries",
        "stories_biases": "stories",
        "output_biases": "outputs",
        "memory_contents": "places",
    }
)
"""Parameters with other names in `nar`."""


def convert_parameters(
    params: Mapping[str, Mapping[str, Any]], processor: str, specs: Mapping[str, Spec]
) -> Params:
    """Renames the parameters of a dm-clrs network, or a tree like them such as gradients or Adam moments.

    Args:
      params: module path -> parameter name -> array, as in `BaselineModel.params`.
      processor: published name of the processor, one of `LAYOUTS`.
      specs: specs by task, after transforms, in the order of the tasks in the dm-clrs network.

    Returns:
      The same arrays under the names of `nar`, nested by task. Optional modules (layer norm, heads, LSTM,
      encoders and decoders of hints) are present if they are in `params`.

    Raises:
      ValueError: if the processor is unknown, or if parameters are missing or unexpected; the message lists
        them.
    """
    if processor not in LAYOUTS:
        raise ValueError(f"dm-clrs has no processor {processor!r}; known: {', '.join(LAYOUTS)}")
    required, optional = _processor_names(processor, params)
    for index, (task, spec) in enumerate(specs.items()):
        task_required, task_optional = _encoder_decoder_names(index, task, spec)
        required |= task_required
        optional += task_optional
    for group in optional:
        if any(module in params for module in group):
            required |= group
    _check(params, required)
    return nest_by_task(
        {
            module: {_RENAMED_PARAMETERS.get(k, k): np.asarray(v) for k, v in params[clrs_module].items()}
            for clrs_module, module in required.items()
        }
    )


def _processor_names(processor: str, params: Iterable[str]) -> tuple[Names, list[Names]]:
    """Required and optional modules of the processor."""
    layout = LAYOUTS[processor]
    root = f"net/{layout.clrs_module}_clrs_processor"
    linear, linears = f"{root}/{layout.method}linear", list(layout.linears)
    if layout.heads:
        num_heads = sum(module.startswith(linear) for module in params) - len(linears)
        linears += [layout.heads.format(k) for k in range(max(num_heads, 1))]
    names = {f"{linear}{_suffix(k)}": f"processor/{module}" for k, module in enumerate(linears) if module}
    for k in range(layout.num_message_layers):
        names[f"{root}/mlp/~/linear_{k}"] = f"processor/{layout.module}/message_{k}"
    direct = {root: f"processor/{layout.module}"}
    norm = {f"{root}/{layout.method}layer_norm": f"processor/{layout.module}/norm"}
    lstm = {"net/processor_lstm/linear": "processor/lstm/gates"}
    return names, [direct, norm, lstm]


def _encoder_decoder_names(index: int, task: str, spec: Spec) -> tuple[Names, list[Names]]:
    """Required and optional modules of a task; encoders and decoders of hints are optional."""
    groups: dict[tuple[str, bool], Names] = {}
    for probe in spec.values():
        is_hint = probe.stage is Stage.HINT
        if probe.stage is not Stage.OUTPUT:
            groups.setdefault(("encode", is_hint), {}).update(_encoder_names(index, task, probe))
        if probe.stage is not Stage.INPUT:
            groups.setdefault(("decode", is_hint), {}).update(_decoder_names(index, task, probe))
    required = groups.pop(("encode", False), {}) | groups.pop(("decode", False), {})
    return required, list(groups.values())


def _encoder_names(index: int, task: str, probe: Probe) -> Names:
    count = 2 if (probe.location, probe.kind) == (Location.EDGE, Kind.POINTER) else 1
    stem = f"net/~_construct_encoders_decoders/algo_{index}_{probe.name}_enc_linear"
    return {f"{stem}{_suffix(k)}": f"{task}/encode/{probe.name}_{k}" for k in range(count)}


def _decoder_names(index: int, task: str, probe: Probe) -> Names:
    stem = f"net/~_construct_encoders_decoders/algo_{index}_{probe.name}_dec_linear"
    parts = _DECODERS[probe.location, probe.kind]
    return {f"{stem}{_suffix(k)}": f"{task}/decode/{probe.name}/{part}" for k, part in enumerate(parts)}


def _suffix(k: int) -> str:
    return f"_{k}" if k else ""


def _check(params: Mapping[str, Any], names: Names) -> None:
    missing, unexpected = sorted(names.keys() - params), sorted(params.keys() - names)
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"unexpected: {', '.join(unexpected)}"] if unexpected else []
    if parts:
        raise ValueError("the parameters do not match the processor and tasks; " + "; ".join(parts))
