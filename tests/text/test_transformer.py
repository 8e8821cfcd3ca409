"""The language model: tokens, positions, attention, generation, loss, training."""

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
from nar.training import Checkpoints, Devices, fit, init_state, make_optimizer
from nar.training.state import digest

DEVICES = Devices.all()
CONFIG = TransformerConfig(NUM_TOKENS, hidden_size=16, num_layers=2, num_heads=2)
IN_ORDER, RANDOM = Positions(), Positions(range=64, min_length=20)


@pytest.fixture(scope="module")
def model():
    """A language model with jitted functions, which are much faster than op by op."""
    model = make_text_model(CONFIG)
    return dataclasses.replace(model, apply=jax.jit(model.apply), extend=jax.jit(model.extend))


@pytest.fixture(scope="module")
def params(model):
    """Initial parameters times 2, so that every part of the network matters."""
    return jax.tree.map(lambda leaf: 2 * leaf, model.init(jax.random.key(1), {}))


def stream(*names, positions=IN_ORDER, batch_size=6, lengths=(2, 3), **options):
    tasks = [TextTask(ALGORITHMS[name], lengths, decimals=2, **options) for name in names]
    return TextStream(tasks, batch_size, seed=5, positions=positions)


def random_tokens(*shape):
    return np.random.default_rng(0).integers(2, NUM_TOKENS, shape).astype(np.int32)


# ---------------------------------------------------------------------------------------------------
# Tokens and positions


@given(st.text(CHARACTERS))
def test_decode_inverts_encode(text):
    tokens = encode(text)
    assert tokens.dtype == np.int32 and len(tokens) == len(text)
    assert decode(tokens) == text
    assert decode([*tokens, END, *tokens]) == decode([PADDING, *tokens]) == text


def test_characters_are_distinct_tokens_and_others_are_rejected():
    assert sorted(encode(CHARACTERS)) == list(range(END + 1, NUM_TOKENS))
    for wrong in ("é", "\t", "a\x00", "∞"):
        with pytest.raises(ValueError, match="is not in the alphabet"):
            encode(wrong)
    for token in (-1, NUM_TOKENS):
        with pytest.raises(ValueError, match=f"tokens must be between 0 and .*, got {token}"):
            decode([token])


@given(st.integers(1, 64), st.integers(0, 64), st.integers(0, 9))
def test_randomized_positions_are_sorted_and_within_their_range(width, min_length, seed):
    positions = Positions(64, min_length).draw(np.random.default_rng(seed), 3, width)
    assert positions.shape == (3, width) and positions.dtype == np.int32
    assert (np.diff(positions, axis=1) > 0).all()
    assert positions.min() >= 0 and positions.max() < 64


def test_randomized_positions_are_uniform_subsets_and_min_length_reserves_positions():
    full = Positions(6).draw(np.random.default_rng(0), 6000, 2)
    pairs, counts = np.unique(full, axis=0, return_counts=True)
    assert len(pairs) == 15
    assert counts.min() > 300
    # The mean of the second smallest of four positions out of six is 2 (6 + 1) / (4 + 1) - 1.
    padded = Positions(6, 4).draw(np.random.default_rng(0), 6000, 2)
    assert padded[:, 1].mean() == pytest.approx(1.8, abs=0.05)
    assert padded.max() == 3
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
            lambda: TransformerConfig(9, rope_theta=0.5),
            "rope_theta must be a number of at least 1, got 0.5",
        ),
        (lambda: make_text_model(TransformerConfig(9)), f"num_tokens must be {NUM_TOKENS}, got 9"),
        (lambda: TextTask(ALGORITHMS["bfs"], ()), "bfs: at least one length is needed"),
        (lambda: TextTask(ALGORITHMS["bfs"], (4, 4)), "bfs: lengths must differ"),
        (lambda: TextTask(ALGORITHMS["bfs"], (0,)), "bfs: size must be an integer from 1"),
    ],
)
def test_invalid_arguments_are_rejected(make, message):
    with pytest.raises(ValueError, match=message):
        make()


# ---------------------------------------------------------------------------------------------------
# The stream


@pytest.mark.parametrize("positions", [IN_ORDER, Positions(128, 100)])
def test_batch_is_a_function_of_seed_and_step(positions):
    one = stream("minimum", "insertion_sort", positions=positions)
    again = stream("minimum", "insertion_sort", positions=positions)
    batches = list(prefetch(one, 3, 6))
    for step, batch in zip((5, 4, 3), reversed(batches), strict=True):
        assert digest(again.batch(step)) == digest(batch)
    assert len({digest(batch) for batch in [*batches, one.batch(7)]}) == 4
    assert [one.task(step).name for step in range(3)] == ["minimum", "insertion_sort", "minimum"]


