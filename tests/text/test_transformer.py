"""The language model: characters, positions, attention, generation, loss, training."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nar.algorithms import ALGORITHMS
from nar.data import prefetch
from nar.text import Text
from nar.text.generation import make_generate
from nar.text.loss import answer_loss
from nar.text.positions import Positions
from nar.text.scoring import AnswerGenerator
from nar.text.stream import TextBatch, TextStream, TextTask, bucket_width
from nar.text.tokens import CHARACTERS, END, NUM_TOKENS, PADDING, decode, encode
from nar.text.train_step import make_text_step
from nar.text.transformer import TransformerConfig, empty_caches, make_text_model, rotate
from nar.training import Checkpoints, Devices, digest, fit, init_state, make_optimizer

DEVICES = Devices.all()
CONFIG = TransformerConfig(NUM_TOKENS, hidden_size=16, num_layers=2, num_heads=2)
IN_ORDER, RANDOM = Positions(), Positions(range=64, min_length=20)


@pytest.fixture(scope="module")
def model():
    """Its functions compiled: op by op they take much longer."""
    model = make_text_model(CONFIG)
    return dataclasses.replace(model, apply=jax.jit(model.apply), extend=jax.jit(model.extend))


@pytest.fixture(scope="module")
def params(model):
    """Larger than those of a new network, so that every part of it matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, model.init(jax.random.key(1), {}))


def stream(*names, positions=IN_ORDER, batch_size=6, lengths=(2, 3), **options):
    tasks = [TextTask(ALGORITHMS[name], lengths, decimals=2, **options) for name in names]
    return TextStream(tasks, batch_size, seed=5, positions=positions)


def random_tokens(*shape):
    return np.random.default_rng(0).integers(2, NUM_TOKENS, shape).astype(np.int32)


# ---------------------------------------------------------------------------------------------------
# Characters and positions


@given(st.text(CHARACTERS))
def test_characters_there_and_back(text):
    tokens = encode(text)
    assert tokens.dtype == np.int32 and len(tokens) == len(text)
    assert decode(tokens) == text
    assert decode([*tokens, END, *tokens]) == decode([PADDING, *tokens]) == text


def test_characters_are_distinct_tokens_and_others_are_refused():
    assert sorted(encode(CHARACTERS)) == list(range(END + 1, NUM_TOKENS))
    for wrong in ("é", "\t", "a\x00", "∞"):
        with pytest.raises(ValueError, match="is not in the alphabet"):
            encode(wrong)
    for token in (-1, NUM_TOKENS):
        with pytest.raises(ValueError, match=f"tokens lie between 0 and .*, got {token}"):
            decode([token])


@given(st.integers(1, 64), st.integers(0, 64), st.integers(0, 9))
def test_randomized_positions_are_sorted_and_within_their_range(width, min_length, seed):
    positions = Positions(64, min_length).draw(np.random.default_rng(seed), 3, width)
    assert positions.shape == (3, width) and positions.dtype == np.int32
    assert (np.diff(positions, axis=1) > 0).all()
    assert positions.min() >= 0 and positions.max() < 64


def test_randomized_positions_are_any_subset_and_the_room_leaves_some_for_later():
    full = Positions(6).draw(np.random.default_rng(0), 6000, 2)
    pairs, counts = np.unique(full, axis=0, return_counts=True)
    assert len(pairs) == 15
    assert counts.min() > 300
    # The first two of four of six: the mean of the second smallest of four is 2 (6 + 1) / (4 + 1) - 1.
    roomy = Positions(6, 4).draw(np.random.default_rng(0), 6000, 2)
    assert roomy[:, 1].mean() == pytest.approx(1.8, abs=0.05)
    assert roomy.max() == 3
    assert (Positions(6, 6).draw(np.random.default_rng(0), 2, 4) == np.arange(4)).all()
    assert (IN_ORDER.draw(np.random.default_rng(0), 2, 4) == np.arange(4)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Positions(-1), "range must be an integer of at least 0, got -1"),
        (lambda: Positions(8, 9), "min_length 9 is larger than the range 8"),
        (lambda: Positions(8).draw(np.random.default_rng(0), 1, 9), "9 tokens need a larger range .* than 8"),
        (lambda: TransformerConfig(9, num_layers=0), "num_layers must be an integer of at least 1, got 0"),
        (lambda: TransformerConfig(9, hidden_size=12), "hidden_size 12 must be a multiple of twice the 4"),
        (
            lambda: TransformerConfig(9, longest_wave=0.5),
            "longest_wave must be a number of at least 1, got 0.5",
        ),
        (lambda: make_text_model(TransformerConfig(9)), f"num_tokens must be {NUM_TOKENS}, got 9"),
        (lambda: TextTask(ALGORITHMS["bfs"], ()), "bfs: at least one length is needed"),
        (lambda: TextTask(ALGORITHMS["bfs"], (4, 4)), "bfs: lengths must differ"),
        (lambda: TextTask(ALGORITHMS["bfs"], (0,)), "bfs: size must be an integer from 1"),
    ],
)
def test_wrong_requests_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------------------------------------
# The stream


