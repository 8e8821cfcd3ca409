"""The single-task recipe of Ibarz et al. 2022 (arXiv 2209.11142); every other config starts from it.

Command: python -m experiments.train --config=configs/base.py --workdir=runs/base
Cost: 10,000 steps; for bfs about ten minutes on two CPU cores, extrapolated from 1,000 steps.
Expected score: not measured here yet; the paper has a table of single-task scores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The default config; each key is explained by a comment."""
    config = ConfigDict()
    # Names of nar.ALGORITHMS, or module:ATTRIBUTE for custom ones; several are trained alternately,
    # with one shared processor.
    config.algorithms = ("bfs",)
    # Overrides per task, by name: sizes, batch_size, problem (problem options), loss_weight (factor of all of
    # its losses) and sampling_weight (relative frequency in training). On the command line:
    # --config.tasks="{'bfs': {'sizes': (8, 16), 'sampling_weight': 2.0}}"
    config.tasks = ConfigDict()
    config.model = _model()
    config.data = _data()
    config.training = _training()
    config.evaluation = _evaluation()
    return config


def _model() -> ConfigDict:
    """The network."""
    config = ConfigDict()
    # One of nar.PROCESSORS, or module:ATTRIBUTE for a custom one, and its arguments; see
    # nar/processors/README.md.
    config.processor = "triplet_gmpnn"
    config.processor_options = ConfigDict()
    config.hidden_size = 128
    # Layer norm on the processor's new states. False requires a processor with this option.
    config.layer_norm = True
    # Message-passing steps of the processor per step of the algorithm.
    config.message_passing_steps = 1
    # Dropout rate of the processor's output states, in training.
    config.dropout = 0.0
    # Whether the processor is followed by an LSTM cell at each node.
    config.lstm = False
    # Initializer of encoder weights: xavier_on_scalars (smaller weights for scalar hints) or default.
    config.encoder_init = "xavier_on_scalars"
    # Use of hints: encoded_decoded (predicted and fed back), decoded_only (predicted, not fed back), none, or
    # encoded_without_loss (predicted and fed back without supervision).
    config.hint_mode = "encoded_decoded"
    # Feedback of predicted hints: soft, hard or hard_on_eval.
    config.hint_feedback = "soft"
    # Teacher forcing: the probability, in training, that a sample is fed the true hints at a step; and its
    # schedule over training: constant, or linear, cosine or exponential to `end` in `steps` steps.
    config.teacher_forcing = 0.0
    config.teacher_forcing_schedule = ConfigDict({"shape": "constant", "end": 0.0, "steps": 1000})
    # Number of processor steps: that of the algorithm (trace), a budget, or learned halting within a budget.
    config.termination = "trace"
    # The budget is steps + steps_per_node * number of nodes.
    config.budget = ConfigDict({"steps": 0, "steps_per_node": 1.0})
    # Learned halting (PonderNet): parameter of the geometric prior, weight of the KL divergence from
    # it, and the cumulative halting probability at which evaluation stops.
    config.halting = ConfigDict({"prior": 0.1, "weight": 0.01, "threshold": 0.5})
    # Compute dtype of the processor and the decoders' linear maps: float32 or bfloat16. Parameters, logits,
    # losses and optimizer state are always float32.
    config.precision = "float32"
    # Rematerialization: the backward pass recomputes each step of the rollout instead of storing its
    # activations. Needs much less memory for one more forward pass; on CPUs it is also faster.
    config.remat = True
    return config


def _data() -> ConfigDict:
    """The training data."""
    config = ConfigDict()
    # Training sizes, used alternately.
    config.sizes = (4, 7, 11, 13, 16)
    # Problem options of training; each applies to the algorithms that have it. p is the edge probability,
    # sampled for each graph; family is clrs30, erdos_renyi or one of nar.problems.GRAPH_FAMILIES.
    config.problem = ConfigDict({"p": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "family": "clrs30"})
    # Per-algorithm exceptions of the recipe: sizes or problem options. If you change data.sizes, or an option
    # in data.problem, your value replaces the exception.
    fewer_edges = {"problem": {"p": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45)}}
    any_needle = {"sizes": (20,), "problem": {"length_needle": -8}}
    config.exceptions = ConfigDict(
        {
            "articulation_points": fewer_edges,
            "bridges": fewer_edges,
            "mst_kruskal": fewer_edges,
            "bipartite_matching": fewer_edges,
            "naive_string_matcher": any_needle,
            "kmp_matcher": any_needle,
        }
    )
    # The transforms of nar.data.Transforms.
    config.random_positions = True
    config.fixed_hints_as_inputs = True
    config.cyclic_permutations = True
    return config


