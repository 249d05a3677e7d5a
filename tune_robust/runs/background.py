"""One task at a time beside the caller's own work."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor


class Background:
    """Runs tasks in a thread, never two at once."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1)
        self._task: Future[object] | None = None

    def start(self, task: Callable[[], object]) -> None:
        """Run ``task`` once the one before is finished.

        Raises:
            Exception: that of the task before.
        """
        self.wait()
        self._task = self._thread.submit(task)

    def wait(self) -> None:
        """Return when the last task is finished.

        Raises:
            Exception: that of the task.
        """
        task, self._task = self._task, None
        if task is not None:
            task.result()
