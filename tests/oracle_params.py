"""Parameters of a dm-clrs network under our names."""

import numpy as np

from nar.specs import Kind, Location, Spec, Stage

_DECODER_PARTS = {
    (Location.NODE, Kind.SCALAR): ("node",),
    (Location.NODE, Kind.MASK): ("node",),
    (Location.NODE, Kind.MASK_ONE): ("node",),
    (Location.NODE, Kind.CATEGORICAL): ("node",),
    (Location.NODE, Kind.POINTER): ("source", "target", "edge", "out"),
    (Location.NODE, Kind.PERMUTATION_POINTER): ("source", "target", "edge", "out"),
    (Location.EDGE, Kind.SCALAR): ("first", "second", "edge"),
    (Location.EDGE, Kind.MASK): ("first", "second", "edge"),
    (Location.EDGE, Kind.CATEGORICAL): ("first", "second", "edge"),
    (Location.EDGE, Kind.POINTER): ("first", "second", "edge", "target", "out"),
    (Location.GRAPH, Kind.SCALAR): ("nodes", "graph"),
    (Location.GRAPH, Kind.MASK): ("nodes", "graph"),
    (Location.GRAPH, Kind.CATEGORICAL): ("nodes", "graph"),
}
_MESSAGES = ("receiver", "sender", "edge", "graph", "own", "received")
_TRIPLETS = ("node_i", "node_j", "node_k", "edge_ij", "edge_ik", "edge_jk", "graph", "out")
_GATE = ("state", "messages", "gate")


def module_names(processor: str, task: str, spec: Spec) -> dict[str, str]:
    """Our module path -> that of dm-clrs, for a network of one task."""
    names = {}
    codec = "net/~_construct_encoders_decoders/algo_0_"
    for probe in spec.values():
        if probe.stage is not Stage.OUTPUT:
            count = 2 if (probe.location, probe.kind) == (Location.EDGE, Kind.POINTER) else 1
            for k in range(count):
                names[f"{task}/encode/{probe.name}_{k}"] = f"{codec}{probe.name}_enc_linear{_suffix(k)}"
        if probe.stage is not Stage.INPUT:
            for k, part in enumerate(_DECODER_PARTS[probe.location, probe.kind]):
                names[f"{task}/decode/{probe.name}/{part}"] = f"{codec}{probe.name}_dec_linear{_suffix(k)}"

    base = "mpnn" if "mpnn" in processor else "pgn"
    modules = [f"{base}/{part}" for part in _MESSAGES]
    if "triplet" in processor:
        modules += [f"triplets/{part}" for part in _TRIPLETS]
    if "g" in processor.removeprefix("triplet_").removesuffix("mpnn").removesuffix("pgn"):
        modules += [f"gate/{part}" for part in _GATE]
    root = "net/mpnn_aggr_clrs_processor"
    names |= {f"processor/{module}": f"{root}/linear{_suffix(k)}" for k, module in enumerate(modules)}
    names |= {f"processor/{base}/message_{k}": f"{root}/mlp/~/linear_{k}" for k in range(2)}
    names[f"processor/{base}/norm"] = f"{root}/layer_norm"
    return names


def convert(params, names: dict[str, str]):
    """Parameters (or gradients) of dm-clrs, under our names."""
    assert set(names.values()) == set(params), set(names.values()) ^ set(params)
    return {ours: {k: np.asarray(v) for k, v in params[theirs].items()} for ours, theirs in names.items()}


def _suffix(k: int) -> str:
    return f"_{k}" if k else ""
