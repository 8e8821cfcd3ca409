"""Streams and answers: given and read at every step, from sampling to predictions for users' problems."""

import dataclasses
from typing import NamedTuple

import every_kind
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trace_checks import plain_and_compiled

import nar
from experiments.examples.stack import POP, STACK
from nar.algorithms import Algorithm
from nar.data import Transforms, pad_batch, pad_nodes, pad_steps, slice_chunk
from nar.evaluation import METRICS, Inference, Predictor
from nar.evaluation.metrics import check_metrics, find_metrics
from nar.evaluation.problem_sets import make_problem_sets
from nar.evaluation.scores import SCORES, score_result
from nar.losses import LOSSES, loss_terms
from nar.losses.weights import check_loss_weights, resolve_loss_weights
from nar.model import Budget, NetConfig, make_model
from nar.model.hints import true_streams
from nar.problems import Problem
from nar.reports import draw_trace
from nar.reports.trace_viewer.diff_text import diff_text
from nar.reports.trace_viewer.page import Run, page_content
from nar.reports.trace_viewer.readable_values import read
from nar.specs import MASKED, Kind, Location, Stage, make_spec
from nar.text.rendering.trace_to_text import to_text, to_texts
from nar.traces import check_algorithm, collect, load_traces, run_algorithm, sample_traces, save_traces

HIDDEN, SIZE, COUNT = 8, 5, 4
SPECS = {"stack": STACK.spec}
OPERATIONS = [2, 0, POP, 1, POP, POP]


@pytest.fixture(autouse=True)
def _registered():
    nar.ALGORITHMS.register(STACK)


def batch_of(count=COUNT, seed=0, size=SIZE):
    return Transforms().apply(STACK, sample_traces(STACK, size, count, seed))


def network(**options):
    """A network of the stack, and random parameters."""
    model = make_model(NetConfig(nar.PROCESSORS["mpnn"], HIDDEN, **options), SPECS)
    return model, model.init(jax.random.key(0), {"stack": batch_of()})


# ---------------------------------------------------------------------------------------------------
# Traces


@plain_and_compiled
def test_contract_of_the_example(mode):
    check_algorithm(STACK)


@pytest.mark.parametrize("seed", range(20))
def test_stack_equals_a_list(seed):
    random = np.random.RandomState(seed)
    size, operations = STACK.problem.sample(random, 1 + seed % 7, per_item=5)
    trace, stack = run_algorithm(STACK, size, operations), []
    for step, operation in enumerate(operations):
        popped = stack.pop() if operation == POP else stack.append(operation)
        answer = trace.hints["popped"][step + 1]
        assert (MASKED in answer) == (popped is None)
        assert popped is None or answer.argmax() == popped
        assert np.flatnonzero(trace.hints["on_stack"][step + 1]).tolist() == sorted(stack)
        assert np.flatnonzero(trace.hints["top"][step + 1]).tolist() == stack[-1:]
        below = dict(zip(stack, [*stack[:1], *stack[:-1]], strict=True))
        assert trace.hints["below"][step + 1].tolist() == [below.get(item, item) for item in range(size)]


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([POP], "operation 0 .* the stack is \\[\\]"),
        ([1, 1], "operation 1 must"),
        ([0, 3], "from 0 to 2"),
        ([], "list"),
    ],
)
def test_invalid_operations_are_refused(operations, message):
    with pytest.raises(ValueError, match=message):
        run_algorithm(STACK, 3, operations)


def test_spec_has_streams_and_answers():
    assert [probe.name for probe in STACK.spec.streams] == ["is_push", "item"]
    assert [probe.name for probe in STACK.spec.answers] == ["popped"]
    assert [probe.name for probe in STACK.spec.per_step] == [
        "is_push",
        "item",
        "on_stack",
        "below",
        "top",
        "popped",
    ]
    assert STACK.spec.needs_all_steps
    assert not nar.ALGORITHMS["bfs"].spec.needs_all_steps


def test_traces_survive_files(tmp_path):
    batch = sample_traces(STACK, SIZE, COUNT, 0)
    save_traces(tmp_path / "a.npz", batch, name="stack", spec=STACK.spec)
    loaded = load_traces(tmp_path / "a.npz")
    assert loaded.spec == STACK.spec
    jax.tree.map(np.testing.assert_array_equal, batch, loaded.batch)


def test_evaluation_keeps_streams_and_answers_of_all_steps():
    (one,) = make_problem_sets(STACK, (SIZE,), (0,))
    few, all_of_them = one.draw(all_hints=False), one.draw()
    assert len(few.hints["below"]) == 1
    for name in ("is_push", "item", "popped"):
        np.testing.assert_array_equal(few.hints[name], all_of_them.hints[name])


