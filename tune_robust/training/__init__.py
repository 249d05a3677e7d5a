"""One training run as a generator of epochs, in PyTorch alone: no printing and no Ray."""

from tune_robust.training.ahead import ahead
from tune_robust.training.checkpoints import Checkpoint, Copies, read_checkpoint
from tune_robust.training.device import choose_device, fits_images
from tune_robust.training.loop import EpochResult, check_fits, continued_config, train
from tune_robust.training.saving import save_epoch
from tune_robust.training.together import ProcessLost, train_together
from tune_robust.training.trying import slow_imports

__all__ = [
    "Checkpoint",
    "Copies",
    "EpochResult",
    "ProcessLost",
    "ahead",
    "check_fits",
    "choose_device",
    "continued_config",
    "fits_images",
    "read_checkpoint",
    "save_epoch",
    "slow_imports",
    "train",
    "train_together",
]
