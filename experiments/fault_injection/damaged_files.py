"""Damage of files of runs, texts, answers and traces: what uses them recovers, or refuses in one line."""

import contextlib
import dataclasses
import pathlib
import shutil
from collections.abc import Callable, Sequence
from unittest import mock

import numpy as np

import nar
from experiments.fault_injection.compare_runs import metrics_of, outcome
from experiments.fault_injection.damages import DAMAGES
from experiments.fault_injection.echo_answers import answer
from experiments.fault_injection.quick_runs import config_of
from nar.reports.run_report import read_records
from nar.runs import train
from nar.runs.workdir import Workdir
from nar.text.rendering.text_files import TextRequest, claim_folder, find_intact_files, write_manifest
from nar.text.scoring import ANSWERS, answer_questions
from nar.text.scoring.answer_files import score_file
from nar.traces.io import load_traces, save_traces
from nar.training import ShowProgress, StepReport
from nar.training.checkpointing import LostCheckpointError
from nar.training.state import digest

REFUSALS = (ValueError, OSError)
"""Errors that end a command with one line."""

REQUEST = TextRequest({"minimum": (4, 5), "bfs": (4,)}, samples=6, seeds=(3,))


class _Model:
    """The model that answers with the ends of questions."""

    identity, batch_size = {"name": "echo"}, 4

    def check(self, questions: Sequence[str]) -> None:
        """Accepts all questions."""

    def load(self) -> Callable[[Sequence[str]], Sequence[str]]:
        """The function that answers."""
        return answer


@dataclasses.dataclass(frozen=True)
class Target:
    """A folder whose files are damaged.

    Attributes:
      name: its name.
      folder: an intact copy.
      use: (damaged copy, path of the damaged file in it) -> names of wrong results; errors in `REFUSALS` are
        none.
    """

    name: str
    folder: pathlib.Path
    use: Callable[[pathlib.Path, pathlib.Path], list[str]]


def deleted(path: pathlib.Path, random: np.random.Generator) -> None:
    """Removes a file."""
    path.unlink()


def make_targets(root: pathlib.Path) -> list[Target]:
    """Makes the intact folders; to be called, and the targets to be used, within `quick_runs()`."""
    finished, unfinished = _make_runs(root)
    best = nar.load_run(finished)
    expected = digest(best.state)

    def resumed(folder: pathlib.Path, file: pathlib.Path) -> list[str]:
        if file.name != "result.json":
            (folder / "result.json").unlink(missing_ok=True)
        try:
            nar.train(config_of(), folder)
        except LostCheckpointError as error:
            return [] if f"step {best.step} " in str(error) else [f"another checkpoint is missed: {error}"]
        workdir = Workdir(folder)
        metrics = file.name != "metrics.jsonl" and metrics_of(workdir) != metrics_of(Workdir(finished))
        return ["result"] * (outcome(workdir) != outcome(Workdir(finished))) + ["metrics"] * metrics

    def read(folder: pathlib.Path, file: pathlib.Path) -> list[str]:
        before = sorted(folder.rglob("*"))
        wrong = []
        for use in (lambda: digest(nar.load_run(folder).state) == expected, lambda: read_records([folder])):
            try:
                wrong += [] if use() else ["parameters"]
            except REFUSALS:
                continue
        return wrong + ["files changed"] * (sorted(folder.rglob("*")) != before)

    return [
        Target("resumed finished run", finished, resumed),
        Target("resumed unfinished run", unfinished, resumed),
        Target("loaded run and report", finished, read),
        *_make_texts(root),
        _make_traces(root),
    ]


def _make_runs(root: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A finished run, and one that was killed after step 10 of 12."""
    finished, unfinished = root / "finished", root / "unfinished"
    nar.train(config_of(), finished)

    def killed(self: ShowProgress, report: StepReport) -> None:
        if report.step == 10:
            raise KeyboardInterrupt

    with mock.patch.object(train.ShowProgress, "on_step", killed), contextlib.suppress(KeyboardInterrupt):
        nar.train(config_of(), unfinished)
    return finished, unfinished


def _make_texts(root: pathlib.Path) -> list[Target]:
    """A set of texts, and answers."""
    texts, answers = root / "texts", root / "answers"

    def make(folder: pathlib.Path) -> None:
        claim_folder(folder, REQUEST)
        entries, _ = find_intact_files(folder, REQUEST)
        for file in REQUEST.files():
            entries[file.name] = entries.get(file.name) or file.write(folder, REQUEST)
        write_manifest(folder, REQUEST, entries)

    def made_again(folder: pathlib.Path, file: pathlib.Path) -> list[str]:
        make(folder)
        names = [one.name for one in (*REQUEST.files(), texts / "manifest.json")]
        return [name for name in names if (folder / name).read_bytes() != (texts / name).read_bytes()]

    def answered_again(folder: pathlib.Path, file: pathlib.Path) -> list[str]:
        try:
            intact = score_file(folder / ANSWERS).as_json()
            wrong = ["scores"] if intact != expected and not intact["unreadable"]["count"] else []
        except REFUSALS:
            wrong = []
        list(answer_questions(folder, REQUEST, _Model()))
        same = (folder / ANSWERS).read_bytes() == (answers / ANSWERS).read_bytes()
        return wrong + ([] if same else ["answers"])

    make(texts)
    list(answer_questions(answers, REQUEST, _Model()))
    expected = score_file(answers / ANSWERS).as_json()
    return [Target("texts", texts, made_again), Target("answers", answers, answered_again)]


def _make_traces(root: pathlib.Path) -> Target:
    folder = root / "traces"
    folder.mkdir()
    batch = nar.sample_traces("bfs", 4, 3, 0)
    save_traces(folder / "bfs.npz", batch, name="bfs")

    def loaded(damaged: pathlib.Path, file: pathlib.Path) -> list[str]:
        stored = load_traces(damaged / "bfs.npz")
        return [] if digest(stored.batch) == digest(batch) else ["traces"]

    return Target("traces", folder, loaded)


def damage_and_use(target: Target, copy: pathlib.Path, random: np.random.Generator) -> tuple[str, list[str]]:
    """Damages a random file of a copy, and uses the copy.

    Returns:
      A description: the target, the damage, and whether it was refused; and what is wrong, if anything.

    Raises:
      Exception: of any type but those in `REFUSALS`.
    """
    shutil.copytree(target.folder, copy)
    files = sorted(path for path in copy.rglob("*") if path.is_file() and not path.name.startswith(".lock"))
    file = files[random.integers(len(files))]
    damage = (*DAMAGES, deleted)[random.integers(len(DAMAGES) + 1)]
    damage(file, random)
    name = f"{target.name}: file {damage.__name__.replace('_', ' ')}"
    try:
        wrong = target.use(copy, file)
    except REFUSALS as error:
        has_reason = bool(str(error).strip())
        return f"{name}, refused", [] if has_reason else ["an error without a message"]
    return name, [f"{file.relative_to(copy)}: {one}" for one in wrong]