def _training() -> ConfigDict:
    """Training: steps, optimizer, initialization, logging."""
    config = ConfigDict()
    config.steps = 10_000
    config.batch_size = 32
    # Gradient-accumulation steps: micro-batches per batch, each of traces of similar length.
    # The gradient is exact; memory is that of one micro-batch. 0 chooses automatically: on a single CPU as
    # many as let a micro-batch fit the caches, elsewhere 1.
    config.grad_accumulation_steps = 0
    # Chunked training: a batch has this many steps of the algorithm, and later batches continue its traces
    # from their last states, so that memory and time per training step do not grow with the traces. 0 trains
    # on whole traces.
    config.chunk_length = 0
    # Task schedule of several algorithms: round_robin; weighted by tasks.NAME.sampling_weight (default 1);
    # or module:FUNCTION, called after each validation with the score of each task, by name, and the step,
    # which returns the new sampling weights by name.
    config.task_sampling = "weighted"
    config.seed = 0
    # Seeds trained in one program: seed, seed + 1, ... Each has its own initialization and data, and
    # the result has means and standard deviations over seeds.
    config.num_seeds = 1
    # Any optimizer of optax (adam, adamw, sgd, lion, ...), or module:ATTRIBUTE for a custom one, and its
    # arguments.
    config.optimizer = "adam"
    config.optimizer_options = ConfigDict()
    # Peak learning rate and its schedule: constant, linear, polynomial, cosine, exponential,
    # piecewise_constant, piecewise_interpolate, one_cycle_linear, one_cycle_cosine, warmup_constant,
    # warmup_cosine or warmup_exponential, with the arguments of optax's function (such as
    # {"warmup_steps": 500}; decay ends at training.steps), or module:ATTRIBUTE for a custom one.
    config.learning_rate = 1e-3
    config.schedule = "constant"
    config.schedule_options = ConfigDict()
    # Pairs (regular expression, factor): multiplies the learning rate of parameters whose names match.
    config.learning_rate_multipliers = ()
    # Decoupled weight decay, scaled by the learning rate; and regular expressions of parameters to exclude.
    # Optimizers with built-in weight decay take it as an option instead.
    config.weight_decay = 0.0
    config.weight_decay_exclude = ()
    # Loss weights by stage (hint, output, auxiliary), task (bfs), probe (bfs/pi_h) or auxiliary loss
    # (auxiliary/gate); weights that match the same loss multiply. On the command line:
    # --config.training.loss_weights="{'hint': 0.5, 'bfs/pi_h': 2.0}"
    config.loss_weights = ConfigDict()
    # Gradient clipping: the maximum global norm; 0 disables it.
    config.grad_clip_norm = 1.0
    # Regular expressions; parameters whose names match one are not trained.
    config.frozen_params = ()
    # Warm start: the workdir of a run whose best checkpoint is loaded, and regular expressions of the
    # parameters to load, among those that both runs have. Everything else is newly initialized, including the
    # step and the optimizer state.
    config.init_from = ""
    config.init_params = ("^processor/",)
    # Pairs (regular expression, replacement), applied to the other run's parameter names before matching:
    # (("^bfs/", "dijkstra/"),) loads the encoders and decoders of bfs as those of dijkstra.
    config.init_renames = ()
    # Decay of an exponential moving average of the parameters, such as 0.999; evaluation uses the average.
    # 0 disables it.
    config.ema_decay = 0.0
    # Early stopping: ends training after this many validations without a better score. 0 disables it.
    config.early_stopping_patience = 0
    # Policy on a non-finite loss, gradient or new parameter: stop; skip (the step changes nothing, and counts
    # as `skipped` in metrics.jsonl); or restore (return to the parameters of the last scored checkpoint, and
    # continue with the next batch). Training stops after `nonfinite_limit` consecutive skips, or that many
    # restores without a new checkpoint. Both keys may change when a run is resumed.
    config.on_nonfinite = "stop"
    config.nonfinite_limit = 10
    # Trackers that receive the metrics too: tensorboard; wandb, mlflow (extras of these names); or
    # module:ATTRIBUTE for a custom one; and their options by name, such as {"wandb": {"mode": "offline"}}.
    # Both keys may change when a run is resumed.
    config.trackers = ("tensorboard",)
    config.tracker_options = ConfigDict()
    # Steps between lines of metrics.jsonl.
    config.log_every = 50
    # Steps between validations; each is followed by a checkpoint.
    config.eval_every = 500
    return config


def _evaluation() -> ConfigDict:
    """Evaluation."""
    config = ConfigDict()
    # Batch size of evaluation.
    config.batch_size = 32
    return config