# ---------------------------------------------------------------------------------------------------
# The network


def test_masked_streams_are_zero():
    batch = batch_of()
    values = true_streams(STACK.spec.streams, batch, 0, SIZE)
    first = np.asarray(batch.hints["item"][0])
    np.testing.assert_array_equal(values["item"], np.where(first == MASKED, 0, first))


@pytest.mark.parametrize("mode", ["encoded_decoded", "none"])
def test_predictions_depend_on_streams_of_earlier_steps_only(mode):
    """With and without hints; the answer to the operation of step t is predicted at index t."""
    model, params = network(hint_mode=mode)
    batch = batch_of()
    before = model.apply(params, None, "stack", batch, False)
    changed_step = 3
    push = batch.hints["is_push"].copy()
    push[changed_step] = 1 - push[changed_step]
    changed = dataclasses.replace(batch, hints={**batch.hints, "is_push": push})
    after = model.apply(params, None, "stack", changed, False)
    differs = (
        np.abs(before.hints["popped"] - after.hints["popped"]).reshape(len(push) - 1, -1).max(axis=1) > 1e-6
    )
    assert not differs[:changed_step].any()
    assert differs[changed_step]
    assert ("below" in before.hints) == (mode != "none")
    assert "is_push" not in before.hints


def test_answers_are_not_fed_back():
    """Their true values are not read, nor do their decoders affect the next step."""
    model, params = network(teacher_forcing=1.0)
    batch = batch_of()
    changed = dataclasses.replace(
        batch, hints={**batch.hints, "popped": np.roll(batch.hints["popped"], 1, axis=-1)}
    )
    one, other = (model.apply(params, jax.random.key(1), "stack", each, True) for each in (batch, changed))
    jax.tree.map(np.testing.assert_array_equal, one.hints, other.hints)


@pytest.mark.slow
def test_every_kind_can_be_a_stream_and_an_answer():
    """Each stream affects the answers, and each answer has a loss and trains its decoder."""
    spec = every_kind.spec_of(Stage.INPUT, Stage.STREAM, Stage.ANSWER)
    batch = every_kind.random_batch(0, spec, masked=0.2)
    model = make_model(NetConfig(nar.PROCESSORS["mpnn"], HIDDEN), {every_kind.NAME: spec})
    params = model.init(jax.random.key(0), {every_kind.NAME: batch})

    def losses(params):
        return loss_terms(spec, batch, model.apply(params, jax.random.key(0), every_kind.NAME, batch, True))

    terms = losses(params)
    assert set(terms) == {probe.name for probe in spec.answers}
    assert all(np.isfinite(term.sum) and term.count > 0 for term in terms.values())
    gradients = jax.grad(lambda params: jnp.stack([term.sum for term in losses(params).values()]).sum())(
        params
    )
    own = gradients[every_kind.NAME]
    for probe in (*spec.streams, *spec.answers):
        found = [
            np.abs(leaf).max()
            for path, leaf in jax.tree.leaves_with_path(own)
            if f"{probe.name}" in str(path)
        ]
        assert found and max(found) > 0, probe.name


def test_chunks_equal_the_whole_trace():
    model, params = network()
    batch = batch_of(count=2)
    whole = model.apply(params, None, "stack", batch, False)
    carry, parts = model.initial_chunk_carry("stack", batch), []
    for first in range(0, batch.num_steps - 1, 4):
        part = model.apply(params, None, "stack", slice_chunk(batch, first, 4), False, chunk_carry=carry)
        carry = part.chunk_carry
        parts.append(part.hints["popped"])
    answers = np.concatenate(parts)[: batch.num_steps - 1]
    np.testing.assert_allclose(answers, whole.hints["popped"], rtol=1e-5, atol=1e-5)


def test_padding_changes_no_answer():
    model, params = network()
    batch = batch_of()
    padded = pad_batch(pad_nodes(pad_steps(batch, 16), STACK.spec, SIZE + 2), COUNT + 1)
    before = model.apply(params, None, "stack", batch, False).hints["popped"]
    after = model.apply(params, None, "stack", padded, False).hints["popped"]
    np.testing.assert_allclose(after[: len(before), :COUNT, :SIZE], before, rtol=1e-5, atol=1e-5)


def test_streams_need_the_steps_of_the_trace():
    with pytest.raises(ValueError, match="stack has the stream 'is_push', .* got Budget"):
        network(termination=Budget(steps=3, steps_per_node=0))


