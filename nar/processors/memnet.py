"""End-to-end memory network (Sukhbaatar et al. 2015, arXiv 1503.08895), as in dm-clrs 2.0.3.

CLRS-30 (arXiv 2205.15659) calls it MemNet. The implementation of dm-clrs, which this one reproduces, has some
peculiarities:

- Features are treated as word indices: truncated to integers, they index the rows of embedding tables of H
  words. Nearly all features lie between -1 and 1 and become word 0, and no gradient reaches them.
- All embedding tables are initialized to 0, so new states and all gradients are 0 as well: the processor does
  not train. In a model with it only the encoders and decoders learn.
- Hidden states are not read. Information about the previous step comes only from the hints.
- Each node has a slot in the memory, with a learned temporal encoding per slot: once these are not 0, the
  processor is not permutation-equivariant. There are `memory_size` slots, one of which is for the graph.

With `embed=False` only the third point holds, and `Gated(MemNet(...), ...)` removes that one too.
"""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.processors.base import Array, Context, Features, ProcessorOutput, dense
from nar.processors.input_checks import check_inputs
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm
from nar.processors.option_checks import check_counts, check_flags


class MemoryInputs(NamedTuple):
    """Queries and memory contents of one step, with S memory slots and E features.

    Attributes:
      queries: queries u of the nodes and the graph, [B, N + 1, E].
      keys: input memory m, with which queries are compared, [B, N + 1, S, E].
      values: output memory c, from which answers are read, [B, N + 1, S, E].
      mask: slots in use, [B, S] bool.
    """

    queries: Array
    keys: Array
    values: Array
    mask: Array


class MemNet(hk.Module):
    """Attention of each node, and of the graph, over a memory of edge features.

    Each node queries its edges; the graph's answer is added to that of every node. With x_q the features of a
    node or of the graph, and s_qk those of edge (q, k), 0 where there is no edge:

        u_q  = sum_f p_f A[x_qf]
        m_qk = sum_f p_f B[s_qkf] + b_k
        c_qk = sum_f p_f C[s_qkf]
        o_q  = sum_k softmax_k(u_q · m_qk) c_qk
        a_q  = W relu(H (u_q + o_q))
        h_i  = a_i + a_graph

    The p_f are position encodings of the feature index. Without embedding, u_q is x_q, and m_qk and c_qk are
    s_qk. Each further hop computes o_q again with u_q = L (u_q + o_q). With embeddings of size E and S slots,
    a step costs 2·N²·F·E table lookups and 2·N·S·E + N·H² multiply-adds; without embedding,
    2·N²·F + 2·N·H² multiply-adds.
    """

    accepts_factored = True

    def __init__(
        self,
        hidden_size: int,
        *,
        embed: bool = True,
        embedding_size: int = 16,
        memory_size: int = 128,
        num_hops: int = 1,
        layer_norm: bool = False,
        name: str = "memnet",
    ) -> None:
        """Creates the processor.

        Args:
          hidden_size: H, size of hidden states and of the vocabulary.
          embed: whether features are embedded as word indices, as in dm-clrs, or used as numbers.
          embedding_size: E, size of word embeddings.
          memory_size: S, at least the number of nodes plus one; ignored without embedding.
          num_hops: number of queries to the memory per step.
          layer_norm: whether to layer-normalize the new states.
          name: name of the Haiku module.

        Raises:
          ValueError: if a size is less than 1.
        """
        check_counts(
            hidden_size=hidden_size,
            embedding_size=embedding_size,
            memory_size=memory_size,
            num_hops=num_hops,
        )
        check_flags(embed=embed, layer_norm=layer_norm)
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._embed = embed
        self._embedding_size = embedding_size
        self._memory_size = memory_size
        self._num_hops = num_hops
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """Empty: the memory is rebuilt at every step."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`. Padding nodes must come last.

        Raises:
          ValueError: if nodes, edges and graph have different numbers of features, or there are too many
            nodes.
        """
        check_inputs(features, hidden, context)
        _check_sizes(features)
        edges = jnp.where(features.adjacency[..., None], dense(features.edges), 0)
        queries = jnp.concatenate([features.nodes, features.graph[:, None]], axis=1)
        stories = jnp.pad(edges, ((0, 0), (0, 1), (0, 0), (0, 0)))
        mask = jnp.ones(hidden.shape[:2], bool) if features.mask is None else features.mask
        make_inputs = self._embedded_inputs if self._embed else _numeric_inputs
        inputs = make_inputs(queries, stories, mask)
        answers = Linear(self._hidden_size, bias=None, name="out")(jax.nn.relu(self._answer(inputs)))
        if self._layer_norm:
            answers = LayerNorm(name="norm")(answers)
        nodes = answers[:, :-1] + answers[:, -1:]
        return ProcessorOutput(nodes=nodes, messages=nodes, memory=memory)

    @hk.transparent
    def _answer(self, inputs: MemoryInputs) -> Array:
        """Answers to all queries after all hops, [B, N + 1, H]."""
        between_hops = Linear(inputs.queries.shape[-1], bias=None, name="between")
        queries = inputs.queries
        for _ in range(self._num_hops - 1):
            queries = between_hops(queries + read_memory(inputs, queries))
        return Linear(self._hidden_size, bias=None, name="answer")(queries + read_memory(inputs, queries))

    @hk.transparent
    def _embedded_inputs(self, queries: Array, stories: Array, mask: Array) -> MemoryInputs:
        """Memory of word embeddings. The graph has no edges; its slot follows those of the real nodes."""
        num_nodes, size = mask.shape[1], self._embedding_size
        if num_nodes >= self._memory_size:
            limit = self._memory_size - 1
            raise ValueError(f"memory_size {self._memory_size} is for at most {limit} nodes, got {num_nodes}")
        query_table, key_table, value_table = (
            self._embedding_table(name) for name in ("queries", "stories", "outputs")
        )
        slot_encoding = hk.get_parameter("places", [self._memory_size, size], init=jnp.zeros)
        slot_encoding = slot_encoding.astype(queries.dtype)
        encoding = position_encoding(queries.shape[-1], size)
        both_tables = jnp.concatenate([key_table, value_table], axis=-1)
        both_encodings = np.concatenate([encoding, encoding], axis=-1)
        edges = embed_words(stories, both_tables, both_encodings)
        edges = jnp.where(mask[:, None, :, None], edges, 0)
        no_edge = embed_words(jnp.zeros_like(queries[:1, :1]), both_tables, both_encodings)
        contents = jnp.pad(edges, ((0, 0), (0, 0), (0, self._memory_size - num_nodes), (0, 0)))
        graph_slot = jax.nn.one_hot(mask.sum(axis=1), self._memory_size, dtype=contents.dtype)
        contents = contents + graph_slot[:, None, :, None] * no_edge[:, :, None]
        keys, values = jnp.split(contents, 2, axis=-1)
        return MemoryInputs(
            queries=embed_words(queries, query_table, encoding),
            keys=keys + jnp.broadcast_to(slot_encoding, keys.shape),
            values=values,
            mask=jnp.ones((mask.shape[0], self._memory_size), bool),
        )

    @hk.transparent
    def _embedding_table(self, name: str) -> Array:
        """Embedding table [H, E]; the last row stands for unknown words and is 0."""
        words = hk.get_parameter(name, [self._hidden_size - 1, self._embedding_size], init=jnp.zeros)
        return jnp.pad(words, ((0, 1), (0, 0)))


