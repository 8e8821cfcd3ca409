"""Runs the Python code in a file: `python tests/support/run_code.py PATH`."""

import pathlib
import sys

if __name__ == "__main__":
    exec(compile(pathlib.Path(sys.argv[1]).read_text(), sys.argv[1], "exec"), {"__name__": "__main__"})
