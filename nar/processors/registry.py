"""Registry of processors, and the lookup of custom ones by `module:ATTRIBUTE`."""

from collections.abc import Callable, Mapping
from typing import Any

import haiku as hk

from nar.plugins import Registry
from nar.processors.base import Processor
from nar.processors.deep_sets import DeepSets
from nar.processors.discrete import Discrete
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
    RNAR,
    SCOFF,
    DiagonalEdgeTransformer,
    ForgetNet,
    GATFull,
    GATv2Full,
    GForgetNet,
    GPGNMask,
    MemNetFull,
    PGNMask,
    StepEncodingMPNN,
    TripletGMPNN,
    TripletGPGN,
    TripletGPGNMask,
    TripletMPNN,
    TripletPGN,
    TripletPGNMask,
)
from nar.processors.production_system import ProductionSystem
from nar.processors.relational_transformer import RelationalTransformer
from nar.processors.shared_workspace import SharedWorkspace

ProcessorFactory = Callable[..., Processor]

PROCESSORS: Registry[ProcessorFactory] = Registry(
    "processor",
    {
        "deepsets": DeepSets,
        "discrete": Discrete,
        "edge_transformer": EdgeTransformer,
        "edge_transformer_diagonal": DiagonalEdgeTransformer,
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
        "production_system": ProductionSystem,
        "relational_transformer": RelationalTransformer,
        "rnar": RNAR,
        "scoff": SCOFF,
        "shared_workspace": SharedWorkspace,
        "step_encoding_mpnn": StepEncodingMPNN,
        "triplet_gmpnn": TripletGMPNN,
        "triplet_gpgn": TripletGPGN,
        "triplet_gpgn_mask": TripletGPGNMask,
        "triplet_mpnn": TripletMPNN,
        "triplet_pgn": TripletPGN,
        "triplet_pgn_mask": TripletPGNMask,
    },
)
"""Processor factories by name: `(hidden_size, **options) -> Processor`, called inside a Haiku transform."""


def find_processor(name: ProcessorFactory | str) -> ProcessorFactory:
    """Looks up the factory of a processor.

    Args:
      name: a key of `PROCESSORS`; or `module:ATTRIBUTE`, a class or function in an importable module, called
        as `(hidden_size, **options)`; or such a class or function.

    Raises:
      ValueError: if there is no such processor; the message lists the known ones.
    """
    return PROCESSORS.find(name)


_METHODS: Mapping[str, str] = {
    "__call__": "`def __call__(self, features, hidden, memory=(), context=Context())`",
    "initial_memory": "`def initial_memory(self, batch_size, num_nodes): return ()`",
}
"""Methods of processors, with their simplest form."""


def check_options(factory: ProcessorFactory, hidden_size: int, options: Mapping[str, Any]) -> None:
    """Checks the options of a processor by constructing it, without computing anything.

    Raises:
      TypeError: if an option is unknown, or the factory doesn't return a processor; the message says what to
        add.
      ValueError: if the value of an option is invalid.
    """
    processor = _construct(factory, hidden_size, options)
    for method, example in _METHODS.items():
        if not callable(getattr(processor, method, None)):
            raise TypeError(
                f"a processor must have the method {method}, such as {example}; got {processor!r}"
            )


def accepts_neighbors(factory: ProcessorFactory, hidden_size: int, options: Mapping[str, Any]) -> bool:
    """Returns True if a processor may run on neighbor lists, as far as its outermost module says."""
    return bool(getattr(_construct(factory, hidden_size, options), "accepts_neighbors", False))


def _construct(factory: ProcessorFactory, hidden_size: int, options: Mapping[str, Any]) -> Any:
    processors = []
    hk.transform(lambda: processors.append(factory(hidden_size, **options))).init(None)
    return processors[0]
