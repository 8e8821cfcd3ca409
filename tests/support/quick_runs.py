"""Quick runs, for tests; see `experiments.fault_injection.quick_runs`."""

from experiments.fault_injection.compare_runs import metrics_of, outcome
from experiments.fault_injection.quick_runs import EVERY, STEPS, config_of, quick_runs

__all__ = ["EVERY", "STEPS", "config_of", "metrics_of", "outcome", "quick_runs"]
