"""Processors, the message-passing modules of a model: one per file, with a registry of all.

Each can be used on its own inside `hk.transform`:

    from nar.processors import Features, TripletGMPNN

    def forward(nodes, edges, graph, adjacency, hidden):
        features = Features(nodes, edges, graph, adjacency)
        return TripletGMPNN(hidden_size=128)(features, hidden).nodes

Variants are compositions: a triplet-GMPNN is `Triplets(Gated(MPNN))`; see `presets.py`. `PROCESSORS` has all
of them by name. This package exports the interface, the families and the wrappers; layers and presets are
imported from their modules. To add a processor, write its file and add a line to `registry.py`. README.md in
this folder compares all processors: equations, sources, costs, options.
"""

from nar.processors.base import Context, Features, Processor, ProcessorOutput
from nar.processors.deep_sets import DeepSets
from nar.processors.edge_transformer import EdgeTransformer
from nar.processors.floydnet import FloydNet
from nar.processors.gat import GAT
from nar.processors.gatv2 import GATv2
from nar.processors.memnet import MemNet
from nar.processors.mpnn import MPNN
from nar.processors.pgn import PGN
from nar.processors.presets import TripletGMPNN
from nar.processors.registry import PROCESSORS, find_processor
from nar.processors.relational_transformer import RelationalTransformer
from nar.processors.validation.check import check_processor
from nar.processors.wrappers.dropout import Dropout
from nar.processors.wrappers.gated import Gated
from nar.processors.wrappers.lstm import LSTM
from nar.processors.wrappers.masked import Masked
from nar.processors.wrappers.neighborhoods import FullGraph
from nar.processors.wrappers.no_history import NoHistory
from nar.processors.wrappers.repeated import Repeated
from nar.processors.wrappers.triplets import Triplets

__all__ = [
    "GAT",
    "LSTM",
    "MPNN",
    "PGN",
    "PROCESSORS",
    "Context",
    "DeepSets",
    "Dropout",
    "EdgeTransformer",
    "Features",
    "FloydNet",
    "FullGraph",
    "GATv2",
    "Gated",
    "Masked",
    "MemNet",
    "NoHistory",
    "Processor",
    "ProcessorOutput",
    "RelationalTransformer",
    "Repeated",
    "TripletGMPNN",
    "Triplets",
    "check_processor",
    "find_processor",
]
