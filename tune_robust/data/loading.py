"""Load the dataset that a configuration names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tune_robust.config import DataConfig, is_own
from tune_robust.data import cache
from tune_robust.data.images import Dataset, Images, is_image
from tune_robust.data.locking import one_at_a_time
from tune_robust.data.scratch import large_arrays_in
from tune_robust.data.sources import SOURCES, Source
from tune_robust.data.sources.own import load_own
from tune_robust.data.sources.pixels import fitted
from tune_robust.errors import UserError


def load_dataset(config: DataConfig, cache_dir: Path | None = None) -> Dataset:
    """Load the images of ``config.dataset``, after downloading them if possible and allowed.

    Args:
        config: which data set, where its files are, and whether they may be downloaded.
        cache_dir: where to store the decoded images as one file, which later calls map into memory
            instead of decoding again; by default they are not stored. Data that the user's own
            function loads are never stored.

    Raises:
        UserError: files are missing or damaged; the message names them and says what to do.
    """
    if is_own(config.dataset):
        return _decoded(config, load_own(config))
    source = SOURCES[config.dataset]
    files = source.locate(config)
    if cache_dir is None:
        dataset = _decode(config, source, files)
    else:
        dataset = _cached(config, source, files, Path(cache_dir))
    return _with_given_labels(config, source, files, dataset)


def image_names(config: DataConfig) -> tuple[str, ...] | None:
    """Return the file names of the training images, as a CSV of labels may name them; None without.

    Raises:
        UserError: as ``load_dataset``.
    """
    if is_own(config.dataset) or SOURCES[config.dataset].read_names is None:
        return None
    source = SOURCES[config.dataset]
    return _names(config, source, source.locate(config))


def _names(config: DataConfig, source: Source, files: Sequence[Path]) -> tuple[str, ...] | None:
    names = source.read_names(config, files) if source.read_names else None
    return tuple(names) if names and all(names) else None


def _cached(config: DataConfig, source: Source, files: Sequence[Path], directory: Path) -> Dataset:
    """Return the decoded data set; if several processes need it at once, one of them decodes it."""
    path = cache.cache_path(directory, config, files)
    dataset = cache.read(path)
    if dataset is None:
        with one_at_a_time(path):
            dataset = cache.read(path)
            if dataset is None:
                with large_arrays_in(directory):
                    dataset = _decode(config, source, files)
                cache.write(path, dataset, files)
                # From now on mapped from the file, as in all other processes.
                dataset = cache.read(path) or dataset
    return dataset


def _with_given_labels(
    config: DataConfig, source: Source, files: Sequence[Path], dataset: Dataset
) -> Dataset:
    """Add what ``noise: given`` needs: a column of labels, or the names of the images."""
    noise = config.noise
    if noise.kind != "given":
        return dataset
    if noise.file is not None:
        known = _names(config, source, files)
        return dataset._replace(train=dataset.train._replace(names=known))
    if noise.key is None:
        return dataset
    if source.read_column is None:
        raise UserError(
            f"data.noise.key: {config.dataset} has no columns; allowed for: "
            f"{', '.join(name for name, s in SOURCES.items() if s.read_column)}."
        )
    labels = torch.from_numpy(source.read_column(files, noise.key, dataset.classes))
    return dataset._replace(train=dataset.train._replace(given_labels=labels))


def _decode(config: DataConfig, source: Source, files: Sequence[Path]) -> Dataset:
    return _decoded(config, source.decode(config, files))


def _decoded(config: DataConfig, dataset: Dataset) -> Dataset:
    train, test, classes = dataset
    return Dataset(_finished(train, config.image_size), _finished(test, config.image_size), classes)


def _finished(images: Images, image_size: int | None) -> Images:
    """Return the images in the requested size, with the strides of a newly made tensor.

    With one channel, tensors in either memory format count as contiguous, but convolutions choose
    their kernel by the strides, which affects the last bits. Images from the decoder and from the
    cache must therefore have the same strides.
    """
    pixels = images.images
    if image_size is not None:
        if not is_image(pixels):
            raise UserError(
                f"data.image_size: the inputs are {pixels.dtype} {tuple(pixels.shape[1:])} each, "
                "and only images, uint8 (C, H, W) with 1 or 3 channels, can be resized. Leave it "
                "out."
            )
        pixels = torch.from_numpy(fitted(pixels.numpy(), image_size))
    return images._replace(images=pixels.contiguous().flatten().view(pixels.shape))
