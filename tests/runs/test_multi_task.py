"""Multi-task runs: task options, task sampling, chunked training, averages over tasks, resuming."""

import json

import jax
import numpy as np
import pytest

import nar
from configs import generalist, generalist_small, tiny
from nar import ALGORITHMS
from nar.algorithms import FAMILIES
from nar.atomic_io import read_json
from nar.data import TaskSchedule
from nar.evaluation import class_mean_scores
from nar.reports import result_summary
from nar.runs.components import GraphComponents, build_graph_run
from nar.runs.components.tasks import loss_weights
from nar.runs.config import RunConfig
from nar.runs.workdir import Workdir
from nar.training import StepReport, UpdateTaskWeights
from nar.training.loop import Evaluation

TASKS = {
    "bfs": {"sizes": (5, 4), "batch_size": 2, "problem": {"p": 0.4}},
    "minimum": {"loss_weight": 0.5, "sampling_weight": 2.0},
}


def make_config(algorithms=("bfs", "minimum", "insertion_sort"), tasks=None, **training):
    config = tiny.get_config()
    config.model.hidden_size = 4
    config.algorithms = algorithms
    with config.unlocked():
        config.tasks.update(TASKS if tasks is None else tasks)
    config.training.update({"steps": 24, "eval_every": 8, "log_every": 4, "chunk_length": 3, **training})
    return config.to_dict()


def test_task_options_apply_to_their_task_only():
    config = make_config()
    components = build_graph_run(config)
    bfs, minimum, sort = components.tasks
    assert (bfs.sizes, minimum.sizes, sort.sizes) == ((5, 4), (4,), (4,))
    assert bfs.problem_options == {"p": 0.4, "family": "clrs30"}
    assert [components.stream.batch_size_of(task) for task in components.tasks] == [2, 4, 4]
    assert [components.stream.task(step).name for step in range(4)] == [
        "minimum",
        "bfs",
        "insertion_sort",
        "minimum",
    ]
    assert components.stream.num_examples(8) == 4 * 4 + 2 * 2 + 2 * 4
    assert components.stream.batch(1).lengths.shape == (2,)
    assert loss_weights(RunConfig.from_dict(config)) == {"minimum": 0.5}
    both = make_config(loss_weights={"minimum": 0.1, "hint": 2.0})
    assert build_graph_run(both).loss_weights == {"minimum": pytest.approx(0.05), "hint": 2.0}


@pytest.mark.parametrize(
    ("tasks", "training", "message"),
    [
        ({"dfs": {}}, {}, "tasks.dfs is not one of the algorithms of the run: bfs, minimum, insertion_sort"),
        ({"bfs": {"size": 4}}, {}, "unknown tasks.bfs.size; known: sizes, batch_size, problem, loss_weight"),
        ({"bfs": 4}, {}, "tasks.bfs must be a dictionary, got 4"),
        ({"bfs": {"batch_size": 0}}, {}, "tasks.bfs.batch_size must be an integer of at least 1, got 0"),
        ({"bfs": {"batch_size": True}}, {}, "must be an integer of at least 1, got True"),
        ({"bfs": {"sizes": 4}}, {}, "tasks.bfs.sizes must be a list of sizes, got 4"),
        ({"bfs": {"sizes": (0,)}}, {}, "bfs: size must be"),
        ({"bfs": {"problem": {"q": 1}}}, {}, "bfs: unknown problem option 'q'"),
        (
            {"bfs": {"loss_weight": -1.0}},
            {},
            "tasks.bfs.loss_weight must be a number of at least 0, got -1.0",
        ),
        ({"bfs": {"sampling_weight": "x"}}, {}, "tasks.bfs.sampling_weight must be a number of at least 0"),
        (
            {"bfs": {"batch_size": 3}},
            {"grad_accumulation_steps": 2},
            "grad_accumulation_steps must divide the batch_size 3, got 2",
        ),
        (
            {name: {"sampling_weight": 0.0} for name in ("bfs", "minimum", "insertion_sort")},
            {},
            "tasks: at least one sampling weight must be positive",
        ),
        (
            {"bfs": {"sampling_weight": 2.0}},
            {"task_sampling": "round_robin"},
            "tasks.bfs.sampling_weight has no effect with training.task_sampling=round_robin",
        ),
        (
            {},
            {"task_sampling": "random"},
            "unknown training.task_sampling 'random'; known: round_robin, weighted, or module",
        ),
        ({}, {"task_sampling": "math:pi"}, "math has no training.task_sampling 'pi'"),
        ({}, {"chunk_length": -1}, "chunk_length must be at least 1, or 0 for none, got -1"),
        ({}, {"window_length": -1}, "window_length must be an integer of at least 1, got -1"),
        ({}, {"window_length": 2}, "chunk_length 3 and window_length 2 cannot be combined"),
    ],
)
def test_invalid_task_options_are_rejected(tasks, training, message):
    with pytest.raises(ValueError, match=message):
        build_graph_run(make_config(tasks=tasks, **training))


