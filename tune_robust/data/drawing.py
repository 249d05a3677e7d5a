"""Random choices on the host, with a separate stream of random numbers for each purpose."""

from __future__ import annotations

import numpy as np

from tune_robust.errors import UserError


def stream(seed: int, purpose: str) -> np.random.Generator:
    """Return the random stream of ``purpose`` for ``seed``, independent of other purposes."""
    entropy = np.random.SeedSequence([seed, *purpose.encode()])
    return np.random.Generator(np.random.PCG64(entropy))


def resolve_count(
    size: int | float, total: int, key: str, at_most: int, images: str = "training images"
) -> int:
    """Convert ``size``, a count or a fraction of ``total`` ``images``, to a count in [1, at_most].

    Raises:
        UserError: the count is out of range; the message names the setting ``key``.
    """
    count = size if isinstance(size, int) else int(size * total)
    if not 1 <= count <= at_most:
        raise UserError(
            f"{key}: {size} comes to {count} of the {total} {images}; allowed are 1 to {at_most}."
        )
    return count


def stratified(labels: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """Return ``count`` sorted positions in ``labels``; each class deviates by less than 1 from its
    exact proportion.

    Where proportions are not whole numbers, the largest remainders are rounded up.
    """
    classes, sizes = np.unique(labels, return_counts=True)
    quotas, remainders = np.divmod(count * sizes, len(labels))
    largest = np.argsort(-remainders, kind="stable")
    quotas[largest[: count - quotas.sum()]] += 1
    order = generator.permutation(len(labels))
    chosen = [
        order[labels[order] == label][:quota] for label, quota in zip(classes, quotas, strict=True)
    ]
    return np.sort(np.concatenate(chosen))
