"""Processors: the part of a network that passes messages between nodes. One a file, and a table of all.

Each works alone inside `hk.transform`:

    from nar.processors import Features, TripletGMPNN

    def forward(nodes, edges, graph, adjacency, hidden):
        features = Features(nodes, edges, graph, adjacency)
        return TripletGMPNN(hidden_size=128)(features, hidden).nodes

Variants are compositions: a triplet-GMPNN is `Triplets(Gated(MPNN))`. To add a processor, write its file and
its line here.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import haiku as hk

from nar.processors.aggregation import AGGREGATIONS, Aggregation, largest
from nar.processors.contract import (
    Context,
    FactoredFeatures,
    Features,
    Processed,
    Processor,
    dense,
    full_adjacency,
)
from nar.processors.dropout import Dropout
from nar.processors.gating import Gated
from nar.processors.linear import Linear
from nar.processors.lstm import LSTM
from nar.processors.mpnn import MPNN, FullGraph
from nar.processors.pgn import PGN
from nar.processors.repetition import Repeated
from nar.processors.triplets import Triplets

__all__ = [
    "AGGREGATIONS",
    "GMPNN",
    "GPGN",
    "LSTM",
    "MPNN",
    "PGN",
    "PROCESSORS",
    "Aggregation",
    "Context",
    "Dropout",
    "FactoredFeatures",
    "Features",
    "FullGraph",
    "Gated",
    "Linear",
    "Processed",
    "Processor",
    "Repeated",
    "TripletGMPNN",
    "TripletGPGN",
    "TripletMPNN",
    "TripletPGN",
    "Triplets",
    "check_processor",
    "dense",
    "find_processor",
    "full_adjacency",
    "largest",
]

ProcessorFactory = Callable[..., Processor]


def GPGN(hidden_size: int, **options: Any) -> Processor:
    """A gated `PGN`."""
    return Gated(PGN(hidden_size, **options), hidden_size)


def GMPNN(hidden_size: int, **options: Any) -> Processor:
    """A gated `MPNN`."""
    return Gated(MPNN(hidden_size, **options), hidden_size)


def TripletPGN(hidden_size: int, *, num_triplet_features: int = 8, **options: Any) -> Processor:
    """A `PGN` with triplet messages."""
    return Triplets(PGN(hidden_size, **options), hidden_size, num_features=num_triplet_features)


def TripletMPNN(hidden_size: int, *, num_triplet_features: int = 8, **options: Any) -> Processor:
    """An `MPNN` with triplet messages."""
    return Triplets(MPNN(hidden_size, **options), hidden_size, num_features=num_triplet_features)


def TripletGPGN(hidden_size: int, *, num_triplet_features: int = 8, **options: Any) -> Processor:
    """A gated `PGN` with triplet messages."""
    return Triplets(GPGN(hidden_size, **options), hidden_size, num_features=num_triplet_features)


def TripletGMPNN(hidden_size: int, *, num_triplet_features: int = 8, **options: Any) -> Processor:
    """A gated `MPNN` with triplet messages, the processor of Ibarz et al. (arXiv 2209.11142)."""
    return Triplets(GMPNN(hidden_size, **options), hidden_size, num_features=num_triplet_features)


PROCESSORS: Mapping[str, ProcessorFactory] = MappingProxyType(
    {
        "gmpnn": GMPNN,
        "gpgn": GPGN,
        "mpnn": MPNN,
        "pgn": PGN,
        "triplet_gmpnn": TripletGMPNN,
        "triplet_gpgn": TripletGPGN,
        "triplet_mpnn": TripletMPNN,
        "triplet_pgn": TripletPGN,
    }
)
"""Name -> callable `(hidden_size, **options)` that makes the processor, inside a Haiku transform."""


def find_processor(name: str) -> ProcessorFactory:
    """The maker of the processor of this name.

    Raises:
      ValueError: if there is none; the message lists the known ones.
    """
    if name not in PROCESSORS:
        raise ValueError(f"unknown processor {name!r}; known: {', '.join(PROCESSORS)}")
    return PROCESSORS[name]


def check_processor(factory: ProcessorFactory, **options: Any) -> None:
    """Raises TypeError if the processor does not have one of the options; nothing is computed."""
    hk.transform(lambda: factory(1, **options)).init(None)