@pytest.mark.parametrize("positions", [IN_ORDER, Positions(128, 100)])
def test_a_batch_is_a_function_of_seed_and_step(positions):
    one = stream("minimum", "insertion_sort", positions=positions)
    again = stream("minimum", "insertion_sort", positions=positions)
    batches = list(prefetch(one, 3, 6))
    for step, batch in zip((5, 4, 3), reversed(batches), strict=True):
        assert digest(again.batch(step)) == digest(batch)
    assert len({digest(batch) for batch in [*batches, one.batch(7)]}) == 4
    assert [one.task(step).name for step in range(3)] == ["minimum", "insertion_sort", "minimum"]


def test_processes_share_a_batch():
    whole = stream("minimum", positions=Positions(128)).batch(4)
    tasks = stream("minimum").tasks
    shares = [TextStream(tasks, 6, 5, Positions(128), process, 3).batch(4) for process in range(3)]
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), *shares)
    assert digest(joined) == digest(whole)


def test_a_batch_holds_texts_of_all_lengths_and_marks_their_answers():
    batch = stream("insertion_sort", lengths=(2, 3, 4), batch_size=5).batch(3)
    assert batch.tokens.shape[1] % 16 == 0
    sizes = []
    for tokens, is_answer in zip(batch.tokens, batch.is_answer, strict=True):
        text = decode(tokens)
        first, last = np.flatnonzero(is_answer)[[0, -1]]
        assert is_answer[first : last + 1].all() and tokens[last] == END
        question, answer = text[:first], text[first:]
        assert question.endswith("pred:\n") and answer.endswith("]\n\n") and len(text) == last
        keys = question.partition("key: [")[2].partition("]")[0].split()
        assert answer.strip()[1:-1].split() == sorted(keys, key=float)
        sizes.append(len(keys))
    assert sizes == [2, 3, 4, 2, 3]
    assert stream("insertion_sort", lengths=(2, 3, 4), batch_size=5).batch(4).is_answer.any(axis=1).all()


# ---------------------------------------------------------------------------------------------------
# Attention and rotation


@pytest.mark.parametrize("positions", [IN_ORDER, RANDOM])
def test_no_token_sees_what_comes_behind_it(model, params, positions):
    tokens = random_tokens(2, 9)
    places = positions.draw(np.random.default_rng(3), 2, 9)
    logits = model.apply(params, tokens, places)
    changed = tokens.copy()
    changed[:, 5:] = random_tokens(2, 4)[:, ::-1]
    other = model.apply(params, changed, places)
    np.testing.assert_array_equal(logits[:, :5], other[:, :5])
    assert (np.abs(np.asarray(logits - other))[:, 5:].max(axis=-1) > 1e-3).all()


def test_every_token_matters_to_those_behind_it(model, params):
    def last(embedded):
        return model.apply({**params, "transformer": {"embeddings": embedded}}, tokens, places)[0, -1].sum()

    tokens, places = np.arange(2, 10, dtype=np.int32)[None], np.arange(8, dtype=np.int32)[None]
    gradient = jax.grad(last)(params["transformer"]["embeddings"])
    assert (np.abs(np.asarray(gradient))[2:10].max(axis=-1) > 1e-6).all()


def test_rotated_products_depend_on_the_difference_of_positions_alone():
    query, key = np.random.default_rng(0).normal(size=(2, 1, 1, 3, 8)).astype(np.float32)

    def product(q, k):
        one = rotate(query, jnp.array([[q]]), 100.0)
        return np.asarray((one * rotate(key, jnp.array([[k]]), 100.0)).sum(axis=-1))

    np.testing.assert_allclose(product(0, 0), (query * key).sum(axis=-1), rtol=1e-5)
    for difference in (0, 1, 7, 30):
        expected = product(difference, 0)
        for k in (3, 50, 200):
            np.testing.assert_allclose(product(k + difference, k), expected, atol=1e-4)
    assert np.abs(product(1, 0) - product(2, 0)).max() > 0.05
    np.testing.assert_allclose(
        np.linalg.norm(rotate(query, jnp.array([[9]]), 100.0), axis=-1),
        np.linalg.norm(query, axis=-1),
        rtol=1e-5,
    )