def read_memory(inputs: MemoryInputs, queries: Array) -> Array:
    """Attention readout [B, N + 1, E]: values weighted by the softmax of query-key products."""
    logits = jnp.einsum("bqe,bqse->bqs", queries, inputs.keys)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    weights = jax.nn.softmax(jnp.where(inputs.mask[:, None], logits, -jnp.inf), axis=-1)
    return jnp.einsum("bqs,bqse->bqe", weights.astype(queries.dtype), inputs.values)


def _numeric_inputs(queries: Array, stories: Array, mask: Array) -> MemoryInputs:
    """Memory of the edge features themselves; the graph has an empty slot after those of the nodes."""
    contents = jnp.pad(stories, ((0, 0), (0, 0), (0, 1), (0, 0)))
    slot_mask = jnp.pad(mask, ((0, 0), (0, 1)), constant_values=True)
    contents = jnp.where(slot_mask[:, None, :, None], contents, 0)
    return MemoryInputs(queries, contents, contents, slot_mask)


def embed_words(x: Array, table: Array, encoding: np.ndarray) -> Array:
    """Position-weighted sum of word embeddings, sum_f encoding[f] table[x_f].

    Scans over the features, so that no array [..., F, E] is held.

    Args:
      x: word indices [..., F], truncated to integers; indices outside of -H to H - 1 select the last row, and
        negative ones count from the end.
      table: embedding table [H, E].
      encoding: position encoding [F, E].

    Returns:
      [..., E], in the dtype of x.
    """
    num_words, size = table.shape
    words = x.astype(jnp.int32)
    known = (words >= -num_words) & (words < num_words)
    words = jnp.where(known, words, -1) % num_words

    def add(total: Array, feature: tuple[Array, Array]) -> tuple[Array, None]:
        word, weight = feature
        return total + table[word] * jnp.broadcast_to(weight, total.shape), None

    zeros = jnp.zeros((*x.shape[:-1], size), table.dtype)
    total, _ = jax.lax.scan(add, zeros, (jnp.moveaxis(words, -1, 0), jnp.asarray(encoding)))
    return total.astype(x.dtype)


def position_encoding(num_features: int, size: int) -> np.ndarray:
    """Position encoding [F, E]: 1 + 4 (e - E/2) (f - F/2) / (E F), for e, f = 1, 2, ... (section 4.1)."""
    feature = np.arange(1, num_features + 1) - num_features / 2
    unit = np.arange(1, size + 1) - size / 2
    return (1 + 4 * np.outer(feature, unit) / size / num_features).astype(np.float32)


def _check_sizes(features: Features) -> None:
    sizes = [x.shape[-1] for x in (features.nodes, features.edges, features.graph)]
    if len(set(sizes)) > 1:
        raise ValueError(f"nodes, edges and graph must have the same number of features, got {sizes}")
