"""What dm-clrs calls the parts of its processors: which of ours each of its numbered linear maps is."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType

_MESSAGES = ("receiver", "sender", "edge", "graph", "own", "received")
_TRIPLETS = ("node_i", "node_j", "node_k", "edge_ij", "edge_ik", "edge_jk", "graph", "out")
_GATE = ("state", "messages", "gate")


@dataclasses.dataclass(frozen=True)
class Layout:
    """One processor of dm-clrs.

    Attributes:
      theirs: the name of its module.
      ours: the module whose parameters its own are, and which has its layer norm.
      linears: our modules for its linear maps, in the order in which it makes them; an empty one is only made
        by an option that no published name has.
      heads: our module for all further linear maps, "{}" standing for their number from 0 on, or "".
      inside: the method in which it makes its maps, as a part of their names, or "".
      num_messages: how many layers the MLP of its messages has.
    """

    theirs: str
    ours: str
    linears: tuple[str, ...]
    heads: str = ""
    inside: str = ""
    num_messages: int = 0


def _pgn(ours: str, *, triplets: bool = False, gated: bool = False) -> Layout:
    linears = [f"{ours}/{part}" for part in _MESSAGES]
    linears += [f"triplets/{part}" for part in _TRIPLETS] if triplets else []
    linears += [f"gate/{part}" for part in _GATE] if gated else []
    return Layout("mpnn_aggr", ours, tuple(linears), num_messages=2)


_GAT = Layout(
    "gat_aggr", "gat", tuple(f"gat/{p}" for p in ("value", "own", "receiver", "sender", "edge", "graph"))
)
_GATV2 = Layout(
    "gatv2_aggr",
    "gatv2",
    tuple(f"gatv2/{p}" for p in ("value", "own", "sender", "receiver", "edge", "graph")),
    heads="gatv2/head_{}",
)
_MEMNET = Layout("memnet", "memnet", ("", "memnet/answer", "memnet/out"), inside="~_apply/")

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
"""By published name."""
