"""The config of a run that trains a graph network: every key with its default, description and check.

The defaults are the single-task recipe of Ibarz et al. 2022 (arXiv 2209.11142).
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from nar.runs.optimization_config import MAX_BATCH_SIZE, OptimizationConfig
from nar.runs.schema import Section, key, section

_FEWER_EDGES: Mapping[str, Any] = {"problem": {"p": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)}}
_ANY_NEEDLE: Mapping[str, Any] = {"sizes": (20,), "problem": {"length_needle": -8}}


@dataclasses.dataclass(frozen=True)
class TeacherForcingConfig(Section):
    """The schedule of teacher forcing over training."""

    shape: str = key("constant", "constant; or linear, cosine or exponential to `end` in `steps` steps.")
    end: float = key(0.0, "Probability at the end of the schedule.")
    steps: int = key(1000, "Steps of the schedule.")


@dataclasses.dataclass(frozen=True)
class BudgetConfig(Section):
    """The budget of processor steps: `steps` + `steps_per_node` * number of nodes."""

    steps: int = key(0, "Constant part of the budget.", at_most=100_000)
    steps_per_node: float = key(1.0, "Processor steps per node.")


@dataclasses.dataclass(frozen=True)
class HaltingConfig(Section):
    """Learned halting (PonderNet)."""

    prior: float = key(0.1, "Parameter of the geometric prior.")
    weight: float = key(0.01, "Weight of the KL divergence from the prior.")
    threshold: float = key(0.5, "Cumulative halting probability at which evaluation stops.")


@dataclasses.dataclass(frozen=True)
class WeightUncertaintyConfig(Section):
    """Weight uncertainty (Bayes by backprop)."""

    deviation: float = key(0.0, "Initial standard deviation of all parameters; 0 disables it.")
    prior: float = key(0.1, "Standard deviation of the prior.")
    weight: float = key(1e-5, "Weight of the KL divergence from the prior.")


@dataclasses.dataclass(frozen=True)
class ModelConfig(Section):
    """The network."""

    processor: str = key(
        "triplet_gmpnn",
        "One of nar.PROCESSORS, or module:ATTRIBUTE for a custom one; see nar/processors/README.md.",
    )
    processor_options: Mapping[str, Any] = key({}, "Arguments of the processor.")
    hidden_size: int = key(128, "Size of hidden states and features.", at_least=1, at_most=2**14)
    layer_norm: bool = key(
        True, "Layer norm on the processor's new states. False requires a processor with this option."
    )
    message_passing_steps: int = key(
        1, "Message-passing steps of the processor per step of the algorithm.", at_least=1, at_most=100
    )
    dropout: float = key(0.0, "Dropout rate of the processor's output states, in training.")
    lstm: bool = key(False, "Whether the processor is followed by an LSTM cell at each node.")
    encoder_init: str = key(
        "xavier_on_scalars",
        "Initializer of encoder weights: xavier_on_scalars (smaller weights for scalar hints), default, or "
        "module:FUNCTION.",
    )
    hint_mode: str = key(
        "encoded_decoded",
        "Use of hints: encoded_decoded (predicted and fed back), decoded_only (predicted, not fed back), "
        "none, or encoded_without_loss (predicted and fed back without supervision).",
    )
    hint_feedback: str = key(
        "soft", "Feedback of hints: soft, hard, hard_on_eval, changes or module:FUNCTION."
    )
    hint_noise: float = key(
        0.0,
        "Standard deviation of Gaussian noise that is added, in training, to the hints that are fed to each "
        "step, predicted or true.",
    )
    reconstruction_weight: float = key(
        0.0,
        "Weight of the loss of hints that are decoded from their own encoding, without the processor: 0.1, "
        "for example. 0 disables it.",
    )
    teacher_forcing: float = key(
        0.0,
        "Teacher forcing: the probability, in training, that a sample is fed the true hints at a step; with "
        "a schedule, at its start.",
    )
    teacher_forcing_schedule: TeacherForcingConfig = section(
        TeacherForcingConfig, "Schedule of teacher forcing over training."
    )
    termination: str = key(
        "trace",
        "Number of processor steps: that of the algorithm (trace), a budget, or learned halting within a "
        "budget (learned).",
    )
    budget: BudgetConfig = section(BudgetConfig, "The budget of processor steps.")
    halting: HaltingConfig = section(HaltingConfig, "Learned halting.")
    weight_uncertainty: WeightUncertaintyConfig = section(
        WeightUncertaintyConfig, "A normal distribution over each parameter, drawn once per training step."
    )
    precision: str = key(
        "float32",
        "Compute dtype of the processor and the decoders' linear maps: float32 or bfloat16. Parameters, "
        "logits, losses and optimizer state are always float32.",
    )
    pairs: str = key(
        "all",
        "Pairs of nodes at which pointers may point: all, or edges (the edges of the graph, in both "
        "directions, and the node itself), as always in sparse execution.",
    )
    execution: str = key(
        "dense",
        "Execution: dense (arrays of all pairs of nodes) or sparse (neighbor lists, whose time and memory "
        "grow with the edges), for processors that run along the edges. Both have the same parameters, and "
        "with pairs=edges the same results, except for predicted masks of edges: sparse execution "
        "counts their values at the edges only.",
        mutable=True,
    )
    remat: bool = key(
        True,
        "Rematerialization: the backward pass recomputes each step of the rollout instead of storing its "
        "activations. Needs much less memory for one more forward pass; on CPUs it is also faster.",
    )
    pair_size: int = key(
        0,
        "Pair features: the size of a representation of each pair of nodes for each pointer hint, which "
        "objectives such as hint_relic compare. 0 for none.",
        at_least=0,
        at_most=2**10,
    )


@dataclasses.dataclass(frozen=True)
class DataConfig(Section):
    """The training data."""

    sizes: tuple[int, ...] = key((4, 7, 11, 13, 16), "Training sizes, used alternately.")
    num_traces: int = key(
        0,
        "Size of the training set: the number of different traces of each task and size, which are repeated "
        "in the same batches, a multiple of the batch size. 0 samples new ones at every step.",
        at_least=0,
    )
    problem: Mapping[str, Any] = key(
        {"p": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "family": "clrs30"},
        "Problem options of training; each applies to the algorithms that have it. p is the edge "
        "probability, sampled for each graph; family is clrs30, erdos_renyi or one of "
        "nar.problems.GRAPH_FAMILIES. Options that you do not give keep these values; None is the problem's "
        "own default: --config.data.problem=\"{'directed': True, 'p': None}\"",
        merged=True,
    )
    exceptions: Mapping[str, Mapping[str, Any] | None] = key(
        {
            "articulation_points": _FEWER_EDGES,
            "bridges": _FEWER_EDGES,
            "mst_kruskal": _FEWER_EDGES,
            "bipartite_matching": _FEWER_EDGES,
            "naive_string_matcher": _ANY_NEEDLE,
            "kmp_matcher": _ANY_NEEDLE,
        },
        "Per-algorithm exceptions of the recipe: sizes or problem options. If you change data.sizes, or an "
        "option in data.problem, your value replaces the exception. Exceptions that you do not give remain; "
        "None removes that of an algorithm, or one of its options.",
        merged=True,
    )
    mixture: Mapping[str, Mapping[str, Any]] = key(
        {},
        "Mixture of training problems: components by name, each with a weight (1), sizes and problem options "
        "(by default those above, in which its own are merged). Each batch is of one component. On the "
        "command line: --config.data.mixture=\"{'small': {'sizes': (4, 8), 'weight': 2}, "
        "'grids': {'problem': {'family': 'grid'}}}\"",
    )
    curriculum: tuple[Any, ...] = key(
        (),
        "Curriculum: pairs (step, weights). From each step of training on, the components of data.mixture "
        "have these weights, those that are not named 0. On the command line: "
        "--config.data.curriculum=\"((5000, {'small': 1, 'grids': 3}),)\"",
    )
    random_positions: bool = key(True, "Transform of nar.data.Transforms: random node positions.")
    fixed_hints_as_inputs: bool = key(
        True, "Transform of nar.data.Transforms: hints that never change become inputs."
    )
    cyclic_permutations: bool = key(
        True,
        "Transform of nar.data.Transforms: permutations become pointers and a mask of the first element.",
    )
    reversed_pointers: bool = key(
        False,
        "Transform of nar.data.Transforms: each hint that points from nodes gets a further one, "
        "NAME_reversed: its transpose, as a mask of edges.",
    )
    kinds: Mapping[str, str] = key(
        {},
        "Custom kinds, as module:ATTRIBUTE, in place of others of the same format, by name: probes get the "
        "encoder, decoder, loss and score of the custom kind. On the command line: "
        "--config.data.kinds=\"{'mask': 'my_module:MY_KIND'}\"",
    )


@dataclasses.dataclass(frozen=True)
class TrainingConfig(OptimizationConfig):
    """Training: steps, optimizer, initialization, logging."""

    objective: str = key(
        "supervised",
        "Objective: supervised (the losses of hints and outputs, and auxiliary losses), augmented (the same "
        "on augmented problems, too), hint_relic (supervised, and a contrast with augmented problems), "
        "contrastive (supervised, and equal states for problems on which the algorithm does the same), or "
        "module:ATTRIBUTE for a custom one (docs/extend.md).",
    )
    objective_options: Mapping[str, Any] = key(
        {},
        "Arguments of an objective that is a class: of augmented, new_nodes (4) and augmentations (further "
        "ones, module:ATTRIBUTE by algorithm); of hint_relic, these and temperature (0.1).",
    )
    grad_accumulation_steps: int = key(
        0,
        "Gradient-accumulation steps: micro-batches per batch, each of traces of similar length. The "
        "gradient is exact; memory is that of one micro-batch. 0 chooses automatically: on a single CPU as "
        "many as let a micro-batch fit the caches, elsewhere 1.",
        at_most=MAX_BATCH_SIZE,
    )
    chunk_length: int = key(
        0,
        "Chunked training: a batch has this many steps of the algorithm, and later batches continue its "
        "traces from their last states, so that memory and time per training step do not grow with the "
        "traces. 0 trains on whole traces.",
        at_most=100_000,
    )
    window_length: int = key(
        0,
        "Training on windows: an example is this many consecutive steps from a random step of a trace, "
        "started from the true hints and from zero hidden states, so that a training step costs the same for "
        "short and long traces. 0 trains on whole traces.",
    )
    window_end_fraction: float = key(
        0.5, "Fraction of windows drawn at the end of their trace; only these train the outputs."
    )
    task_sampling: str = key(
        "weighted",
        "Task schedule of several algorithms: round_robin; weighted by tasks.NAME.sampling_weight (default "
        "1); or module:FUNCTION, called after each validation with the score of each task, by name, and the "
        "step, which returns the new sampling weights by name.",
    )
    num_seeds: int = key(
        1,
        "Seeds trained in one program: seed, seed + 1, ... Each has its own initialization and data, and the "
        "result has means and standard deviations over seeds.",
        at_least=1,
        at_most=1024,
    )
    loss_weights: Mapping[str, float] = key(
        {},
        "Loss weights by stage (hint, output, auxiliary), task (bfs), probe (bfs/pi_h), auxiliary "
        "loss (auxiliary/gate) or loss of a custom objective (consistency); weights that match the same loss "
        "multiply. On the command line: "
        "--config.training.loss_weights=\"{'hint': 0.5, 'bfs/pi_h': 2.0}\"",
    )


@dataclasses.dataclass(frozen=True)
class ProblemSetConfig(Section):
    """The problems on which a network is validated or tested."""

    sizes: tuple[int, ...] = key((16,), "Problem sizes.")
    families: tuple[str, ...] = key(
        ("clrs30",),
        "Graph families of graph problems: clrs30 (the distribution of CLRS-30), erdos_renyi or names of "
        "nar.problems.GRAPH_FAMILIES. Other problems always have the distribution of CLRS-30.",
    )
    problem: Mapping[str, Any] = key(
        {},
        "Problem options, such as p, k and rewiring; each applies to the algorithms and families that have "
        "it. Others have the values of CLRS-30.",
    )
    count: int = key(
        0,
        "Instances of each algorithm, size, family and seed. 0 is as many as in CLRS-30: 32, times 64 or 32 "
        "for algorithms with few outputs.",
        at_least=0,
    )
    seeds: tuple[int, ...] = key((2,), "Seeds of the problems; scores are means over them.")


@dataclasses.dataclass(frozen=True)
class EvaluationConfig(Section):
    """Evaluation. The defaults are the protocol of CLRS-30."""

    batch_size: int = key(32, "Batch size of evaluation.", at_least=1, at_most=MAX_BATCH_SIZE)
    metrics: tuple[str, ...] = key(
        (),
        "Metrics beyond the scores: names of nar.evaluation.METRICS (exact, valid, hint_score), or "
        "module:FUNCTION for custom ones, which take an InferenceResult.",
    )
    selection: str = key(
        "score",
        "Selection of the best checkpoint: score, or a metric, by its name in evaluation.metrics or as it "
        "would be given there. The largest mean over algorithms on validation wins, or the smallest if the "
        "metric is declared lower_is_better.",
    )
    selection_sizes: tuple[int, ...] = key(
        (),
        "Sizes of further problems that select the best checkpoint in place of those of validation, such as "
        "(32,) to select beyond the sizes of training. They are drawn like those of validation, with a seed "
        "of their own. Results say so: selected at n = 32. Validation is scored as ever.",
    )
    validation: ProblemSetConfig = section(ProblemSetConfig, "Validation problems.")
    test: ProblemSetConfig = section(
        functools.partial(ProblemSetConfig, sizes=(64,), seeds=(3,)), "Test problems."
    )


@dataclasses.dataclass(frozen=True)
class RunConfig(Section):
    """The config of a run that trains a graph network."""

    algorithms: tuple[str, ...] = key(
        ("bfs",),
        "Names of nar.ALGORITHMS, or module:ATTRIBUTE for custom ones; several are trained alternately, with "
        "one shared processor.",
    )
    tasks: Mapping[str, Mapping[str, Any]] = key(
        {},
        "Overrides per task, by name: sizes, batch_size, problem (problem options), loss_weight (factor of "
        "all of its losses), sampling_weight (relative frequency in training), validation and test (keys of "
        "evaluation.validation and evaluation.test). On the command line: "
        "--config.tasks=\"{'bfs': {'sizes': (8, 16), 'sampling_weight': 2.0}}\"",
    )
    model: ModelConfig = section(ModelConfig, "The network.")
    data: DataConfig = section(DataConfig, "The training data.")
    training: TrainingConfig = section(TrainingConfig, "Training: steps, optimizer, initialization, logging.")
    evaluation: EvaluationConfig = section(EvaluationConfig, "Evaluation.")
