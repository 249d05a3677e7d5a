"""torch.compile in a process that trains one network after another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_VARIANTS = 4096
"""How many variants of one function a process may hold.

torch's own limit is 8, after which it goes on uncompiled: at the third structure of a search over
``model.width``, as a network has three variants (SAM's first pass; its second, where BatchNorm
keeps no statistics; evaluation).
"""


def compiled(features: nn.Module) -> Callable[[Tensor], Tensor]:
    """``features``, compiled at its first call, and not again for a network of the same structure.

    Each shape of its inputs is compiled by itself: torch would otherwise make the batch size a
    variable from the second structure on, which is slower at every step. So give it few of them.

    What is compiled is also kept on disk, for all processes of a machine (torch's
    ``TORCHINDUCTOR_CACHE_DIR``, in the temporary folder unless set).
    """
    settings = torch._dynamo.config
    settings.recompile_limit = max(settings.recompile_limit, _VARIANTS)
    settings.accumulated_recompile_limit = max(settings.accumulated_recompile_limit, _VARIANTS)
    return torch.compile(features, dynamic=False)
