"""Trains, loads and evaluates a run from Python, as with a wheel: only `nar` can be imported.

    python tests/support/library_run.py CONFIG.json WORKDIR

CONFIG.json is that of another run. Training is interrupted once. Prints what is left as JSON.
"""

import importlib.abc
import json
import pathlib
import signal
import sys

BLOCKED = ("configs", "experiments", "ml_collections")


class Blocked(importlib.abc.MetaPathFinder):
    """Lets no module of the repository outside `nar` be found, nor those that only scripts need."""

    def find_spec(self, name, path=None, target=None):
        if name in BLOCKED:
            raise ModuleNotFoundError(f"{name} is not part of the wheel")
        return


def main(config_file, workdir):
    import nar
    from nar.runs import train
    from nar.runs.train import Interrupted

    values = json.loads(pathlib.Path(config_file).read_text())
    del values["sha256"]
    config = nar.RunConfig.from_dict(values, complete=True)
    shown, interrupted = train.ShowProgress.on_step, False
    train.ShowProgress.on_step = lambda self, report: (
        signal.raise_signal(signal.SIGINT) if report.step == 15 else shown(self, report)
    )
    try:
        nar.train(config, workdir)
    except Interrupted:
        interrupted = True
    run = nar.train(config, workdir)
    loaded = nar.load_run(workdir)
    prediction = loaded.predict("bfs", A=[(0, 1), (1, 2)], s=0)
    content = {
        "interrupted": interrupted,
        "result": run.result,
        "evaluated": loaded.evaluate(),
        "sizes": loaded.evaluate(sizes=(64,)),
        "pi": prediction.outputs["pi"].tolist(),
        "is_same_config": loaded.config == config,
    }
    print(json.dumps(content))


if __name__ == "__main__":
    sys.path[0] = str(pathlib.Path(__file__).parents[2])
    sys.meta_path.insert(0, Blocked())
    main(*sys.argv[1:])
