"""End-to-end memory network (Sukhbaatar et al. 2015, arXiv 1503.08895), as dm-clrs 2.0.3 has it.

Its name in CLRS-30 (arXiv 2205.15659) is MemNet. There are things to know about what dm-clrs made of it, and
what is therefore computed here, too:

- It takes features for words: cut to whole numbers, they are row numbers of tables of H words. Nearly all
  features lie between -1 and 1, and are word 0; none gets a gradient.
- All tables are initially 0, and so are new states and all gradients: it does not train. What a network with
  it learns, its encoders and decoders learn.
- Hidden states are not read. Whatever there is to know of the previous step comes from the hints.
- It has a place in memory for each node, with an offset that would be learned: a permutation of the nodes
  does not merely permute the result, once those offsets are not 0. There are `memory_size` places, of which
  the graph takes one.

With `embed=False` only the third is so, and `Gated(MemNet(...), ...)` remembers, too.
"""

from typing import Any, NamedTuple

import haiku as hk
import jax
import jax.numpy as jnp
import numpy as np

from nar.processors.base import Array, Context, Features, ProcessorOutput, check_shapes, dense
from nar.processors.layers.linear import Linear
from nar.processors.layers.norm import LayerNorm


class Reading(NamedTuple):
    """What is asked and what may be answered, with S places in memory and E features.

    Attributes:
      queries: [B, N + 1, E], of the nodes and the graph.
      memory: [B, N + 1, S, E], what queries are compared with.
      output: [B, N + 1, S, E], what is answered.
      exists: [B, S] bool, the places that there are.
    """

    queries: Array
    memory: Array
    output: Array
    exists: Array


class MemNet(hk.Module):
    """Each node asks its edges; the graph asks, too, and all nodes hear what it is answered.

    With x_q the features of a node or of the graph, and s_qk those of edge (q, k), 0 where there is none:

        u_q  = sum_f p_f A[x_qf]
        m_qk = sum_f p_f B[s_qkf] + b_k
        c_qk = sum_f p_f C[s_qkf]
        o_q  = sum_k softmax_k(u_q · m_qk) c_qk
        a_q  = W relu(H (u_q + o_q))
        h_i  = a_i + a_graph

    The p_f say which feature it is. Without embedding u_q is x_q, and m_qk and c_qk are s_qk. Each further
    hop asks o_q again, with u_q = L (u_q + o_q). Costs 2·N²·F·E look-ups of numbers and 2·N·S·E + N·H²
    multiply-adds a step, with embeddings of E numbers and S places; without embedding no look-ups, and
    2·N²·F + 2·N·H² multiply-adds.
    """

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
        """Makes the processor.

        Args:
          hidden_size: H, of states and words.
          embed: whether features are words, as in dm-clrs, or numbers.
          embedding_size: E, of words.
          memory_size: S, largest number of nodes and one; of no meaning without embedding.
          num_hops: how often the memory is asked.
          layer_norm: whether new states are normalised.
          name: of the module.

        Raises:
          ValueError: if a size is less than 1.
        """
        sizes = {"embedding_size": embedding_size, "memory_size": memory_size, "num_hops": num_hops}
        for key, value in sizes.items():
            if value < 1:
                raise ValueError(f"{key} must be at least 1, got {value}")
        super().__init__(name=name)
        self._hidden_size = hidden_size
        self._embed = embed
        self._embedding_size = embedding_size
        self._memory_size = memory_size
        self._num_hops = num_hops
        self._layer_norm = layer_norm

    def initial_memory(self, batch_size: int, num_nodes: int) -> Any:
        """There is none that lasts."""
        del batch_size, num_nodes
        return ()

    def __call__(
        self, features: Features, hidden: Array, memory: Any = (), context: Context = Context()
    ) -> ProcessorOutput:
        """One step; see `nar.processors.base.Processor`. Real nodes must come before padding.

        Raises:
          ValueError: if nodes, edges and graph have not the same number of features, or if there are too
            many nodes.
        """
        del context
        check_shapes(features, hidden)
        _check_sizes(features)
        edges = jnp.where(features.adjacency[..., None], dense(features.edges), 0)
        queries = jnp.concatenate([features.nodes, features.graph[:, None]], axis=1)
        stories = jnp.pad(edges, ((0, 0), (0, 1), (0, 0), (0, 0)))
        mask = jnp.ones(hidden.shape[:2], bool) if features.mask is None else features.mask
        reading = self._words(queries, stories, mask) if self._embed else _numbers(queries, stories, mask)
        answers = Linear(self._hidden_size, bias=None, name="out")(jax.nn.relu(self._ask(reading)))
        if self._layer_norm:
            answers = LayerNorm(name="norm")(answers)
        nodes = answers[:, :-1] + answers[:, -1:]
        return ProcessorOutput(nodes=nodes, messages=nodes, memory=memory)

    @hk.transparent
    def _ask(self, reading: Reading) -> Array:
        """[B, N + 1, H]: the answers."""
        between = Linear(reading.queries.shape[-1], bias=None, name="between")
        asked = reading.queries
        for _ in range(self._num_hops - 1):
            asked = between(asked + hear(reading, asked))
        return Linear(self._hidden_size, bias=None, name="answer")(asked + hear(reading, asked))

    @hk.transparent
    def _words(self, queries: Array, stories: Array, mask: Array) -> Reading:
        """Features are words. A graph's place, which has no edges, comes after those of its real nodes."""
        num_nodes, size = mask.shape[1], self._embedding_size
        if num_nodes >= self._memory_size:
            most = self._memory_size - 1
            raise ValueError(f"memory_size {self._memory_size} is for at most {most} nodes, got {num_nodes}")
        asked, told, answered = (self._table(name) for name in ("queries", "stories", "outputs"))
        offsets = hk.get_parameter("places", [self._memory_size, size], init=jnp.zeros).astype(queries.dtype)
        encoding = position_encoding(queries.shape[-1], size)
        both = jnp.concatenate([told, answered], axis=-1), np.concatenate([encoding, encoding], axis=-1)
        read = jnp.where(mask[:, None, :, None], read_words(stories, *both), 0)
        nothing_said = read_words(jnp.zeros_like(queries[:1, :1]), *both)
        places = jnp.pad(read, ((0, 0), (0, 0), (0, self._memory_size - num_nodes), (0, 0)))
        of_graph = jax.nn.one_hot(mask.sum(axis=1), self._memory_size, dtype=places.dtype)
        places = places + of_graph[:, None, :, None] * nothing_said[:, :, None]
        memory, output = jnp.split(places, 2, axis=-1)
        return Reading(
            queries=read_words(queries, asked, encoding),
            memory=memory + jnp.broadcast_to(offsets, memory.shape),
            output=output,
            exists=jnp.ones((mask.shape[0], self._memory_size), bool),
        )

    @hk.transparent
    def _table(self, name: str) -> Array:
        """[H, E], of which the last row is no word and 0."""
        words = hk.get_parameter(name, [self._hidden_size - 1, self._embedding_size], init=jnp.zeros)
        return jnp.pad(words, ((0, 1), (0, 0)))


