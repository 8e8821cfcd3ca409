"""Answers of any language model (runs, functions, Hugging Face checkpoints), and their resumption."""

import json

import pytest

from experiments.cli.language_models import open_model
from nar.algorithms import ALGORITHMS
from nar.reports import draw_accuracies
from nar.text.rendering.text_files import TextRequest
from nar.text.scoring import ANSWERS, answer_questions, rows_of
from nar.text.scoring.answer_files import score_file
from nar.text.scoring.answer_questions import check_completions

REQUEST = TextRequest({"minimum": (4, 6), "bfs": (4,)}, samples=3, seeds=(3,), decimals=2)


def answer_minimum(questions):
    """Correct answers to questions about `minimum`, and no answers to others."""
    return [_answer_minimum(question) for question in questions]


def _answer_minimum(question):
    if not question.startswith("minimum:"):
        return "I do not know."
    keys = [float(word) for word in question.partition("[")[2].partition("]")[0].split()]
    return f"{keys.index(min(keys))}\n\n"


class Model:
    """A model that answers `minimum`, and raises at its `fail_at`-th batch."""

    batch_size = 2

    def __init__(self, fail_at=0, name="right"):
        self.identity = {"name": name}
        self.batches, self._fail_at = [], fail_at

    def check(self, questions):
        assert len(questions) == 9

    def load(self):
        return self

    def __call__(self, questions):
        self.batches.append(list(questions))
        if len(self.batches) == self._fail_at:
            raise RuntimeError("the connection is lost")
        return answer_minimum(questions)


def answer(folder, model, request=REQUEST):
    return list(answer_questions(folder, request, model))


def test_rows_follow_the_order_of_the_request():
    rows = list(rows_of(REQUEST))
    assert [(row["algorithm"], row["length"]) for row in rows[::3]] == [
        ("minimum", 4),
        ("minimum", 6),
        ("bfs", 4),
    ]
    assert {row["question"] + row["answer"] == row["text"] for row in rows} == {True}


def test_correct_answers_are_scored_as_exact(tmp_path):
    assert answer(tmp_path / "new" / "folder", Model()) == [0, 2, 4, 6, 8, 9]
    scores = score_file(tmp_path / "new" / "folder" / ANSWERS).as_json()["algorithms"]
    assert scores["minimum"]["all"] == {"answers": 6, "exact": 1, "elements": 1, "parsed": 1}
    assert scores["bfs"]["all"] == {"answers": 3, "exact": 0, "elements": 0, "parsed": 0}


def test_resumed_answers_equal_uninterrupted_ones(tmp_path):
    answer(tmp_path / "uninterrupted", Model())
    folder = tmp_path / "interrupted"
    with pytest.raises(RuntimeError, match="connection is lost"):
        answer(folder, Model(fail_at=3))
    assert not (folder / ANSWERS).exists()
    part = folder / f"{ANSWERS}.part"
    assert part.read_bytes().count(b"\n") == 4
    part.write_bytes(part.read_bytes()[:-20])  # as if killed while writing
    model = Model()
    assert answer(folder, model) == [3, 5, 7, 9]
    assert sum(map(len, model.batches)) == 6
    assert not part.exists()
    assert (folder / ANSWERS).read_bytes() == (tmp_path / "uninterrupted" / ANSWERS).read_bytes()

    model = Model()
    assert answer(folder, model) == [9]
    assert model.batches == []


def test_damaged_partial_answers_are_generated_again(tmp_path):
    answer(tmp_path, Model())
    expected = (tmp_path / ANSWERS).read_bytes()
    part = tmp_path / f"{ANSWERS}.part"
    for damage in (b"", b"{}\n", b"\xff\n", expected.replace(b"minimum", b"maximum"), expected + b"{}\n"):
        (tmp_path / ANSWERS).unlink()
        part.write_bytes(damage)
        answer(tmp_path, Model())
        assert (tmp_path / ANSWERS).read_bytes() == expected


@pytest.mark.parametrize("request_", ["", "{", "[]", "{}", '{"lengths": 1, "samples": 1, "seeds": [1]}'])
def test_answers_with_a_damaged_request_are_not_scored(tmp_path, request_):
    """Half of them may be missing."""
    answer(tmp_path, Model())
    (tmp_path / "request.json").write_text(request_)
    with pytest.raises(
        ValueError, match=r"request.json does not say how many answers answers.jsonl must have"
    ):
        score_file(tmp_path / ANSWERS)
    (tmp_path / "request.json").unlink()
    assert score_file(tmp_path / ANSWERS).total().count == 9