@pytest.mark.parametrize("training", [{"chunk_length": 3}, {"chunk_length": 0, "window_length": 3}])
def test_parts_of_traces_require_trace_termination(training):
    config = make_config(**training)
    config["model"]["termination"] = "budget"
    with pytest.raises(ValueError, match=r"_length 3 needs model.termination=trace, got 'budget'"):
        build_graph_run(config)


def test_generalist_has_all_algorithms_of_clrs30():
    components = build_graph_run(generalist.get_config().to_dict())
    assert len(components.tasks) == 30 and all(task.algorithm.in_clrs30 for task in components.tasks)
    assert {components.stream.task(step).name for step in range(30)} == set(components.model.specs)
    assert components.stream.chunk_length == 16
    small = build_graph_run(generalist_small.get_config().to_dict())
    families = [task.algorithm.family for task in small.tasks]
    assert len(families) == len(set(families)) == 6


def test_class_scores_are_means_over_their_tasks():
    scores = {name: {"64": {"score": float(len(name))}} for name in ALGORITHMS}
    means = class_mean_scores(scores)
    assert list(means) == list(FAMILIES)
    for family, mean in means.items():
        lengths = [len(name) for name, algorithm in ALGORITHMS.items() if algorithm.family == family]
        assert mean == pytest.approx(np.mean(lengths))


# ---------------------------------------------------------------------------------------------------
# Runs


def weakest_first(scores, step):
    """A custom task-sampling function: tasks with lower scores are sampled more often."""
    assert step % 8 == 0
    return {task: 1.0 - score + 0.01 for task, score in scores.items()}


def quick_scores(components, evaluator, params, split):
    """Fake scores, computed from the parameters of each task."""
    result = {}
    for task in components.tasks:
        value = sum(float(np.abs(leaf).sum()) for leaf in jax.tree.leaves(params[task.name])) % 1
        result[task.name] = {"64" if split == "test" else "16": {"out": value, "score": value}}
    return result


@pytest.fixture(scope="module", autouse=True)
def quick():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(GraphComponents, "score_split", quick_scores)
        yield


def run_config(**options):
    """The config of a run; without hints, compiled programs are half as large."""
    config = make_config(optimizer="sgd", learning_rate=0.1, **options)
    config["model"]["hint_mode"] = "none"
    return config


@pytest.fixture(scope="module", params=["weighted", "test_multi_task:weakest_first"])
def finished(request, tmp_path_factory):
    workdir = Workdir(tmp_path_factory.mktemp("runs") / "finished")
    tasks = TASKS if request.param == "weighted" else {"bfs": TASKS["bfs"]}
    options = {"tasks": tasks, "task_sampling": request.param}
    nar.train(run_config(**options), workdir)
    return workdir, options


@pytest.mark.slow
def test_each_validation_has_task_scores_and_both_averages(finished):
    workdir, options = finished
    lines = [json.loads(line) for line in workdir.metrics.read_text().splitlines()]
    scored = [line for line in lines if "validation/score" in line]
    assert [line["step"] for line in scored] == [8, 16, 24]
    names = ("bfs", "minimum", "insertion_sort")
    for line in scored:
        task_scores = [line[f"validation/{name}/score"] for name in names]
        assert line["validation/score"] == pytest.approx(np.mean(task_scores))
        assert line["validation/class/graphs"] == task_scores[0]
        classes = [line[f"validation/class/{name}"] for name in ("graphs", "searching", "sorting")]
        assert line["validation/score_of_classes"] == pytest.approx(np.mean(classes))
        if options["task_sampling"] != "weighted":
            weights = [line[f"sampling/{name}"] for name in names]
            assert weights == pytest.approx([1.01 - score for score in task_scores])
    result = read_json(workdir.result)
    text = result_summary(result)
    for split in ("validation", "test"):
        averages = result["averages"][split]
        assert set(averages) == {"algorithms", "classes", "graphs", "searching", "sorting"}
        assert f"{averages['algorithms']:.2%}" in text and f"{averages['classes']:.2%}" in text
    assert "mean of 3 algorithms" in text and "mean of 3 classes" in text


@pytest.mark.slow
def test_resumed_multi_task_run_equals_an_uninterrupted_one(finished, tmp_path):
    """Chunk carries, the task schedule and updated sampling weights are restored."""
    workdir, options = finished
    again = Workdir(tmp_path / "run")
    nar.train(run_config(**options, steps=16), again)
    assert read_json(again.result)["parameters_sha256"] != read_json(workdir.result)["parameters_sha256"]
    nar.train(run_config(**options), again)
    first, second = (
        {key: value for key, value in read_json(one.result).items() if "seconds" not in key}
        for one in (workdir, again)
    )
    assert first == second


def test_task_sampling_function_must_weight_all_tasks():
    callback = UpdateTaskWeights(TaskSchedule([1, 1]), ["bfs", "dfs"], lambda scores, step: {"bfs": 1.0})
    scores = {"validation/score": 0.5, "validation/bfs/score": 0.5, "validation/dfs/score": 0.5}
    with pytest.raises(ValueError, match="must return a weight for each of bfs, dfs, got"):
        callback.on_step(StepReport(1, "bfs", None, {}, evaluation=Evaluation(scores)))
    assert callback.on_step(StepReport(1, "bfs", None, {})) is None
