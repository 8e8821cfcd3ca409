"""Parameter layouts of dm-clrs processors: the counterpart in `nar` of each numbered linear layer."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

_MESSAGES = ("receiver", "sender", "edge", "graph", "own", "received")
_TRIPLETS = ("node_i", "node_j", "node_k", "edge_ij", "edge_ik", "edge_jk", "graph", "out")
_GATE = ("state", "messages", "gate")


@dataclasses.dataclass(frozen=True)
class Layout:
    """Parameter layout of one dm-clrs processor.

    Attributes:
      clrs_module: name of its module in dm-clrs.
      module: module in `nar` of its direct parameters and layer norm.
      linears: modules in `nar` of its linear layers, in the order of their creation in dm-clrs; empty for a
        layer that no published processor has.
      heads: module in `nar` of each further linear layer, with "{}" for its index from 0, or "".
      method: method that creates the layers in dm-clrs, a component of their names, or "".
      num_message_layers: number of layers of the message MLP.
    """

    clrs_module: str
    module: str
    linears: tuple[str, ...]
    heads: str = ""
    method: str = ""
    num_message_layers: int = 0


def _pgn(module: str, *, triplets: bool = False, gated: bool = False) -> Layout:
    linears = [f"{module}/{part}" for part in _MESSAGES]
    linears += [f"triplets/{part}" for part in _TRIPLETS] if triplets else []
    linears += [f"gate/{part}" for part in _GATE] if gated else []
    return Layout("mpnn_aggr", module, tuple(linears), num_message_layers=2)


_GAT = Layout(
    "gat_aggr", "gat", tuple(f"gat/{p}" for p in ("value", "own", "receiver", "sender", "edge", "graph"))
)
_GATV2 = Layout(
    "gatv2_aggr",
    "gatv2",
    tuple(f"gatv2/{p}" for p in ("value", "own", "sender", "receiver", "edge", "graph")),
    heads="gatv2/head_{}",
)
_MEMNET = Layout("memnet", "memnet", ("", "memnet/answer", "memnet/out"), method="~_apply/")

LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "deepsets": _pgn("deep_sets"),
        "gat": _GAT,
        "gat_full": _GAT,
        "gatv2": _GATV2,
        "gatv2_full": _GATV2,
        "gmpnn": _pgn("mpnn", gated=True),
        "gpgn": _pgn("pgn", gated=True),
        "gpgn_mask": _pgn("pgn", gated=True),
        "memnet_full": _MEMNET,
        "memnet_masked": _MEMNET,
        "mpnn": _pgn("mpnn"),
        "pgn": _pgn("pgn"),
        "pgn_mask": _pgn("pgn"),
        "triplet_gmpnn": _pgn("mpnn", triplets=True, gated=True),
        "triplet_gpgn": _pgn("pgn", triplets=True, gated=True),
        "triplet_gpgn_mask": _pgn("pgn", triplets=True, gated=True),
        "triplet_mpnn": _pgn("mpnn", triplets=True),
        "triplet_pgn": _pgn("pgn", triplets=True),
        "triplet_pgn_mask": _pgn("pgn", triplets=True),
    }
)
"""Layouts by published processor name."""
