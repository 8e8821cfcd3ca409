"""The components that a config describes: tasks, network, optimizer, objective, training data, evaluation."""

from nar.runs.components.base import RunComponents
from nar.runs.components.graph import GraphComponents, build_graph_run
from nar.runs.components.text import TextComponents, build_text_run

__all__ = ["GraphComponents", "RunComponents", "TextComponents", "build_graph_run", "build_text_run"]