def test_only_differences_of_positions_matter_to_the_network(model, params):
    tokens = random_tokens(2, 7)
    places = RANDOM.draw(np.random.default_rng(3), 2, 7)
    logits = model.apply(params, tokens, places)
    np.testing.assert_allclose(logits, model.apply(params, tokens, places + 40), atol=2e-3)
    assert np.abs(np.asarray(logits - model.apply(params, tokens, 2 * places))).max() > 0.05


# ---------------------------------------------------------------------------------------------------
# Generation


@pytest.mark.parametrize("positions", [IN_ORDER, RANDOM])
def test_reading_token_by_token_equals_reading_at_once(model, params, positions):
    tokens = random_tokens(3, 8)
    places = positions.draw(np.random.default_rng(3), 3, 8)
    expected = np.asarray(model.apply(params, tokens, places))
    caches, found = empty_caches(CONFIG, 3, 8), []
    logits, caches = model.extend(params, tokens[:, :3], places[:, :3], np.tile(np.arange(3), (3, 1)), caches)
    found.append(logits)
    for place in range(3, 8):
        here = np.full((3, 1), place)
        now = slice(place, place + 1)
        logits, caches = model.extend(params, tokens[:, now], places[:, now], here, caches)
        found.append(logits)
    np.testing.assert_allclose(np.concatenate(found, axis=1), expected, atol=1e-4, rtol=1e-4)


def written_slowly(model, params, question, positions, max_length):
    """One token after another, each from the whole text so far, which what is behind it does not change."""
    width, first = positions.shape[1], len(question)
    tokens = np.full((1, width), PADDING, np.int32)
    tokens[0, :first] = encode(question)
    for place in range(first, first + max_length):
        logits = np.array(model.apply(params, tokens, positions)[0, place - 1])
        logits[PADDING] = -np.inf
        tokens[0, place] = logits.argmax()
        if tokens[0, place] == END:
            break
    return decode(tokens[0])[first:]


@pytest.mark.parametrize("positions", [IN_ORDER, RANDOM])
def test_answers_are_those_of_the_whole_network_whatever_is_asked_beside(model, params, positions):
    # `END` is made likely, so that answers end at different places.
    params = {**params, "transformer/next": {**params["transformer/next"]}}
    params["transformer/next"]["b"] = params["transformer/next"]["b"].at[END].add(2.5)
    questions = ["bfs:", "minimum:\nkey: [0.1", "dfs:\n", "a", "minimum:\nkey: [0.12 0.5"]
    generator = AnswerGenerator(model, positions, batch_size=3, max_length=12)
    answers = generator(params, questions)
    for question, answer in zip(questions, answers, strict=True):
        tokens = encode(question)
        places = generator._positions(tokens, bucket_width(len(tokens)) + 12)
        assert answer == written_slowly(model, params, question, places, 12)
    assert len({len(answer) for answer in answers}) > 1
    assert generator(params, questions[::-1]) == answers[::-1]
    assert generator(params, questions[1:2]) == answers[1:2]
    assert generator(params, []) == []


def test_generation_is_compiled_once_a_shape(model, params):
    generate = make_generate(model)
    for seed in (0, 1):
        questions = np.random.default_rng(seed).integers(2, NUM_TOKENS, (2, 5)).astype(np.int32)
        generate(params, questions, np.array([5, 3 + seed]), np.tile(np.arange(9), (2, 1)))
    assert generate._cache_size() == 1


def test_questions_that_cannot_be_asked_are_refused(model, params):
    generator = AnswerGenerator(model, RANDOM, max_length=33)
    with pytest.raises(
        ValueError, match="characters and answers of 33 need a larger range of positions than 64"
    ):
        generator(params, ["a", "a" * 17, "a" * 33])
    with pytest.raises(ValueError, match="must not be empty"):
        generator(params, ["a", ""])
    with pytest.raises(ValueError, match="'é' is not in the alphabet"):
        generator(params, ["é"])
    with pytest.raises(ValueError, match="max_length must be an integer of at least 1, got 0"):
        AnswerGenerator(model, RANDOM, max_length=0)


