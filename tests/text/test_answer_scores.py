"""Scores of answers: parsing of answers, and robustness to malformed completions and files."""

import json
import time

import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st

import nar
from nar.reports import answers_table, draw_accuracy
from nar.text import sample_texts
from nar.text.scoring import answer_files
from nar.text.scoring.answer_files import score_file
from nar.text.scoring.answer_scores import reference_value, score_answer


def scores(completion, answer):
    score = score_answer(completion, answer)
    return score.exact, score.elements, score.parsed


CORRECT, UNPARSED, WRONG_FORM = (1, 1, 1), (0, 0, 0), (0, 0, 1)


@pytest.mark.parametrize(
    ("completion", "answer", "expected"),
    [
        ("3\n\n", "3\n\n", CORRECT),
        ("3", "4", WRONG_FORM),
        ("3.0", "3", CORRECT),
        ("-3", "3", WRONG_FORM),
        ("0, 3", "0, 3\n\n", CORRECT),
        ("0 4", "0, 3\n\n", (0, 0.5, 1)),
        ("(1, 3)", "(0, 1) | (1, 3)\n\n", CORRECT),
        ("[1 2 3]", "[2 1 3] | [1 2 3]\n\n", CORRECT),
        ("[9 9 9] | [1 2 4]", "[2 1 3] | [1 2 3]\n\n", (0, 2 / 3, 1)),
        ("[1, 2, 3]", "[1 2 3]", CORRECT),
        ("[1 2]", "[1 2 3]", WRONG_FORM),
        ("1 2 3", "[1 2 3]", WRONG_FORM),
        ("[[0 1], [1 0]]", "[[0 1], [1 0]]", CORRECT),
        ("[[0 1] [1 1]]", "[[0 1], [1 0]]", (0, 0.75, 1)),
        ("[0 1 1 0]", "[[0 1], [1 0]]", WRONG_FORM),
        ("[0 1 2], 3", "[0 1 2], 3", CORRECT),
        ("[1e-05 0.5]", "[0.00001 0.5]", CORRECT),
        ("3\n\nbfs:\nA: [[1]]", "3", CORRECT),
        ("The answer is 3.", "3", CORRECT),
        ("First 5 and then 7, so that it is 3.", "3", CORRECT),
        ("Sorted: **[1 2 3]**, since 2 < 3.", "[1 2 3]", CORRECT),
        ("```\n[1 2 3]\n```", "[1 2 3]", CORRECT),
        ("As [1 2 4] is wrong, I take [1 2 3].\n\nDone!", "[1 2 3]", CORRECT),
        ("[1 2", "[1 2]", UNPARSED),
        ("1 2]", "[1 2]", UNPARSED),
        ("[]", "[1]", UNPARSED),
        ("", "3", UNPARSED),
        ("nan", "3", UNPARSED),
        ("inf", "3", UNPARSED),
        ("٣", "3", UNPARSED),
        ("³", "3", UNPARSED),
        ("1_0", "10", UNPARSED),
        ("0x3", "3", UNPARSED),
        ("1e999", "3", WRONG_FORM),
        (None, "3", UNPARSED),
        (3, "3", UNPARSED),
        (["3"], "3", UNPARSED),
        ({"text": "3"}, "3", UNPARSED),
    ],
)
def test_score_of_an_answer(completion, answer, expected):
    assert scores(completion, answer) == expected


@pytest.mark.parametrize(
    "name", ["minimum", "topological_sort", "bridges", "segments_intersect", "binary_search"]
)
@pytest.mark.parametrize("use_hints", [False, True])
def test_every_reference_is_a_correct_answer_to_itself(name, use_hints):
    for text in sample_texts(name, 5, 5, 0, use_hints=use_hints):
        assert scores(text.answer, text.answer) == CORRECT
        assert scores(f"I think it is {text.answer.rpartition('|')[2].strip()}!", text.answer) == CORRECT


@pytest.mark.parametrize("answer", ["", "none", "[1 2", "[]", "3 |", None, 3])
def test_invalid_reference_is_rejected(answer):
    with pytest.raises(ValueError, match="the reference is not an answer of CLRS-Text"):
        reference_value(answer)


