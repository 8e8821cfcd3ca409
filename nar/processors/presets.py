"""Presets: named compositions of processors and wrappers.

A triplet-GMPNN, for instance, is composed like this:

    TripletGMPNN
      Triplets             wrappers/triplets.py         edge states from triplet messages
        Gated              wrappers/gated.py            gated update of the hidden states
          MPNN             mpnn.py                      PGN over the full graph:
            FullGraph      wrappers/neighborhoods.py      all real nodes are neighbors
              PGN          pgn.py                         message function, aggregation, update

    GMPNN = Gated(MPNN), TripletMPNN = Triplets(MPNN), TripletPGNMask = Masked(Triplets(PGN)), ...

Options that are not in a preset's own signature are passed on to the processor that it wraps.
"""

from typing import Any

from nar.processors.base import Processor
from nar.processors.edge_transformer import EdgeTransformer
from nar.processors.gat import GAT
from nar.processors.gatv2 import GATv2
from nar.processors.memnet import MemNet
from nar.processors.mpnn import MPNN
from nar.processors.pgn import PGN
from nar.processors.wrappers.gated import Gated
from nar.processors.wrappers.masked import Masked
from nar.processors.wrappers.neighborhoods import FullGraph
from nar.processors.wrappers.no_history import GatedHistory, NoHistory
from nar.processors.wrappers.schemata import Schemata
from nar.processors.wrappers.step_encoding import StepEncoding
from nar.processors.wrappers.triplets import Triplets

# Gated (Ibarz et al. 2022, arXiv 2209.11142).


def GPGN(hidden_size: int, **options: Any) -> Processor:
    """A gated `PGN`."""
    return Gated(PGN(hidden_size, **options), hidden_size)


def GMPNN(hidden_size: int, **options: Any) -> Processor:
    """A gated `MPNN`."""
    return Gated(MPNN(hidden_size, **options), hidden_size)


# With triplet messages (Dudzik and Veličković 2022, arXiv 2203.15544).


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
    """A gated `MPNN` with triplet messages, the processor of Ibarz et al. 2022 (arXiv 2209.11142)."""
    return Triplets(GMPNN(hidden_size, **options), hidden_size, num_features=num_triplet_features)


# With predictions restricted to the edges of the graph.


def PGNMask(hidden_size: int, **options: Any) -> Processor:
    """A `Masked` `PGN`."""
    return Masked(PGN(hidden_size, **options))


def GPGNMask(hidden_size: int, **options: Any) -> Processor:
    """A `Masked` gated `PGN`."""
    return Masked(GPGN(hidden_size, **options))


def TripletPGNMask(hidden_size: int, **options: Any) -> Processor:
    """A `Masked` `PGN` with triplet messages."""
    return Masked(TripletPGN(hidden_size, **options))


def TripletGPGNMask(hidden_size: int, **options: Any) -> Processor:
    """A `Masked` gated `PGN` with triplet messages."""
    return Masked(TripletGPGN(hidden_size, **options))


# Over the full graph.


def GATFull(hidden_size: int, **options: Any) -> Processor:
    """A `GAT` over the full graph."""
    return FullGraph(GAT(hidden_size, **options))


def GATv2Full(hidden_size: int, **options: Any) -> Processor:
    """A `GATv2` over the full graph."""
    return FullGraph(GATv2(hidden_size, **options))


def MemNetFull(hidden_size: int, **options: Any) -> Processor:
    """A `MemNet` over the full graph."""
    return FullGraph(MemNet(hidden_size, **options))


# With no history, gated history, or the step index.


def ForgetNet(hidden_size: int, **options: Any) -> Processor:
    """A `TripletMPNN` without previous hidden states (Bohde et al. 2024, arXiv 2403.04929)."""
    return NoHistory(TripletMPNN(hidden_size, **options))


def GForgetNet(
    hidden_size: int, *, gate_bias: float = 0.0, annealing_steps: int = 0, **options: Any
) -> Processor:
    """A `TripletMPNN` with a gate on previous hidden states that a loss drives to zero (arXiv 2403.04929)."""
    mpnn = TripletMPNN(hidden_size, **options)
    return GatedHistory(mpnn, bias=gate_bias, annealing_steps=annealing_steps)


def StepEncodingMPNN(hidden_size: int, *, num_frequencies: int = 8, **options: Any) -> Processor:
    """An `MPNN` with an encoding of the step index in its graph features (arXiv 1807.03819)."""
    return StepEncoding(MPNN(hidden_size, **options), num_frequencies=num_frequencies)


# With several update networks.


def SCOFF(hidden_size: int, *, num_schemata: int = 4, temperature: float = 1.0, **options: Any) -> Processor:
    """An `MPNN` whose nodes each choose an update network at every step (arXiv 2006.16225)."""
    mpnn = MPNN(hidden_size, **options)
    return Schemata(mpnn, hidden_size, num_schemata=num_schemata, temperature=temperature)


# As published, where the defaults of nar differ.


def DiagonalEdgeTransformer(hidden_size: int, *, num_layers: int = 3, **options: Any) -> Processor:
    """An `EdgeTransformer` that carries node states only, of Müller et al. 2024 (arXiv 2401.10119).

    The paper has 192 hidden features and 12 heads (`configs/edge_transformer.py`).
    """
    own = {"num_layers": num_layers, "carry_pairs": False, "readout": "diagonal"}
    return EdgeTransformer(hidden_size, **{**own, **options})


def RNAR(hidden_size: int, **options: Any) -> Processor:
    """An `MPNN` whose aggregation is an LSTM over the senders in the order of the nodes (arXiv 2409.07154).

    It has neither gate nor triplet messages.
    """
    return MPNN(hidden_size, **{"aggregation": "recurrent", **options})