def test_loss_weights_have_a_stage_for_answers():
    names = ["popped", "below"]
    assert resolve_loss_weights(STACK.spec, "stack", names, {"answer": 2.0}) == {"popped": 2.0, "below": 1.0}
    check_loss_weights({"answer": 2.0, "stack/popped": 1.0}, SPECS, {"stack": names})
    with pytest.raises(ValueError, match="answer"):
        check_loss_weights({"answer": 2.0}, {"bfs": nar.ALGORITHMS["bfs"].spec}, {"bfs": ["pi"]})


# ---------------------------------------------------------------------------------------------------
# Evaluation


@pytest.mark.parametrize("capture", ["outputs", "hints", "states"])
def test_inference_returns_answers(capture):
    model, params = network()
    traces = sample_traces(STACK, SIZE, COUNT, 0)
    result = Inference(model, Transforms(), batch_size=3, capture=capture).run(params, "stack", traces)
    logits = model.apply(params, None, "stack", batch_of(), False).hints["popped"]
    np.testing.assert_array_equal(result.answers["popped"].argmax(-1), logits.argmax(-1))
    assert bool(result.hints) == (capture != "outputs")
    truth, predicted, samples = result.step_entries("popped")
    asked = (truth != MASKED).all(axis=-1)
    expected = (truth.argmax(-1) == predicted.argmax(-1))[asked].mean()
    assert score_result(result) == {"popped": pytest.approx(expected), "score": pytest.approx(expected)}
    assert len(samples) == (traces.lengths - 1).sum()


def test_perfect_and_wrong_answers():
    batch = batch_of()
    metrics = find_metrics(["exact", "hint_score"], SPECS)
    assert check_metrics(metrics, "stack", STACK.spec, batch) == {"exact": 1.0, "hint_score": 1.0}
    steps = batch.lengths - 1
    answers = batch.hints["popped"][1:].copy()
    step = int(np.flatnonzero((answers[:, 1] != MASKED).all(axis=-1))[0])
    answers[step, 1] = np.roll(answers[step, 1], 1)
    result = nar.evaluation.InferenceResult(
        "stack", STACK.spec, batch, {}, steps, {}, None, answers={"popped": answers}
    )
    assert METRICS["exact"].function(result).tolist() == [True, False, True, True]
    assert 0 < score_result(result)["score"] < 1
    has_nan = np.array([False, False, False, True])
    with_nan = dataclasses.replace(result, has_nan=has_nan)
    assert score_result(with_nan)["score"] < score_result(result)["score"]
    (first, second, *_) = result.instances()
    np.testing.assert_array_equal(first[1]["popped"], first[2]["popped"])
    assert (second[1]["popped"] != second[2]["popped"]).any()


def test_predictions_for_given_operations():
    model, params = network()
    predict = Predictor(model, params)
    problems = [
        {"num_items": 3, "operations": OPERATIONS},
        {"num_items": 4, "operations": [3]},
        {"num_items": 3, "operations": OPERATIONS[:3]},
    ]
    together = predict.many("stack", problems)
    for problem, prediction in zip(problems, together, strict=True):
        alone = predict("stack", **problem)
        steps = len(problem["operations"])
        assert alone.steps == prediction.steps == steps
        for one in (alone, prediction):
            assert one.answers["popped"].shape == (steps, problem["num_items"])
            assert set(one.hints) == {"on_stack", "below", "top"}
        np.testing.assert_array_equal(alone.answers["popped"], prediction.answers["popped"])
    fewer = predict("stack", **problems[0], num_steps=2)
    np.testing.assert_array_equal(fewer.answers["popped"], together[0].answers["popped"][:2])
    with pytest.raises(
        ValueError, match="num_steps must be at most 6, the length of its stream 'is_push', got 7"
    ):
        predict("stack", **problems[0], num_steps=7)


# ---------------------------------------------------------------------------------------------------
# Text and pages


def test_text_lists_streams_and_answers():
    trace = run_algorithm(STACK, 3, OPERATIONS)
    expected = ("stack:\nis_push: [1 1 0 1 0 0], item: [2 0 -1 1 -1 -1]\npopped:\n", "[-1 -1 0 -1 1 2]\n\n")
    assert to_text(STACK, trace) == expected
    batch = collect(STACK, [(3, np.array(OPERATIONS)), (3, np.array(OPERATIONS[:3]))])
    texts = to_texts(STACK, batch)
    assert texts[0] == expected
    assert texts[1].answer == "[-1 -1 0]\n\n"