@pytest.mark.parametrize(
    "junk",
    [
        "[" * 10**6,
        "[" * 10**6 + "1" + "]" * 10**6,
        "9" * 10**8,
        "1 " * 50_000,
        "-" * 100_000,
        "1." * 50_000,
        "[1 " * 30_000,
        "a1" * 50_000,
        "\n \n" * 30_000,
        "\n" * 100_000 + "x",
        "\n" + " " * 99_000 + "x",
        "|" * 100_000,
        "\0" * 1000,
        "\ud800" * 1000,
        "1e9999" * 1000,
    ],
    ids=lambda junk: f"{len(junk)} of {junk[:3]!r}",
)
def test_malformed_completions_score_0_in_bounded_time(junk):
    start = time.process_time()
    assert scores(junk, "[1 2]")[:2] == (0, 0)
    assert time.process_time() - start < 2


pieces = st.sampled_from(
    ["1", "2", "[", "]", "(", ")", ",", " ", "\n", "|", ".", "-", "e", "nan", "x", "٣", "\0"]
)


@given(
    st.lists(pieces, max_size=30).map("".join) | st.text(),
    st.sampled_from(["1", "[1 2]", "[[1 2], [2 1]]", "1, 2"]),
)
def test_every_completion_has_a_valid_score(completion, answer):
    exact, elements, parsed = scores(completion, answer)
    assert exact <= elements <= parsed <= 1
    assert exact in (0, 1)


# ---------------------------------------------------------------------------------------------------
# Files


def row(completion, answer="3\n\n", algorithm="minimum", length=4, **more):
    return {"completion": completion, "answer": answer, "algorithm": algorithm, "length": length, **more}


def write(path, rows):
    path.write_bytes(b"\n".join(r if isinstance(r, bytes) else json.dumps(r).encode() for r in rows) + b"\n")
    return path


def test_scores_of_a_file_of_answers(tmp_path):
    rows = [
        row("3"),
        row("4"),
        row("[1 2]", "[1 3]", "quicksort", 5),
        row("[1 2]", "[1 2]", "quicksort", 7, question="ignored"),
        row(None),
        row({"a": 1}),
        b"",
        {key: value for key, value in row("").items() if key != "completion"},
    ]
    scored = score_file(write(tmp_path / "answers.jsonl", rows)).as_json()
    lengths = scored["algorithms"]["minimum"]["lengths"]
    assert lengths == {"4": {"answers": 5, "exact": 0.2, "elements": 0.2, "parsed": 0.4}}
    assert scored["algorithms"]["quicksort"]["all"] == {
        "answers": 2,
        "exact": 0.5,
        "elements": 0.75,
        "parsed": 1.0,
    }
    assert scored["all"]["answers"] == 7
    assert scored["unreadable"] == {"count": 0, "first": []}


JUNK = [
    b"\x00\xff\xfe binary",
    b"no json",
    b"[1, 2]",
    b"3",
    b"null",
    b"[" * 10**6,
    b'{"completion": ' + b"[" * 10**6,
    row("3", algorithm=3),
    row("3", algorithm="a\nb"),
    row("3", algorithm="\ud800"),
    row("3", length="4"),
    row("3", length=True),
    row("3", length=-1),
    b'{"completion": "3", "answer": "3", "algorithm": "minimum", "length": ' + b"9" * 10_000 + b"}",
    row("3", answer=3),
    row("3", answer="none"),
    {"completion": "3"},
]


def test_unreadable_lines_are_counted(tmp_path):
    scored = score_file(write(tmp_path / "answers.jsonl", [row("3"), *JUNK])).as_json()
    assert scored["unreadable"]["count"] == len(JUNK)
    assert scored["unreadable"]["first"][0] == {"line": 2, "problem": "not JSON"}
    assert scored["all"]["answers"] == 1 + len(JUNK)
    assert scored["all"]["exact"] == 1 / (1 + len(JUNK))
    assert f"{'unreadable lines':<16}" in answers_table(scored)


