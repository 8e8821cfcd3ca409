"""Number of programs that a process has compiled, and the time it took."""

import threading
from collections import Counter

import jax

_TRACED = "/jax/core/compile/jaxpr_trace_duration"
_LOWERED = "/jax/core/compile/jaxpr_to_mlir_module_duration"
_COMPILED = "/jax/core/compile/backend_compile_duration"

GRADIENTS = "compute_gradients"
"""Name of a training step's first program; there is one per batch shape."""

UPDATES = "update_state"
"""Name of a training step's second program; there is one per task."""

PREDICTIONS = ("predict", "generate")
"""Names of evaluation programs."""


class Compilations:
    """Counter of JAX's compilations, including programs that are read from the persistent cache.

    Attributes:
      seconds: time of tracing, lowering and compiling, in all threads.
      main_thread_seconds: the same in the thread that made the counter, which was blocked meanwhile.
      programs: number of programs, by name of the compiled function.
    """

    def __init__(self) -> None:
        """Starts counting."""
        self.seconds = self.main_thread_seconds = 0.0
        self.programs: Counter[str] = Counter()
        self._thread, self._lock = threading.get_ident(), threading.Lock()
        self._traced: dict[tuple[int, str], float] = {}
        jax.monitoring.register_event_duration_secs_listener(self._on_event)

    def close(self) -> None:
        """Stops counting."""
        jax.monitoring.unregister_event_duration_listener(self._on_event)

    def __str__(self) -> str:
        """Summary that a run prints at its end."""
        gradients, updates = self.programs[GRADIENTS], self.programs[UPDATES]
        evaluation = sum(map(self.programs.__getitem__, PREDICTIONS))
        others = self.programs.total() - gradients - updates - evaluation
        return (
            f"Compiled programs: {gradients} of gradients, {updates} of updates, {evaluation} of evaluation, "
            f"{others} small ones; {self.seconds:.1f} s, "
            f"{self.main_thread_seconds:.1f} s of it in the main thread."
        )

    def _on_event(self, event: str, duration_secs: float, **attributes: str | int) -> None:
        name = str(attributes.get("fun_name", "")).removeprefix("jit(").removesuffix(")")
        thread = threading.get_ident()
        if event == _TRACED:
            # Nested functions are traced too; only those that are lowered on their own count.
            self._traced[thread, name] = duration_secs
        elif event == _LOWERED:
            self._add_seconds(thread, duration_secs + self._traced.pop((thread, name), 0.0))
        elif event == _COMPILED:
            self._add_seconds(thread, duration_secs)
            with self._lock:
                self.programs[name] += 1

    def _add_seconds(self, thread: int, seconds: float) -> None:
        with self._lock:
            self.seconds += seconds
            self.main_thread_seconds += seconds * (thread == self._thread)