def test_shares_of_processes_make_up_the_batch():
    whole = stream("minimum", positions=Positions(128)).batch(4)
    tasks = stream("minimum").tasks
    shares = [TextStream(tasks, 6, 5, Positions(128), process, 3).batch(4) for process in range(3)]
    joined = jax.tree.map(lambda *parts: np.concatenate(parts), *shares)
    assert digest(joined) == digest(whole)


def test_batch_cycles_through_lengths_and_marks_answers():
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
# Attention and rotary positions


@pytest.mark.parametrize("positions", [IN_ORDER, RANDOM])
def test_logits_do_not_depend_on_later_tokens(model, params, positions):
    tokens = random_tokens(2, 9)
    position_ids = positions.draw(np.random.default_rng(3), 2, 9)
    logits = model.apply(params, tokens, position_ids)
    changed = tokens.copy()
    changed[:, 5:] = random_tokens(2, 4)[:, ::-1]
    other = model.apply(params, changed, position_ids)
    np.testing.assert_array_equal(logits[:, :5], other[:, :5])
    assert (np.abs(np.asarray(logits - other))[:, 5:].max(axis=-1) > 1e-3).all()


@pytest.mark.slow
def test_last_logits_depend_on_every_token(model, params):
    def last(embedded):
        return model.apply({**params, "transformer": {"embeddings": embedded}}, tokens, position_ids)[
            0, -1
        ].sum()

    tokens, position_ids = np.arange(2, 10, dtype=np.int32)[None], np.arange(8, dtype=np.int32)[None]
    gradient = jax.grad(last)(params["transformer"]["embeddings"])
    assert (np.abs(np.asarray(gradient))[2:10].max(axis=-1) > 1e-6).all()


@pytest.mark.slow
def test_inner_products_after_rotation_depend_on_relative_positions_only():
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


def test_logits_depend_on_relative_positions_only(model, params):
    tokens = random_tokens(2, 7)
    position_ids = RANDOM.draw(np.random.default_rng(3), 2, 7)
    logits = model.apply(params, tokens, position_ids)
    np.testing.assert_allclose(logits, model.apply(params, tokens, position_ids + 40), atol=2e-3)
    assert np.abs(np.asarray(logits - model.apply(params, tokens, 2 * position_ids))).max() > 0.05


# ---------------------------------------------------------------------------------------------------
# Generation


@pytest.mark.slow
@pytest.mark.parametrize("positions", [IN_ORDER, RANDOM])
def test_incremental_decoding_with_cache_equals_full_forward_pass(model, params, positions):
    tokens = random_tokens(3, 8)
    position_ids = positions.draw(np.random.default_rng(3), 3, 8)
    expected = np.asarray(model.apply(params, tokens, position_ids))
    caches, chunks = empty_caches(CONFIG, 3, 8), []
    logits, caches = model.extend(
        params, tokens[:, :3], position_ids[:, :3], np.tile(np.arange(3), (3, 1)), caches
    )
    chunks.append(logits)
    for index in range(3, 8):
        slots = np.full((3, 1), index)
        current = slice(index, index + 1)
        logits, caches = model.extend(params, tokens[:, current], position_ids[:, current], slots, caches)
        chunks.append(logits)
    np.testing.assert_allclose(np.concatenate(chunks, axis=1), expected, atol=1e-4, rtol=1e-4)


def generate_without_cache(model, params, question, positions, max_length):
    """Greedy decoding without a cache: a full forward pass for each token, with padding after it."""
    width, first = positions.shape[1], len(question)
    tokens = np.full((1, width), PADDING, np.int32)
    tokens[0, :first] = encode(question)
    for index in range(first, first + max_length):
        logits = np.array(model.apply(params, tokens, positions)[0, index - 1])
        logits[PADDING] = -np.inf
        tokens[0, index] = logits.argmax()
        if tokens[0, index] == END:
            break
    return decode(tokens[0])[first:]


@pytest.mark.parametrize("positions", [IN_ORDER, pytest.param(RANDOM, marks=pytest.mark.slow)])
def test_answers_equal_decoding_without_cache_in_any_batch(model, params, positions):
    # A bias makes `END` likely, so that answers have different lengths.
    params = {**params, "transformer/next": {**params["transformer/next"]}}
    params["transformer/next"]["b"] = params["transformer/next"]["b"].at[END].add(2.5)
    questions = ["bfs:", "minimum:\nkey: [0.1", "dfs:\n", "a", "minimum:\nkey: [0.12 0.5"]
    generator = AnswerGenerator(model, positions, batch_size=3, max_length=12)
    answers = generator(params, questions)
    for question, answer in zip(questions, answers, strict=True):
        tokens = encode(question)
        position_ids = generator._positions(tokens, bucket_width(len(tokens)) + 12)
        assert answer == generate_without_cache(model, params, question, position_ids, 12)
    assert len({len(answer) for answer in answers}) > 1
    assert generator(params, questions[::-1]) == answers[::-1]
    assert generator(params, questions[1:2]) == answers[1:2]
    assert generator(params, []) == []