@pytest.mark.parametrize("junk", [[], [b""], *([line] for line in JUNK)], ids=range(len(JUNK) + 2))
def test_file_without_answers_is_rejected(tmp_path, junk):
    with pytest.raises(ValueError, match=r"answers.jsonl holds no answers; line 1: "):
        score_file(write(tmp_path / "answers.jsonl", junk))


def test_too_long_lines_are_unreadable(tmp_path, monkeypatch):
    monkeypatch.setattr(answer_files, "MAX_LINE_BYTES", 1000)
    path = write(tmp_path / "answers.jsonl", [row("9" * 5000), row("3"), row("9" * 1000)])
    scored = score_file(path).as_json()
    assert [line["line"] for line in scored["unreadable"]["first"]] == [1, 3]
    assert scored["all"]["answers"] == 3


def test_answers_refer_to_references_by_index(tmp_path):
    references = write(tmp_path / "set.jsonl", [row("", "3"), row("", "4", length=5), row("", "5")])
    answers = [{"index": 1, "completion": "4"}, {"index": 0, "completion": "9"}]
    bad = [
        {"index": 1, "completion": "4"},
        {"index": 3, "completion": "4"},
        {"index": True},
        {"completion": "5"},
    ]
    path = write(tmp_path / "answers.jsonl", [*answers, *bad])
    scored = score_file(path, references).as_json()
    lengths = scored["algorithms"]["minimum"]["lengths"]
    assert lengths["5"] == {"answers": 1, "exact": 1.0, "elements": 1.0, "parsed": 1.0}
    assert lengths["4"] == {"answers": 2, "exact": 0.0, "elements": 0.0, "parsed": 0.5}
    problems = [line["problem"] for line in scored["unreadable"]["first"]]
    assert problems[0] == "reference 1 is answered twice"
    assert set(problems[1:]) == {"`index` must be the index of a reference, from 0 to 2"}
    with pytest.raises(ValueError, match=r"set.jsonl, line 2: `length` must be"):
        score_file(path, write(tmp_path / "set.jsonl", [row("", "3"), row("", "4", length=-1)]))


READABLE = json.dumps(row("3")).encode()


@given(st.lists(st.binary(max_size=40) | st.just(READABLE), max_size=8))
def test_file_of_arbitrary_bytes_is_scored_or_rejected(lines):
    import pathlib
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "answers.jsonl"
        path.write_bytes(b"\n".join(lines))
        readable = lines.count(READABLE)
        if readable:
            total = score_file(path).total()
            assert total.exact == readable <= total.count
        else:
            with pytest.raises(ValueError, match="holds no answers; line"):
                score_file(path)


@pytest.mark.slow
def test_table_and_plot_of_scores(tmp_path):
    rows = [row("3", algorithm=name, length=length) for name in list(nar.ALGORITHMS)[:7] for length in (4, 9)]
    scored = score_file(write(tmp_path / "answers.jsonl", rows)).as_json()
    table = answers_table(scored).splitlines()
    assert table[0].split() == ["algorithm", "length", "answers", "exact", "elements", "parsed"]
    assert table[2].split() == ["activity_selector", "4", "1", "100.00%", "100.00%", "100.00%"]
    assert len(table) == 2 + 7 * 3 + 1
    pytest.importorskip("matplotlib")
    assert draw_accuracy(scored, {"bfs": (4, 5)}, tmp_path / "accuracy.png")
    assert (tmp_path / "accuracy.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_score_text_command(tmp_path):
    path = write(tmp_path / "answers.jsonl", [row("3"), b"junk"])
    code, output, errors = run("score_text", f"--answers={path}")
    assert code == 0, errors
    assert "line 2 is unreadable: not JSON" in output
    written = json.loads((tmp_path / "answers.scores" / "scores.json").read_text())
    assert written["all"]["exact"] == 0.5
    path.write_text("junk")
    code, _, errors = run("score_text", f"--answers={path}")
    assert code == 1
    assert "holds no answers; line 1: not JSON" in errors
