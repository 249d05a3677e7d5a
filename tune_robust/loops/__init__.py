"""Training loops of the user's own: any Python function, with or without PyTorch.

``trial``        what a loop is given: its trial, to which it reports
``checkpoints``  a folder of the loop's files and where it stood, as one file
``running``      the loop as a generator of epochs, as ``training.train`` is for the built-in one

Nothing here imports PyTorch.
"""

from tune_robust.loops.checkpoints import LoopCheckpoint, read_loop_checkpoint
from tune_robust.loops.running import LoopEpoch, check_loop, run_loop
from tune_robust.loops.trial import Loop, LoopTrial, Stop

__all__ = [
    "Loop",
    "LoopCheckpoint",
    "LoopEpoch",
    "LoopTrial",
    "Stop",
    "check_loop",
    "read_loop_checkpoint",
    "run_loop",
]
