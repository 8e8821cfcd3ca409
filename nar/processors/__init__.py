"""Processors, the message-passing modules of a model: one per file, with a registry of all.

Each can be used on its own inside `hk.transform`:

    from nar.processors import Features, TripletGMPNN

    def forward(nodes, edges, graph, adjacency, hidden):
        features = Features(nodes, edges, graph, adjacency)
        return TripletGMPNN(hidden_size=128)(features, hidden).nodes

Variants are compositions: a triplet-GMPNN is `Triplets(Gated(MPNN))`; see `presets.py`. To add a processor,
write its file and add a line to `registry.py`. README.md in this folder compares all processors: equations,
sources, costs, options.
"""

from nar.processors.base import (
    Context,
    FactoredFeatures,
    Features,
    Processor,
    ProcessorOutput,
    cast_floating,
    check_shapes,
    dense,
    full_adjacency,
)
from nar.processors.deep_sets import DeepSets
from nar.processors.edge_transformer import EdgeTransformer
from nar.processors.floydnet import FloydNet
from nar.processors.gat import GAT
from nar.processors.gatv2 import GATv2
from nar.processors.layers.aggregation import AGGREGATIONS, Aggregation, find_aggregation, max_with_ties
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
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
from nar.processors.registry import PROCESSORS, ProcessorFactory, check_processor, find_processor
from nar.processors.relational_transformer import RelationalTransformer
from nar.processors.wrappers.dropout import Dropout
from nar.processors.wrappers.gated import Gated
from nar.processors.wrappers.lstm import LSTM
from nar.processors.wrappers.masked import Masked
from nar.processors.wrappers.neighborhoods import FullGraph, IsolatedNodes
from nar.processors.wrappers.no_history import GatedHistory, NoHistory
from nar.processors.wrappers.repeated import Repeated
from nar.processors.wrappers.step_encoding import StepEncoding
from nar.processors.wrappers.triplets import Triplets

__all__ = [
    "AGGREGATIONS",
    "GAT",
    "GMPNN",
    "GPGN",
    "LSTM",
    "MPNN",
    "PGN",
    "PROCESSORS",
    "Aggregation",
    "Context",
    "DeepSets",
    "Dropout",
    "EdgeTransformer",
    "FactoredFeatures",
    "Features",
    "FloydNet",
    "ForgetNet",
    "FullGraph",
    "GATFull",
    "GATv2",
    "GATv2Full",
    "GForgetNet",
    "GPGNMask",
    "Gated",
    "GatedHistory",
    "IsolatedNodes",
    "LayerNorm",
    "Linear",
    "Masked",
    "MemNet",
    "MemNetFull",
    "NoHistory",
    "PGNMask",
    "Processor",
    "ProcessorFactory",
    "ProcessorOutput",
    "RelationalTransformer",
    "Repeated",
    "StepEncoding",
    "StepwiseMPNN",
    "TripletGMPNN",
    "TripletGPGN",
    "TripletGPGNMask",
    "TripletMPNN",
    "TripletPGN",
    "TripletPGNMask",
    "Triplets",
    "cast_floating",
    "check_processor",
    "check_shapes",
    "dense",
    "find_aggregation",
    "find_processor",
    "full_adjacency",
    "max_with_ties",
]