def test_damaged_answers_are_kept_under_names_of_their_own(tmp_path):
    """Answers may have been costly: those after a damaged line are kept."""
    answer(tmp_path, Model())
    expected = (tmp_path / ANSWERS).read_bytes()
    lines, part = expected.splitlines(keepends=True), tmp_path / f"{ANSWERS}.part"
    changed = [b"".join([lines[0], b"{}\n", *lines[number:]]) for number in (2, 3)]
    for content in changed:
        (tmp_path / ANSWERS).rename(part)
        part.write_bytes(content)
        assert answer(tmp_path, Model())[0] == 1
    kept = [tmp_path / f"{part.name}.damaged{suffix}" for suffix in ("", ".2")]
    assert [path.read_bytes() for path in kept] == changed
    (tmp_path / ANSWERS).rename(part)
    part.write_bytes(b"".join(lines[:3]) + lines[3][:-5])  # Of a process that was killed.
    assert answer(tmp_path, Model())[0] == 3
    assert sorted(tmp_path.glob("*.damaged*")) == kept and (tmp_path / ANSWERS).read_bytes() == expected


def test_changed_finished_answers_are_noticed(tmp_path, caplog):
    """By evaluate_text, which asks the rest again, and by score_text, which does not score a part of them."""
    answer(tmp_path, Model())
    expected = (tmp_path / ANSWERS).read_bytes()
    lines = expected.splitlines(keepends=True)
    half, changed = b"".join(lines[:4]), expected.replace(b"I do not know", b"I do not care", 1)
    for damaged, intact in (
        (half, 4),
        (changed, 6),
        (b"", 0),
        (expected + lines[0], 9),
        (b"".join(lines[1:]), 0),
    ):
        (tmp_path / ANSWERS).write_bytes(damaged)
        if damaged not in (b"", changed):
            with pytest.raises(ValueError, match=r"answers, but .*request.json requests 9"):
                score_file(tmp_path / ANSWERS)
        caplog.clear()
        assert answer(tmp_path, Model())[0] == intact
        assert f"is damaged: {intact} of its 9 answers are as they were written" in caplog.text
        assert (tmp_path / ANSWERS).read_bytes() == expected
        (kept,) = tmp_path.glob("*.damaged")
        assert kept.name == f"{ANSWERS}.damaged" in caplog.text and kept.read_bytes() == damaged
        kept.unlink()
    (tmp_path / ANSWERS).write_bytes(changed)
    unreadable = score_file(tmp_path / ANSWERS).as_json()["unreadable"]
    assert unreadable["count"] == 1 and "does not match its `checksum`" in unreadable["first"][0]["problem"]
    (tmp_path / "copy.jsonl").write_bytes(half)
    assert score_file(tmp_path / "copy.jsonl").total().count == 4


def test_folder_of_another_request_or_model_is_rejected(tmp_path):
    answer(tmp_path, Model())
    other = TextRequest({"minimum": (4, 7), "bfs": (4,)}, samples=3, seeds=(3,), decimals=2)
    with pytest.raises(ValueError, match=r"another request.*\n +lengths: .*\[4, 6\].* saved, .*\[4, 7\]"):
        answer(tmp_path, Model(), other)
    with pytest.raises(ValueError, match=r"model: {.name.: .right.} saved, {.name.: .wrong.} requested"):
        answer(tmp_path, Model(name="wrong"))
    (tmp_path / "request.json").unlink()
    with pytest.raises(ValueError, match="holds answers, but no request.json"):
        answer(tmp_path, Model())


@pytest.mark.parametrize(
    "completions", ["ab", b"ab", None, 5, ["a"], ["a", None], ["a", 5], {"a": 1, "b": 2}]
)
def test_completions_must_be_one_string_per_question(completions):
    with pytest.raises(ValueError, match="must return a string for each of 2 questions, got"):
        check_completions(completions, 2)
    assert check_completions(("a", "b"), 2) == check_completions(iter("ab"), 2) == ["a", "b"]


# ---------------------------------------------------------------------------------------------------
# Models by name