def hear(reading: Reading, asked: Array) -> Array:
    """[B, N + 1, E]: the outputs at all places, weighted by how well the memory fits what is asked."""
    logits = jnp.einsum("bqe,bqse->bqs", asked, reading.memory)
    logits = logits.astype(jnp.promote_types(logits.dtype, jnp.float32))
    weights = jax.nn.softmax(jnp.where(reading.exists[:, None], logits, -jnp.inf), axis=-1)
    return jnp.einsum("bqs,bqse->bqe", weights.astype(asked.dtype), reading.output)


def _numbers(queries: Array, stories: Array, mask: Array) -> Reading:
    """Features are numbers; the graph has an empty place besides those of the nodes."""
    places = jnp.pad(stories, ((0, 0), (0, 0), (0, 1), (0, 0)))
    exists = jnp.pad(mask, ((0, 0), (0, 1)), constant_values=True)
    places = jnp.where(exists[:, None, :, None], places, 0)
    return Reading(queries, places, places, exists)


def read_words(x: Array, table: Array, encoding: np.ndarray) -> Array:
    """sum_f encoding[f] table[x_f], feature by feature, so that no array [..., F, E] is held.

    Args:
      x: [..., F], cut to whole numbers; what is not from -H to H - 1 is the last row, as is -1.
      table: [H, E].
      encoding: [F, E].

    Returns:
      [..., E], of the type of x.
    """
    num_words, size = table.shape
    words = x.astype(jnp.int32)
    known = (words >= -num_words) & (words < num_words)
    words = jnp.where(known, words, -1) % num_words

    def add(read: Array, feature: tuple[Array, Array]) -> tuple[Array, None]:
        word, weight = feature
        return read + table[word] * jnp.broadcast_to(weight, read.shape), None

    start = jnp.zeros((*x.shape[:-1], size), table.dtype)
    read, _ = jax.lax.scan(add, start, (jnp.moveaxis(words, -1, 0), jnp.asarray(encoding)))
    return read.astype(x.dtype)


def position_encoding(num_features: int, size: int) -> np.ndarray:
    """[F, E]: 1 + 4 (e - E/2) (f - F/2) / (E F), from e = f = 1 on (arXiv 1503.08895, section 4.1)."""
    feature = np.arange(1, num_features + 1) - num_features / 2
    unit = np.arange(1, size + 1) - size / 2
    return (1 + 4 * np.outer(feature, unit) / size / num_features).astype(np.float32)


def _check_sizes(features: Features) -> None:
    sizes = [x.shape[-1] for x in (features.nodes, features.edges, features.graph)]
    if len(set(sizes)) > 1:
        raise ValueError(f"nodes, edges and graph must have as many features, got {sizes}")