@pytest.mark.slow
def test_generation_is_compiled_once_per_shape(model, params):
    generate = make_generate(model)
    for seed in (0, 1):
        questions = np.random.default_rng(seed).integers(2, NUM_TOKENS, (2, 5)).astype(np.int32)
        generate(params, questions, np.array([5, 3 + seed]), np.tile(np.arange(9), (2, 1)))
    assert generate._cache_size() == 1


def test_invalid_questions_are_rejected(model, params):
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
    assert AnswerGenerator(model, RANDOM, batch_size=1, max_length=1).max_length == 1


# ---------------------------------------------------------------------------------------------------
# Loss and training


def test_loss_covers_answer_tokens_only(model, params):
    texts = [Text("minimum:", "3\n\n"), Text("bfs:\n", "10\n\n")]
    batch = TextBatch.from_texts(texts, IN_ORDER.draw(np.random.default_rng(0), 2, 16))
    logits = np.asarray(model.apply(params, batch.tokens, batch.positions))
    loss, _ = jax.jit(answer_loss)(logits, batch)
    by_hand = []
    for row, text in enumerate(texts):
        tokens = [*encode(text.text), END]
        for index in range(len(text.question), len(tokens)):
            scores = logits[row, index - 1]
            by_hand.append(np.log(np.exp(scores).sum()) - scores[tokens[index]])
    assert len(by_hand) == 4 + 5
    assert float(loss.mean) == pytest.approx(np.mean(by_hand), rel=1e-5) and loss.count == len(by_hand)

    gradient = np.asarray(jax.jit(jax.grad(lambda logits: answer_loss(logits, batch)[0].mean))(logits))
    counts = np.abs(gradient).max(axis=-1) > 0
    expected = np.zeros_like(counts)
    expected[:, :-1] = batch.is_answer[:, 1:]
    np.testing.assert_array_equal(counts, expected)


def test_answer_is_exact_if_all_its_tokens_are():
    texts = [Text("a", "12"), Text("b", "3"), Text("c", "4")]
    batch = TextBatch.from_texts(texts, IN_ORDER.draw(np.random.default_rng(0), 3, 16))
    logits = 9.0 * np.asarray(jax.nn.one_hot(np.roll(batch.tokens, -1, axis=1), NUM_TOKENS))
    assert answer_loss(jnp.asarray(logits), batch)[1].mean == 1
    logits[1, 0] = 0
    logits[2, 5] = 0
    assert answer_loss(jnp.asarray(logits), batch)[1].mean == pytest.approx(2 / 3)


class Run:
    """A small training run."""

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
    uninterrupted = digest(run.fit(run.state(), 6))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(run.fit(run.state(), 3), 0.5, {})
    restored = DEVICES.put_state(checkpoints.restore(run.state()).state)
    assert digest(run.fit(restored, 6)) == uninterrupted


@pytest.mark.slow
def test_non_finite_loss_raises(model):
    run = Run(model)
    state = run.state()
    state = state.with_params(jax.tree.map(lambda leaf: leaf * jnp.inf, state.params))
    with pytest.raises(FloatingPointError, match=r"step 1 \(minimum\): loss/minimum is nan"):
        run.fit(state, 3)


@pytest.mark.slow
def test_model_memorizes_texts_and_generates_them(model):
    texts = [text for length in (2, 3) for text in stream("minimum").tasks[0].texts(length, 4, seed=1)]
    batch = TextBatch.from_texts(texts, IN_ORDER.draw(np.random.default_rng(0), 8, 48))
    optimizer = make_optimizer(1e-2, 1.0)
    step = make_text_step(model, optimizer)
    state = DEVICES.make_state(lambda: init_state(model, optimizer, {}, 0))
    on_devices = DEVICES.put_batch(batch)
    for _ in range(150):
        state, metrics = step(state, on_devices, "minimum")
    assert set(metrics) >= {"loss", "loss/minimum", "exact_match/minimum", "gradient_norm"}
    assert metrics["exact_match/minimum"] == 1
    assert metrics["loss"] < 0.05
    generator = AnswerGenerator(model, IN_ORDER, batch_size=8, max_length=8)
    answers = generator(state.params, [text.question for text in texts])
    assert answers == [text.answer for text in texts]
