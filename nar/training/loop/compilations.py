"""How many programs a process has compiled, and how long that took."""

import threading
from collections import Counter

import jax

_TRACED = "/jax/core/compile/jaxpr_trace_duration"
_LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
_COMPILED = "/jax/core/compile/backend_compile_duration"

GRADIENTS = "compute_gradients"
"""What the first half of a training step is called; each shape of a batch has a program."""

UPDATES = "update_state"
"""What its second half is called; each task has a program."""

PREDICTIONS = ("predict", "generate")
"""What evaluations are called."""


class Compilations:
    """Counts from when it is made; jax tells it of each program, be it compiled or read from a cache.

    Attributes:
      seconds: spent on tracing, lowering and compiling, in all threads.
      seconds_here: the same in the thread that made this, which could do nothing else.
      programs: how many there were, by the name of the compiled function.
    """

    def __init__(self) -> None:
        """Begins to listen."""
        self.seconds = self.main_thread_seconds = 0.0
        self.programs: Counter[str] = Counter()
        self._thread, self._lock = threading.get_ident(), threading.Lock()
        self._traced: dict[tuple[int, str], float] = {}
        jax.monitoring.register_event_duration_secs_listener(self._hear)

    def close(self) -> None:
        """Listens no more."""
        jax.monitoring.unregister_event_duration_listener(self._hear)

    def __str__(self) -> str:
        """What a run prints at its end."""
        gradients, updates = self.programs[GRADIENTS], self.programs[UPDATES]
        evaluation = sum(map(self.programs.__getitem__, PREDICTIONS))
        others = self.programs.total() - gradients - updates - evaluation
        return (
            f"Compiled programs: {gradients} of gradients, {updates} of updates, {evaluation} of evaluation, "
            f"{others} small ones; {self.seconds:.1f} s, {self.main_thread_seconds:.1f} s of it in the main thread."
        )

    def _hear(self, event: str, duration_secs: float, **facts: str | int) -> None:
        name = str(facts.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
        thread = threading.get_ident()
        if event == _TRACED:
            # Functions within others are traced too; only those that are lowered by themselves count.
            self._traced[thread, name] = duration_secs
        elif event == _LOWERED:
            self._spend(thread, duration_secs + self._traced.pop((thread, name), 0.0))
        elif event == _COMPILED:
            self._spend(thread, duration_secs)
            with self._lock:
                self.programs[name] += 1

    def _spend(self, thread: int, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds
            self.main_thread_seconds += seconds * (thread == self._thread)
