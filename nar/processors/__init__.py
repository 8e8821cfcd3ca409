"""Processors: the part of a network that passes messages between nodes. One a file, and a table of all.

Each works alone inside `hk.transform`:

    from nar.processors import Features, TripletGMPNN

    def forward(nodes, edges, graph, adjacency, hidden):
        features = Features(nodes, edges, graph, adjacency)
        return TripletGMPNN(hidden_size=128)(features, hidden).nodes

Variants are compositions: a triplet-GMPNN is `Triplets(Gated(MPNN))`. To add a processor, write its file and
its line in `table.py`. README.md in this folder has all side by side: equation, source, cost, options.
"""

from nar.processors.aggregation import AGGREGATIONS, Aggregation, find_aggregation, largest
from nar.processors.contract import (
    Context,
    FactoredFeatures,
    Features,
    Processed,
    Processor,
    check_shapes,
    dense,
    full_adjacency,
    in_type,
)
from nar.processors.deep_sets import DeepSets
from nar.processors.dropout import Dropout
from nar.processors.edge_transformer import EdgeTransformer
from nar.processors.floydnet import FloydNet
from nar.processors.forgetting import Forgetting, GatedHistory
from nar.processors.gat import GAT
from nar.processors.gating import Gated
from nar.processors.gatv2 import GATv2
from nar.processors.linear import Linear
from nar.processors.lstm import LSTM
from nar.processors.masked import Masked
from nar.processors.memnet import MemNet
from nar.processors.mpnn import MPNN
from nar.processors.neighbourhoods import Apart, FullGraph
from nar.processors.norm import LayerNorm
from nar.processors.pgn import PGN
from nar.processors.relational_transformer import RelationalTransformer
from nar.processors.repetition import Repeated
from nar.processors.stepwise import Stepwise
from nar.processors.table import PROCESSORS, ProcessorFactory, check_processor, find_processor
from nar.processors.triplets import Triplets
from nar.processors.variants import (
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
    "Apart",
    "Context",
    "DeepSets",
    "Dropout",
    "EdgeTransformer",
    "FactoredFeatures",
    "Features",
    "FloydNet",
    "ForgetNet",
    "Forgetting",
    "FullGraph",
    "GATFull",
    "GATv2",
    "GATv2Full",
    "GForgetNet",
    "GPGNMask",
    "Gated",
    "GatedHistory",
    "LayerNorm",
    "Linear",
    "Masked",
    "MemNet",
    "MemNetFull",
    "PGNMask",
    "Processed",
    "Processor",
    "ProcessorFactory",
    "RelationalTransformer",
    "Repeated",
    "Stepwise",
    "StepwiseMPNN",
    "TripletGMPNN",
    "TripletGPGN",
    "TripletGPGNMask",
    "TripletMPNN",
    "TripletPGN",
    "TripletPGNMask",
    "Triplets",
    "check_processor",
    "check_shapes",
    "dense",
    "find_aggregation",
    "find_processor",
    "full_adjacency",
    "in_type",
    "largest",
]
