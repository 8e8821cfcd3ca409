"""Parameters of dm-clrs 2.0.3 under our names."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from nar.model.dm_clrs.layouts import LAYOUTS
from nar.specs import Kind, Location, Probe, Spec, Stage

Names = dict[str, str]
"""Their module path -> ours."""

_POINTS = ("source", "target", "edge", "out")
_MARKS = ("first", "second", "edge")
_DECODERS: Mapping[tuple[Location, Kind], tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys([(Location.NODE, kind) for kind in Kind], ("node",)),
        (Location.NODE, Kind.POINTER): _POINTS,
        (Location.NODE, Kind.SHOULD_BE_PERMUTATION): _POINTS,
        (Location.NODE, Kind.PERMUTATION_POINTER): _POINTS,
        **dict.fromkeys([(Location.EDGE, kind) for kind in Kind], _MARKS),
        (Location.EDGE, Kind.POINTER): (*_MARKS, "target", "out"),
        **dict.fromkeys([(Location.GRAPH, kind) for kind in Kind], ("nodes", "graph")),
        (Location.GRAPH, Kind.POINTER): ("nodes", "graph", "target"),
    }
)
"""Parts of our decoders, in the order in which dm-clrs makes its linear maps."""

_OWN: Mapping[str, str] = MappingProxyType(
    {
        "query_biases": "queries",
        "stories_biases": "stories",
        "output_biases": "outputs",
        "memory_contents": "places",
    }
)
"""Parameters that are called otherwise here."""


def convert_parameters(
    params: Mapping[str, Mapping[str, Any]], processor: str, specs: Mapping[str, Spec]
) -> dict[str, dict[str, np.ndarray]]:
    """Parameters of a network of dm-clrs (or gradients, or moments), under our names.

    Args:
      params: module path -> parameter name -> array, as in `BaselineModel.params`.
      processor: the published name of its processor, one of `LAYOUTS`.
      specs: by task, after transforms, in the order in which the network was given its tasks.

    Returns:
      The same arrays. What a network has or has not by its options (layer norm, heads, LSTM, encoders and
      decoders of hints) is as it is there.

    Raises:
      ValueError: if the processor is unknown, or if parameters are missing or left over; the message names
        them.
    """
    if processor not in LAYOUTS:
        raise ValueError(f"dm-clrs has no processor {processor!r}; it has: {', '.join(LAYOUTS)}")
    required, optional = _processor_names(processor, params)
    for index, (task, spec) in enumerate(specs.items()):
        always, sometimes = _codec_names(index, task, spec)
        required |= always
        optional += sometimes
    for group in optional:
        if any(module in params for module in group):
            required |= group
    _check(params, required)
    return {
        ours: {_OWN.get(name, name): np.asarray(value) for name, value in params[theirs].items()}
        for theirs, ours in required.items()
    }


def _processor_names(processor: str, params: Iterable[str]) -> tuple[Names, list[Names]]:
    """What the processor must have, and what it may have."""
    layout = LAYOUTS[processor]
    root = f"net/{layout.theirs}_clrs_processor"
    linear, linears = f"{root}/{layout.inside}linear", list(layout.linears)
    if layout.heads:
        found = sum(module.startswith(linear) for module in params) - len(linears)
        linears += [layout.heads.format(k) for k in range(max(found, 1))]
    names = {f"{linear}{_suffix(k)}": f"processor/{ours}" for k, ours in enumerate(linears) if ours}
    for k in range(layout.num_messages):
        names[f"{root}/mlp/~/linear_{k}"] = f"processor/{layout.ours}/message_{k}"
    own = {root: f"processor/{layout.ours}"}
    norm = {f"{root}/{layout.inside}layer_norm": f"processor/{layout.ours}/norm"}
    lstm = {"net/processor_lstm/linear": "processor/lstm/gates"}
    return names, [own, norm, lstm]


def _codec_names(index: int, task: str, spec: Spec) -> tuple[Names, list[Names]]:
    """What a task must have, and what it may have: encoders of hints, and decoders of hints."""
    groups: dict[tuple[str, bool], Names] = {}
    for probe in spec.values():
        is_hint = probe.stage is Stage.HINT
        if probe.stage is not Stage.OUTPUT:
            groups.setdefault(("encode", is_hint), {}).update(_encoder_names(index, task, probe))
        if probe.stage is not Stage.INPUT:
            groups.setdefault(("decode", is_hint), {}).update(_decoder_names(index, task, probe))
    always = groups.pop(("encode", False), {}) | groups.pop(("decode", False), {})
    return always, list(groups.values())


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
    missing, left_over = sorted(names.keys() - params), sorted(params.keys() - names)
    parts = [f"missing: {', '.join(missing)}"] if missing else []
    parts += [f"left over: {', '.join(left_over)}"] if left_over else []
    if parts:
        raise ValueError(
            "these are not the parameters of that processor and those tasks; " + "; ".join(parts)
        )
