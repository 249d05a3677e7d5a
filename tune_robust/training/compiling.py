"""torch.compile in a process that trains one network after another."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

_VARIANTS = 4096
"""How many compiled variants of one function a process may hold.

torch's own limit is 8, after which it continues uncompiled. Since a network has three variants
(SAM's first pass; its second pass, in which BatchNorm keeps no statistics; evaluation), a search
over ``model.width`` would reach that limit at its third structure.
"""


def compiled(features: nn.Module) -> Callable[[Tensor], Tensor]:
    """Compile ``features`` at the first call, but not again for a network of the same structure.

    Each shape of the inputs is compiled separately: otherwise torch would make the batch size a
    variable from the second structure on, which makes every step slower. Callers should therefore
    use few shapes.

    The compiled code is also stored on disk for all processes of a machine (torch's
    ``TORCHINDUCTOR_CACHE_DIR``, by default in the temporary folder).
    """
    settings = torch._dynamo.config
    settings.recompile_limit = max(settings.recompile_limit, _VARIANTS)
    settings.accumulated_recompile_limit = max(settings.accumulated_recompile_limit, _VARIANTS)
    return torch.compile(features, dynamic=False)
