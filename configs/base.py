"""The recipe of Ibarz et al. 2022 (arXiv 2209.11142) for one algorithm; every other config starts from it.

Command: python -m experiments.train --config=configs/base.py --workdir=runs/base
Cost: 10,000 steps; for bfs about ten minutes on two CPU cores, by the time that 1,000 take.
Expected score: not measured here yet; the paper has a table of single-task scores.
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
    """The config; a comment says what each key means."""
    config = ConfigDict()
    # Names of nar.ALGORITHMS, or module:ATTRIBUTE for your own; several are trained in turn, with one shared
    # processor.
    config.algorithms = ("bfs",)
    # What holds for one task only, by its name: sizes, batch_size, problem (options of it), loss_weight (of
    # all of its losses) and sampling_weight (how often it has its turn). On the command line:
    # --config.tasks="{'bfs': {'sizes': (8, 16), 'sampling_weight': 2.0}}"
    config.tasks = ConfigDict()
    config.model = _model()
    config.data = _data()
    config.training = _training()
    config.evaluation = _evaluation()
    return config


def _model() -> ConfigDict:
    """What the network is made of."""
    config = ConfigDict()
    # One of nar.PROCESSORS, or module:ATTRIBUTE for your own, and arguments for it; nar/processors/README.md
    # has them all.
    config.processor = "triplet_gmpnn"
    config.processor_options = ConfigDict()
    config.hidden_size = 128
    # Whether the processor normalises its new states. False is an option that the processor must have.
    config.layer_norm = True
    # How often the processor passes messages in each step.
    config.message_passing_steps = 1
    # Probability, in training, that an entry of the states behind the processor becomes zero.
    config.dropout = 0.0
    # Whether an LSTM at each node follows.
    config.lstm = False
    # How weights of encoders are drawn: xavier_on_scalars (smaller ones for scalar hints) or default.
    config.encoder_init = "xavier_on_scalars"
    # What is done with hints: encoded_decoded (predicted, and fed back), decoded_only (predicted), none, or
    # encoded_without_loss (predicted and fed back, but what they say is up to the network).
    config.hint_mode = "encoded_decoded"
    # How predicted hints are fed back: soft, hard or hard_on_eval.
    config.hint_feedback = "soft"
    # Probability, in training, that a sample is fed the true hints of a step; and how it changes over
    # training: not at all (constant), or on a linear, cosine or exponential curve to `end` in `steps` steps.
    config.teacher_forcing = 0.0
    config.teacher_forcing_schedule = ConfigDict({"shape": "constant", "end": 0.0, "steps": 1000})
    # How many steps there are: as many as the algorithm takes (trace), budget, or learned, up to a budget.
    config.termination = "trace"
    # steps + steps_per_node times the number of nodes.
    config.budget = ConfigDict({"steps": 0, "steps_per_node": 1.0})
    # Of learned termination: probability of the geometric prior, factor of the divergence from it, and the
    # probability to have stopped at which it stops in evaluation.
    config.halting = ConfigDict({"prior": 0.1, "weight": 0.01, "threshold": 0.5})
    # In what the processor and the linear maps of decoders compute: float32 or bfloat16. Parameters, logits,
    # losses and the state of the optimizer are float32 in any case.
    config.precision = "float32"
    # Whether the gradient computes each step of the algorithm anew instead of keeping all that it computed:
    # much less memory for one more forward pass. On CPUs it is faster, too, since memory is what takes time.
    config.remat = True
    return config


def _data() -> ConfigDict:
    """What it is trained on."""
    config = ConfigDict()
    # Problem sizes of training, in turn.
    config.sizes = (4, 7, 11, 13, 16)
    # Options of the problems of training, each for those algorithms that have it. p is the edge probability,
    # drawn anew for each graph; family is clrs30, erdos_renyi or one of nar.problems.GRAPH_FAMILIES.
    config.problem = ConfigDict({"p": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), "family": "clrs30"})
    # What the recipe does otherwise for some algorithms: sizes, or options of the problem. If you change
    # data.sizes, or an option in data.problem, that holds for these algorithms too.
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
    """How it is trained."""
    config = ConfigDict()
    config.steps = 10_000
    config.batch_size = 32
    # In how many parts a batch is taken, one after another, short traces first: the gradient is that of the
    # whole batch, the memory that of a part. 0 for what suits: on one CPU as many as fit its caches, else 1.
    config.grad_accumulation_steps = 0
    # How many steps of the algorithm are in a batch, whose traces later batches go on with from the states in
    # which they left them: memory and time of a training step do not grow with traces. 0 for whole traces.
    config.chunk_length = 0
    # How many batches of one algorithm and size are made of the same traces, sorted by length: the more, the
    # fewer steps are computed for traces that have ended, but the more steps of training are needed. 1 for
    # traces as they come. It is of use where batches are not taken in parts, but for chunks.
    config.pooled_batches = 1
    # Whose turn it is among several algorithms: round_robin; weighted, by tasks.NAME.sampling_weight, which
    # is 1 unless given; or module:FUNCTION, called after each validation with the score of each task, by
    # name, and the step, which returns the weight of each from then on.
    config.task_sampling = "weighted"
    config.seed = 0
    # How many seeds are trained as one program: seed, seed + 1, ... Each has its own initialisation and data,
    # and the result has means and standard deviations.
    config.num_seeds = 1
    # Any optimizer of optax (adam, adamw, sgd, lion, ...), or module:ATTRIBUTE of a function alike, and
    # arguments for it.
    config.optimizer = "adam"
    config.optimizer_options = ConfigDict()
    # The peak of the learning rate; and how it changes over training: constant, linear, polynomial, cosine,
    # exponential, piecewise_constant, piecewise_interpolate, one_cycle_linear, one_cycle_cosine,
    # warmup_constant, warmup_cosine or warmup_exponential, with the arguments of optax's function (such as
    # {"warmup_steps": 500}; what decays does so until training.steps), or module:ATTRIBUTE for your own.
    config.learning_rate = 1e-3
    config.schedule = "constant"
    config.schedule_options = ConfigDict()
    # Pairs of a regular expression and a factor of the learning rate of the parameters whose name it finds.
    config.learning_rate_multipliers = ()
    # Times the learning rate, what is taken from each parameter in a step, in proportion to it; and regular
    # expressions of parameters that are spared. Optimizers with a decay of their own have it as an option.
    config.weight_decay = 0.0
    config.weight_decay_exclude = ()
    # Factors of losses by stage (hint, output, auxiliary), task (bfs), probe (bfs/pi_h) or auxiliary loss
    # (auxiliary/gate); where several are meant for one loss they multiply. On the command line:
    # --config.training.loss_weights="{'hint': 0.5, 'bfs/pi_h': 2.0}"
    config.loss_weights = ConfigDict()
    # Largest global norm of the gradients; 0 for none.
    config.grad_clip_norm = 1.0
    # Regular expressions; parameters whose name one of them finds are not trained.
    config.frozen_params = ()
    # The workdir of another run, from whose best checkpoint this one starts; and regular expressions of the
    # parameters that are loaded: all that both runs have and one of them finds. The rest is new, as are the
    # step and the state of the optimizer.
    config.init_from = ""
    config.init_params = ("^processor/",)
    # Pairs of a regular expression and what takes its place in names of the other run before they are looked
    # for: (("^bfs/", "dijkstra/"),) loads encoders and decoders of bfs there as those of dijkstra here.
    config.init_renames = ()
    # Decay of an exponential moving average of the parameters, which is then what is scored, e.g. 0.999; 0
    # for none.
    config.ema_decay = 0.0
    # Training ends early after so many validations without a better score; 0 for never.
    config.early_stopping_patience = 0
    # What is done when a loss, a gradient or a new parameter is not finite: stop; skip (the step changes
    # nothing, and counts as `skipped` in metrics.jsonl); or restore (back to the parameters of the last
    # checkpoint that was scored, and on with the data behind the step). And after how many skips in a row, or
    # returns without a checkpoint in between, it stops all the same. Both may change in the course of a run.
    config.on_nonfinite = "stop"
    config.nonfinite_limit = 10
    # Who is shown the lines of metrics.jsonl as well: tensorboard; wandb, mlflow (extras of these names); or
    # module:ATTRIBUTE for your own; and options by their names, such as {"wandb": {"mode": "offline"}}. Both
    # may change in the course of a run.
    config.trackers = ("tensorboard",)
    config.tracker_options = ConfigDict()
    # Steps between two lines of metrics.jsonl.
    config.log_every = 50
    # Steps between two checkpoints, each with a whole validation.
    config.eval_every = 500
    return config


def _evaluation() -> ConfigDict:
    """How it is scored."""
    config = ConfigDict()
    # Traces that are predicted at once.
    config.batch_size = 32
    return config
