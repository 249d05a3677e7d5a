"""Load the dataset that a configuration names."""

from __future__ import annotations

import logging
import shutil
import tempfile
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from tune_robust.config import DataConfig, is_own
from tune_robust.data import cache, examining
from tune_robust.data.decoding import decode_images, fitted
from tune_robust.data.encoded import Index, Places
from tune_robust.data.examining import Examined
from tune_robust.data.images import Dataset, Images, decoded, is_image
from tune_robust.data.locking import one_at_a_time
from tune_robust.data.scratch import large_arrays_in
from tune_robust.data.sources import SOURCES, Source
from tune_robust.data.sources.own import load_own
from tune_robust.errors import UserError

LARGE = 32 * 2**30
"""The size in bytes of decoded images from which on they stay compressed by default."""

STEPS = ("moments", "pixels")
"""The files that tell a process which images another one has decoded."""

_log = logging.getLogger(__name__)


def load_dataset(config: DataConfig, cache_dir: Path | None = None) -> Dataset:
    """Load the images of ``config.dataset``, after downloading them if possible and allowed.

    Args:
        config: which data set, where its files are, and whether they may be downloaded.
        cache_dir: where to store the decoded images as one file, which later calls map into memory
            instead of decoding again; by default they are not stored. Of images that stay
            compressed (see ``stays_compressed``), only an index is stored. Data that the user's own
            function loads are never stored.

    Raises:
        UserError: files are missing or damaged; the message names them and says what to do.
    """
    if is_own(config.dataset):
        return _finished(config, load_own(config))
    source = SOURCES[config.dataset]
    files = source.locate(config)
    if cache_dir is None:
        dataset = _made_for_this_process(config, source, files)
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
    """Return the stored data set; if several processes need it at once, one of them makes it."""
    path = cache.cache_path(directory, config, files)
    dataset = _stored(config, path)
    if dataset is None:
        with one_at_a_time(path):
            dataset = _stored(config, path)
            if dataset is None:
                made = _made(config, source, files, path)
                # From now on mapped from the file, as in all other processes.
                dataset = _stored(config, path) or made
    return dataset


def _stored(config: DataConfig, path: Path) -> Dataset | None:
    """Return the data set that was made for ``path``, if it is as the configuration wants it."""
    for read, place in ((examining.read, _index_of(path)), (cache.read, path)):
        found = read(place)
        if found and found.train.compressed == stays_compressed(config, _count(found)):
            return found
    return None


def _made(config: DataConfig, source: Source, files: Sequence[Path], path: Path) -> Dataset:
    """Make the data set and store it for ``path``, in steps with which another process can go on.

    What is done so far is in a folder next to it. There the index of images that stay compressed
    remains, and copies of those that cannot be read where they are.
    """
    folder = _index_of(path).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _log.warning("the decoded dataset could not be kept in %s: %s", folder.parent, error)
        return _made_for_this_process(config, source, files)
    with large_arrays_in(folder):
        made = _from_files(config, source, files, folder)
        if made.indexed is None:
            cache.write(path, made.dataset, files)
        else:
            examining.write(_index_of(path), *made.indexed, files)
    for name in STEPS:
        (folder / name).unlink(missing_ok=True)
    if not _index_of(path).exists():
        shutil.rmtree(folder, ignore_errors=True)
    return made.dataset


def _made_for_this_process(config: DataConfig, source: Source, files: Sequence[Path]) -> Dataset:
    """Make the data set; copies of compressed images are removed when nothing uses them."""
    folder = Path(tempfile.mkdtemp(prefix="tune-robust-"))
    try:
        made = _from_files(config, source, files, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if made.indexed is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        weakref.finalize(made.indexed[0].images, shutil.rmtree, folder, ignore_errors=True)
    return made.dataset


class _Made(NamedTuple):
    """A data set and, if its images stay compressed, where they are and what is known of them."""

    dataset: Dataset
    indexed: tuple[Index, Examined] | None


def _from_files(config: DataConfig, source: Source, files: Sequence[Path], folder: Path) -> _Made:
    """Make the data set of ``files``; copies of their images are kept in ``folder``."""
    if source.decode is not None:
        return _Made(_finished(config, source.decode(config, files)), None)
    if source.indexed is None:
        raise TypeError("a source has either decode or indexed")
    index = source.indexed(config, files, folder)
    if config.image_size is not None and stays_compressed(config, len(index.labels)):
        known = examining.examine(index, config.image_size)
        return _Made(examining.compressed(index, known), (index, known))
    return _Made(_finished(config, _decoded(index, config.image_size)), None)


def _decoded(index: Index, image_size: int | None) -> Dataset:
    """Decode all images of ``index``; the test images may be none."""
    pixels = torch.from_numpy(decode_images(index.images, Places(index.images), image_size))
    labels, train = torch.from_numpy(index.labels), index.train
    return Dataset(
        Images(pixels[:train], labels[:train]),
        Images(pixels[train:], labels[train:]),
        index.classes,
    )


def stays_compressed(config: DataConfig, count: int) -> bool:
    """Return whether the ``count`` images of a data set are decoded only when they are needed.

    This depends on nothing but the data, so that it is the same on every machine.
    """
    if config.images == "auto":
        return config.image_size is not None and 3 * count * config.image_size**2 > LARGE
    return config.images == "compressed"


def _index_of(path: Path) -> Path:
    """Return the index of images that stay compressed, in the folder of this data set."""
    return path.with_suffix("") / "index.safetensors"


def _count(dataset: Dataset) -> int:
    return len(dataset.train.labels) + len(dataset.test.labels)


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


def _finished(config: DataConfig, dataset: Dataset) -> Dataset:
    train, test, classes = dataset
    return Dataset(_fitted(train, config.image_size), _fitted(test, config.image_size), classes)


def _fitted(images: Images, image_size: int | None) -> Images:
    """Return the images in the requested size, with the strides of a newly made tensor.

    With one channel, tensors in either memory format count as contiguous, but convolutions choose
    their kernel by the strides, which affects the last bits. Images from the decoder and from the
    cache must therefore have the same strides.
    """
    pixels = decoded(images.images)
    if image_size is not None:
        if not is_image(pixels):
            raise UserError(
                f"data.image_size: the inputs are {pixels.dtype} {tuple(pixels.shape[1:])} each, "
                "and only images, uint8 (C, H, W) with 1 or 3 channels, can be resized. Leave it "
                "out."
            )
        pixels = torch.from_numpy(fitted(pixels.numpy(), image_size))
    return images._replace(images=pixels.contiguous().flatten().view(pixels.shape))
