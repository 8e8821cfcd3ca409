"""The table of all processors by name, and those that are not in it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import haiku as hk

from nar.plugins import load_attribute
from nar.processors.base import Processor
from nar.processors.deep_sets import DeepSets
from nar.processors.edge_transformer import EdgeTransformer
from nar.processors.floydnet import FloydNet
from nar.processors.gat import GAT
from nar.processors.gatv2 import GATv2
from nar.processors.memnet import MemNet
from nar.processors.mpnn import MPNN
from nar.processors.pgn import PGN
from nar.processors.presets import (
    GMPNN,
    GPGN,
    ForgetNet,
    GATFull,
    GATv2Full,
    GForgetNet,
    GPGNMask,
    MemNetFull,
    PGNMask,
    StepwiseMPNN,
    TripletGMPNN,
    TripletGPGN,
    TripletGPGNMask,
    TripletMPNN,
    TripletPGN,
    TripletPGNMask,
)
from nar.processors.relational_transformer import RelationalTransformer

ProcessorFactory = Callable[..., Processor]

PROCESSORS: Mapping[str, ProcessorFactory] = MappingProxyType(
    {
        "deepsets": DeepSets,
        "edge_transformer": EdgeTransformer,
        "floydnet": FloydNet,
        "forgetnet": ForgetNet,
        "g_forgetnet": GForgetNet,
        "gat": GAT,
        "gat_full": GATFull,
        "gatv2": GATv2,
        "gatv2_full": GATv2Full,
        "gmpnn": GMPNN,
        "gpgn": GPGN,
        "gpgn_mask": GPGNMask,
        "memnet_full": MemNetFull,
        "memnet_masked": MemNet,
        "mpnn": MPNN,
        "pgn": PGN,
        "pgn_mask": PGNMask,
        "relational_transformer": RelationalTransformer,
        "stepwise_mpnn": StepwiseMPNN,
        "triplet_gmpnn": TripletGMPNN,
        "triplet_gpgn": TripletGPGN,
        "triplet_gpgn_mask": TripletGPGNMask,
        "triplet_mpnn": TripletMPNN,
        "triplet_pgn": TripletPGN,
        "triplet_pgn_mask": TripletPGNMask,
    }
)
"""Name -> callable `(hidden_size, **options)` that makes the processor, inside a Haiku transform."""


def find_processor(name: str) -> ProcessorFactory:
    """The maker of the processor of this name.

    Args:
      name: of `PROCESSORS`; or `module:ATTRIBUTE`, which imports the module and takes what it finds: a class
        or function that is called as `(hidden_size, **options)`.

    Raises:
      ValueError: if there is none; the message lists the known ones.
    """
    if isinstance(name, str) and name in PROCESSORS:
        return PROCESSORS[name]
    if isinstance(name, str) and ":" in name:
        return load_attribute(name, "processor", callable)
    raise ValueError(f"unknown processor {name!r}; known: {', '.join(PROCESSORS)}, or module:ATTRIBUTE")


def check_processor(factory: ProcessorFactory, hidden_size: int = 1, **options: Any) -> None:
    """Makes a processor, of which nothing is computed.

    Raises:
      TypeError: if it does not have one of the options, or is no processor.
      ValueError: if it does not allow the value of one.
    """
    made = []
    hk.transform(lambda: made.append(factory(hidden_size, **options))).init(None)
    for method in ("__call__", "initial_memory"):
        if not callable(getattr(made[0], method, None)):
            raise TypeError(f"a processor needs the method {method}, which {made[0]!r} has not")