def test_matrices_at_each_step_have_no_text():
    spec = make_spec(
        inputs={"pos": (Location.NODE, Kind.SCALAR)},
        streams={"edge": (Location.EDGE, Kind.MASK)},
        hints={},
        answers={"popped": (Location.NODE, Kind.MASK)},
        outputs={},
    )
    algorithm = dataclasses.replace(STACK, name="edges", spec=spec)
    trace = every_kind.random_batch(0, spec, batch_size=1).trace(0)
    with pytest.raises(ValueError, match="edge has a matrix at each step"):
        to_text(algorithm, trace)


def test_pages_and_drawings_show_streams_and_answers():
    truth = run_algorithm(STACK, 3, OPERATIONS)
    wrong = dataclasses.replace(
        truth, hints={**truth.hints, "popped": np.roll(truth.hints["popped"], 1, axis=-1)}
    )
    content = page_content(STACK, [Run("a", truth), Run("b", wrong)])
    stages = {probe["name"]: (probe["stage"], probe["perStep"]) for probe in content["probes"]}
    assert stages["item"] == ("stream", True)
    assert stages["popped"] == ("answer", True)
    assert stages["pos"] == ("input", False)
    assert content["runs"][1]["total"]["popped"] == [0, 0, 0, 1, 0, 1, 1]
    assert content["runs"][1]["right"]["popped"] == [0] * 7
    assert "item" not in content["runs"][1]["wrong"]
    text = diff_text(STACK.spec, truth, wrong, truth.length)
    assert "popped = 0, predicted 1!" in text
    assert "item = 2" in text
    assert draw_trace(STACK, truth).axes


# ---------------------------------------------------------------------------------------------------
# Vectors


def test_vectors_are_scored_and_shown_by_their_numbers():
    probe = every_kind.make_probe(Stage.OUTPUT, Location.NODE, Kind.VECTOR)
    truth = np.array([[[3.0, 4.0, 0.0], [1.0, 0.0, 0.0]]])
    wrong = truth + np.array([0.0, 1.0, 0.0])
    assert SCORES[Kind.VECTOR](truth, truth) == 1
    assert SCORES[Kind.VECTOR](truth, wrong) == pytest.approx(2 / 3)
    assert read(probe, truth).tolist() == [[5.0, 1.0]]
    assert float(LOSSES[Kind.VECTOR](truth, wrong).mean()) == pytest.approx(1 / 3)


class WalkStep(NamedTuple):
    move: np.ndarray
    position: np.ndarray
    offsets: np.ndarray
    total: np.ndarray


class WalkInputs(NamedTuple):
    pos: np.ndarray
    start: np.ndarray


def sample_walk(random, size):
    return random.uniform(-1.0, 1.0, (size, 2)), random.uniform(-1.0, 1.0, (3, 2))


def check_walk(start, moves):
    return np.asarray(start, float), np.asarray(moves, float)


def walk_inputs(start, moves):
    return WalkInputs(np.arange(len(start)) / len(start), start)


def walk(start, moves, end):
    """Moves all nodes: vectors are a stream, hints at nodes and edges, an answer and an output."""
    position = start.copy()
    offsets = np.zeros((len(start), len(start), 2))
    for move in moves:
        for i in range(len(start)):
            for j in range(len(start)):
                offsets[i, j] = position[i] - position[j]
        yield WalkStep(move, position, offsets, position.sum(0))
        position += move
    end[:] = position
    yield WalkStep(np.zeros(2), position, offsets, position.sum(0))


PAIR = (Location.NODE, Kind.SCALAR, 2)
WALK = Algorithm(
    name="walk",
    family="geometry",
    spec=make_spec(
        inputs={"pos": (Location.NODE, Kind.SCALAR), "start": PAIR},
        streams={"move": (Location.GRAPH, Kind.SCALAR, 2)},
        hints={"position": PAIR, "offsets": (Location.EDGE, Kind.SCALAR, 2)},
        answers={"total": (Location.GRAPH, Kind.SCALAR, 2)},
        outputs={"end": PAIR},
    ),
    problem=Problem(sample=sample_walk, check=check_walk, probes=walk_inputs),
    steps=walk,
    source="-",
)


@plain_and_compiled
def test_vectors_are_recorded(mode):
    check_algorithm(WALK)
    trace = run_algorithm(WALK, [[0, 0], [1, 0.5]], [[1, 0], [0, 2]])
    assert trace.outputs["end"].tolist() == [[1, 2], [2, 2.5]]
    assert trace.hints["offsets"].shape == (3, 2, 2, 2)
    assert trace.hints["offsets"][0, 1, 0].tolist() == [1, 0.5]
    assert to_text(WALK, trace).question == (
        "walk:\nstart: [[0.0 0.0], [1.0 0.5]], move: [[1.0 0.0], [0.0 2.0]]\ntotal, end:\n"
    )