def test_function_receives_single_questions_or_batches(monkeypatch, tmp_path):
    (tmp_path / "my_answers.py").write_text(
        "def one(question):\n    return question[:3]\n\n"
        "def many(questions):\n    return [question[:3] for question in questions]\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    one = open_model("my_answers:one")
    many = open_model("my_answers:many", batch_size=4)
    assert (one.batch_size, many.batch_size) == (1, 4)
    assert (one.label, many.identity) == ("my_answers.one", {"function": "my_answers:many"})
    questions = ["bfs:\n", "minimum:"]
    assert one.load()(questions) == many.load()(questions) == ["bfs", "min"]
    with pytest.raises(ValueError, match="my_answers has no model 'two'; it has: one, many"):
        open_model("my_answers:two")


@pytest.mark.parametrize("name", ["nothing", "", "/nowhere/at/all"])
def test_unknown_model_name_is_rejected(name):
    with pytest.raises(ValueError, match="must be the workdir of a run, module:FUNCTION, or a checkpoint"):
        open_model(name)


def test_folder_without_a_model_is_rejected(tmp_path):
    with pytest.raises(ValueError, match="must be the workdir of a run"):
        open_model(str(tmp_path))
    (tmp_path / "config.json").write_text("[")
    with pytest.raises(ValueError, match="must be the workdir of a run"):
        open_model(str(tmp_path))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny GPT-2 with a character-level tokenizer, written by `save_pretrained`."""
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("models") / "tiny"
    characters = ["<end>", *map(chr, [10, *range(32, 127)])]
    vocabulary = {character: token for token, character in enumerate(characters)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="?"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex("."), "isolated")
    tokenizer.decoder = tokenizers.decoders.Fuse()
    torch.manual_seed(0)
    config = transformers.GPT2Config(
        vocab_size=len(characters),
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=256,
        eos_token_id=0,
        bos_token_id=0,
    )
    model = transformers.GPT2LMHeadModel(config)
    with torch.no_grad():
        for weights in model.parameters():
            weights.mul_(3)
    model.save_pretrained(folder)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>").save_pretrained(
        folder
    )
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_hugging_face_answers_equal_greedy_decoding(checkpoint, tmp_path):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    opened = open_model(str(checkpoint), max_length=7, batch_size=3)
    assert opened.label == "tiny"
    generate = opened.load()
    questions = ["bfs:\n", "minimum:\nkey: [0.1 0.23]\nmin:\n", "a"]
    answers = generate(questions)
    model = transformers.AutoModelForCausalLM.from_pretrained(checkpoint).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint)
    for question, completion in zip(questions, answers, strict=True):
        tokens = tokenizer(question)["input_ids"]
        first = len(tokens)
        assert first == len(question)
        while len(tokens) < first + 7:
            with torch.no_grad():
                tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
            if tokens[-1] == 0:
                break
        assert completion == tokenizer.decode(tokens[first:], skip_special_tokens=True)
    assert len(set(answers)) == 3
    assert [generate([question])[0] for question in questions] == answers

    request = TextRequest({"minimum": (4,)}, samples=5, seeds=(3,), decimals=2)
    assert list(answer_questions(tmp_path, request, opened)) == [0, 3, 5]
    assert score_file(tmp_path / ANSWERS).as_json()["all"]["answers"] == 5


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_damaged_hugging_face_checkpoint_is_rejected(checkpoint, tmp_path):
    (tmp_path / "config.json").write_text((checkpoint / "config.json").read_text())
    with pytest.raises(ValueError, match=f"{tmp_path} cannot be loaded by transformers: "):
        open_model(str(tmp_path)).load()


def test_missing_transformers_names_the_extra_to_install(tmp_path, monkeypatch):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(
        ValueError, match=r"transformers is not installed: pip install 'nar-jax\[hugging_face\]'"
    ):
        open_model(str(tmp_path)).load()


# ---------------------------------------------------------------------------------------------------
# Plot


def test_accuracies_of_several_models_are_drawn_in_one_plot(tmp_path):
    answer(tmp_path, Model())
    scores = score_file(tmp_path / ANSWERS).as_json()
    other = {**scores, "algorithms": {"minimum": scores["algorithms"]["minimum"]}}
    assert draw_accuracies({"one": scores, "two": other}, {"minimum": (4, 5)}, tmp_path / "all.png")
    assert (tmp_path / "all.png").read_bytes().startswith(b"\x89PNG")
    assert set(scores["algorithms"]) < set(ALGORITHMS)
