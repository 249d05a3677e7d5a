"""The Optuna journal of a run: a copy of what its events say, for Optuna and optuna-dashboard."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from optuna.storages.journal import JournalFileBackend


class Journal(JournalFileBackend):
    """Optuna's journal file with a single writer that does not wait for the disk.

    The run's own lock keeps other writers away, so that there is no second lock that a kill would
    leave behind; and as the journal is made anew from the events whenever a run is opened, it need
    not survive a power cut. Optuna's own waits for the disk at every epoch and parameter.
    """

    def __init__(self, path: Path):
        super().__init__(str(path))
        self._path = path

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Write the records at the end, in one piece."""
        text = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
        with self._path.open("ab") as file:
            file.write(text.encode())