# ---------------------------------------------------------------------------------------------------
# Loss and training


def test_only_answers_have_a_loss(model, params):
    texts = [Text("minimum:", "3\n\n"), Text("bfs:\n", "10\n\n")]
    batch = TextBatch.from_texts(texts, IN_ORDER.draw(np.random.default_rng(0), 2, 16))
    logits = np.asarray(model.apply(params, batch.tokens, batch.positions))
    loss, _ = jax.jit(answer_loss)(logits, batch)
    by_hand = []
    for row, text in enumerate(texts):
        tokens = [*encode(text.text), END]
        for place in range(len(text.question), len(tokens)):
            scores = logits[row, place - 1]
            by_hand.append(np.log(np.exp(scores).sum()) - scores[tokens[place]])
    assert len(by_hand) == 4 + 5
    assert float(loss) == pytest.approx(np.mean(by_hand), rel=1e-5)

    gradient = np.asarray(jax.jit(jax.grad(lambda logits: answer_loss(logits, batch)[0]))(logits))
    counts = np.abs(gradient).max(axis=-1) > 0
    expected = np.zeros_like(counts)
    expected[:, :-1] = batch.is_answer[:, 1:]
    np.testing.assert_array_equal(counts, expected)


def test_an_answer_is_foreseen_if_every_token_of_it_is():
    texts = [Text("a", "12"), Text("b", "3"), Text("c", "4")]
    batch = TextBatch.from_texts(texts, IN_ORDER.draw(np.random.default_rng(0), 3, 16))
    logits = 9.0 * np.asarray(jax.nn.one_hot(np.roll(batch.tokens, -1, axis=1), NUM_TOKENS))
    assert answer_loss(jnp.asarray(logits), batch)[1] == 1
    logits[1, 0] = 0
    logits[2, 5] = 0
    assert answer_loss(jnp.asarray(logits), batch)[1] == pytest.approx(2 / 3)


class Run:
    """A small run."""

    def __init__(self, model, **options):
        self.stream = stream("minimum", "insertion_sort", lengths=(2,), **options)
        self.model = model
        self.optimizer = make_optimizer(1e-2, 1.0)
        self.step = make_text_step(model, self.optimizer, ema_decay=0.9)

    def state(self):
        return DEVICES.make_state(lambda: init_state(self.model, self.optimizer, {}, 0, track_ema=True))

    def fit(self, state, num_steps, *callbacks):
        return fit(state, self.step, self.stream, num_steps=num_steps, devices=DEVICES, callbacks=callbacks)[
            0
        ]


@pytest.mark.slow
def test_resumed_run_equals_an_uninterrupted_one_bit_for_bit(model, tmp_path):
    run = Run(model, positions=Positions(128, 64))
    straight = digest(run.fit(run.state(), 6))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(run.fit(run.state(), 3), 0.5, {})
    restored = DEVICES.put_state(checkpoints.restore_last(run.state()).state)
    assert digest(run.fit(restored, 6)) == straight


def test_a_step_that_is_not_finite_changes_nothing(model):
    run = Run(model)
    state = run.state()
    state = state.with_params(jax.tree.map(lambda leaf: leaf * jnp.inf, state.params))
    with pytest.raises(FloatingPointError, match=r"step 1 \(minimum\): loss/minimum is nan"):
        run.fit(state, 3)


@pytest.mark.slow
def test_it_learns_some_texts_by_heart_and_writes_them(model):
    texts = [text for length in (2, 3) for text in stream("minimum").tasks[0].texts(length, 4, seed=1)]
    batch = TextBatch.from_texts(texts, IN_ORDER.draw(np.random.default_rng(0), 8, 48))
    optimizer = make_optimizer(1e-2, 1.0)
    step = make_text_step(model, optimizer)
    state = DEVICES.make_state(lambda: init_state(model, optimizer, {}, 0))
    on_devices = DEVICES.put_batch(batch)
    for _ in range(150):
        state, metrics = step(state, on_devices, "minimum")
    assert set(metrics) >= {"loss", "loss/minimum", "foreseen/minimum", "gradient_norm"}
    assert metrics["foreseen/minimum"] == 1
    assert metrics["loss"] < 0.05
    generator = AnswerGenerator(model, IN_ORDER, batch_size=8, max_length=8)
    answers = generator(state.params, [text.question for text in texts])
    assert answers == [text.answer for text in texts]
