"""What the user's own parts are called with, and what they must return.

The docstrings are the contract; docs/own-parts.md shows an example of each. An optimizer is any
``torch.optim.Optimizer``, called with the list of parameters and its keyword arguments.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

    Array = Tensor | np.ndarray


class NetworkBuilder(Protocol):
    """``model.name``: a class derived from ``torch.nn.Module``, or a function that returns one."""

    def __call__(self, **arguments: Any) -> nn.Module:
        """Return a network: inputs (B, ...) -> logits (B, K), K the number of classes.

        ``arguments`` are those of the configuration and, of the following, those that the signature
        names: ``classes`` (also ``num_classes``, ``n_classes``), K; ``channels`` (also
        ``in_channels``, ``in_chans``, ``features``, ``in_features``), the size of the inputs' first
        dimension after the batch; ``image_size``, the shorter side of images in pixels;
        ``input_shape``, the shape of one input. If a sample has several inputs, the network is
        called with them by name, and ``input_shapes`` has their shapes. Random weights are to be
        drawn from PyTorch's global generator, which is seeded with ``train.seed``.
        """


class DataLoader(Protocol):
    """``data.dataset``: a function that loads the data."""

    def __call__(self, **options: Any) -> tuple[Array, Array] | Mapping[str, Any]:
        """Return ``(inputs, labels)``, or a mapping with these keys and any of the optional ones.

        - ``inputs`` (N, ...): uint8 are pixels, (N, C, H, W), and are normalised per channel;
          floating-point numbers, such as the rows (N, F) of a table, are standardised per index of
          dimension 1; other integers, such as token ids, stay as they are (int64). A mapping from
          names to such inputs gives each sample several, which may also be one number each, (N,),
          or bool; the network is called with them by name.
        - ``labels`` (N,): whole numbers from 0 to K - 1, the true ones as far as they are known.
        - ``test_inputs``, ``test_labels``: the test set, in the same form; without it a part of the
          data is held out (``data.test_size``).
        - ``classes``: the names of the K classes.
        - ``noisy_labels``: a mapping from a name to labels (N,) that ``noise: {kind: given, key:
          name}`` trains on.

        Tensors or NumPy arrays. It is called once in every process that trains, with
        ``data.options`` as keyword arguments, and must return the same each time.
        """


class SampleLoss(Protocol):
    """``loss.name``: a function, or a class whose instances are such functions."""

    def __call__(self, logits: Tensor, targets: Tensor, **arguments: Any) -> Tensor:
        """Return what each sample costs, (B,), differentiable.

        Args:
            logits: float32 (B, K).
            targets: float32 (B, K), probabilities of the classes: one-hot, smoothed
                (``label_smoothing``) or mixed (``mixup``). ``targets.argmax(1)`` are the labels.
            arguments: those of the configuration; a class gets them when it is made.
        """


class Augmentation(Protocol):
    """``data.augment``: a function, or a class whose instances are such functions."""

    def __call__(
        self, inputs: Tensor | dict[str, Tensor], **arguments: Any
    ) -> Tensor | dict[str, Tensor]:
        """Return a changed batch of training inputs, of the same shape and type.

        ``inputs`` (B, ...) are as the data set has them (uint8 images are not yet normalised), on
        the device that trains. Random numbers are to be drawn from PyTorch's global generator. The
        transforms of ``torchvision.transforms.v2`` are called once an input, as each call draws its
        parameters once.
        """
