"""One insight on a finished run, in a sentence."""

import re
from collections.abc import Mapping
from typing import Any

from nar.problems.options import CLRS30


def insight(result: Mapping[str, Any]) -> str:
    """A sentence on where the network of a run fails: its weakest algorithm at the largest size.

    Args:
      result: content of `result.json`, with the scores of splits, algorithms and sizes.

    Returns:
      A comparison of single entries with whole answers, if the metric `exact` was computed; or else of the
      sizes of validation and test. Then the graph family with the lowest score, if there are several. Empty
      if the result has none of these.
    """
    scores = result.get("scores", {})
    test = {task: _largest(sizes) for task, sizes in scores.get("test", {}).items() if sizes}
    if not test:
        return ""
    task = min(test, key=lambda name: test[name][1]["score"])
    sentences = [_comparison(task, test, scores), _weakest_family(scores["test"][task])]
    text = " ".join(sentence for sentence in sentences if sentence)
    return f"Insight: {text}" if text else ""


def _comparison(
    task: str, test: Mapping[str, tuple[str, Mapping[str, float]]], scores: Mapping[str, Any]
) -> str:
    """The sentence on the exact answers of a task, or on its sizes."""
    size, values = test[task]
    subject = f"{task} at n = {size}" if len(test) == 1 else f"the weakest is {task}: at n = {size}"
    if "exact" in values:
        return f"{subject}, {_answers(values)}"
    seen, before = _largest(scores.get("validation", {}).get(task) or {"": {}})
    if "score" not in before or seen == size:
        return ""
    change = values["score"] - before["score"]
    verb = "keeps its score" if abs(change) < 0.005 else "loses" if change < 0 else "gains"
    amount = "" if abs(change) < 0.005 else f" {abs(change):.1%} of the score"
    return f"{subject}, the network {verb}{amount} relative to n = {seen}, the size of validation."


def _answers(values: Mapping[str, float]) -> str:
    """The part of the sentence on single entries, exact answers and valid ones."""
    score, exact, valid = values["score"], values["exact"], values.get("valid")
    if exact == 1:
        return (
            "every answer is exactly that of the algorithm: larger sizes and other graph families are harder."
        )
    text = f"{score:.1%} of the entries are correct, and {exact:.1%} of the answers in every entry"
    if valid is None:
        return f"{text}."
    if valid > exact:
        return f"{text}; {valid:.1%} are valid: some differ from the algorithm's, but solve the problem."
    return f"{text}; none of the other answers is valid."


def _weakest_family(sizes: Mapping[str, Mapping[str, float]]) -> str:
    """A sentence on the graph family with the lowest score at the largest size; empty for one family."""
    largest = _largest(sizes)[0].partition(",")[0]
    families: dict[str, float] = {}
    for label, values in sizes.items():
        size, _, family = label.partition(", ")
        if size == largest:
            families[family or CLRS30] = values["score"]
    weakest = min(families, key=lambda name: families[name])
    if len(families) < 2 or families[weakest] == max(families.values()):
        return ""
    others = ", ".join(f"{name} {score:.1%}" for name, score in families.items() if name != weakest)
    return f"The hardest graph family is {weakest}: {families[weakest]:.1%} (others: {others})."


def _largest(sizes: Mapping[str, Mapping[str, float]]) -> tuple[str, Mapping[str, float]]:
    """The largest size with its scores; sets of problems are labeled by their size first."""

    def size(item: tuple[str, Mapping[str, float]]) -> int:
        number = re.search(r"\d+", item[0])
        return int(number[0]) if number else 0

    return max(sizes.items(), key=size)
