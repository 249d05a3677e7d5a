"""Images that stay compressed are those that would have been decoded, from whatever source."""

import io
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from tune_robust.config import parse_config
from tune_robust.data import Batches, examining, gathering, load_dataset, loading, make_splits
from tune_robust.data.batches import evaluation_batches
from tune_robust.data.compressed import CompressedImages
from tune_robust.data.resized_crop import draw_crops
from tune_robust.data.sources import folder as folder_source
from tune_robust.errors import ConfigError, UserError

SIZES = ((40, 30), (24, 48), (33, 33), (64, 20))


def picture(seed, kind="JPEG", mode="RGB", size=None):
    """A smooth picture of one of several sizes, encoded."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    stream = io.BytesIO()
    resized = Image.fromarray(small).resize(size or SIZES[seed % 4], Image.Resampling.BICUBIC)
    resized.convert(mode).save(stream, kind)
    return stream.getvalue()


@pytest.fixture
def pictures():
    """(part, class, file name, bytes) of 24 training and 6 test images, in order; two are gray."""
    found = []
    for part, count in (("train", 24), ("test", 6)):
        for k in range(count):
            label = "cat" if k < count // 2 else "dog"
            mode, kind = ("L" if k in (3, 7) else "RGB"), ("PNG" if k == 5 else "JPEG")
            name = f"{k:02}.{'png' if k == 5 else 'jpg'}"
            found.append((part, label, name, picture(100 * len(part) + k, kind, mode)))
    return found


def as_folder(directory, pictures):
    for part, label, name, encoded in pictures:
        path = directory / part / label / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded)


def as_parquet(directory, pictures):
    for part in ("train", "test"):
        rows = [p for p in pictures if p[0] == part]
        for number, some in enumerate(filter(None, (rows[:4], rows[4:]))):
            images = pa.array(
                [{"bytes": p[3], "path": p[2]} for p in some],
                pa.struct([("bytes", pa.binary()), ("path", pa.string())]),
            )
            labels = pa.array([int(p[1] == "dog") for p in some])
            table = pa.table({"image": images, "label": labels})
            pq.write_table(table, directory / f"{part}-{number}.parquet")


def as_webdataset(directory, pictures, label=lambda name: name):
    for part in ("train", "test"):
        rows = [p for p in pictures if p[0] == part]
        for number, some in enumerate(filter(None, (rows[:4], rows[4:]))):
            with tarfile.open(directory / f"{part}-{number:06}.tar", "w") as archive:
                for _, name, file, encoded in some:
                    add(archive, file, encoded)
                    add(archive, file.partition(".")[0] + ".cls", label(name).encode())


def add(archive, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


WRITERS = {"folder": as_folder, "parquet": as_parquet, "webdataset": as_webdataset}


def data(directory, dataset="folder", images="compressed", **settings):
    given = {"dataset": dataset, "dir": str(directory), "image_size": 16, "images": images}
    return parse_config({"data": given | settings}).data


@pytest.fixture
def folder(tmp_path, pictures):
    as_folder(tmp_path / "images", pictures)
    return tmp_path / "images"


def same(found, expected):
    for one, other in zip(found[:2], expected[:2], strict=True):
        assert one.images.shape == other.images.shape
        assert torch.equal(one.images[:], other.images)
        assert torch.equal(one.labels, other.labels)
    return True


@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("dataset", WRITERS)
def test_they_are_the_images_that_were_decoded_before(tmp_path, pictures, dataset, cached):
    directory = tmp_path / "data"
    directory.mkdir()
    WRITERS[dataset](directory, pictures)
    cache = tmp_path / "cache" if cached else None
    for _ in range(2):
        found = load_dataset(data(directory, dataset), cache)
        expected = load_dataset(data(directory, dataset, "decoded"), cache)
        assert same(found, expected)
        assert len(found.classes) == 2
        splits = make_splits(data(directory, dataset), found)
        assert splits.mean == make_splits(data(directory, dataset, "decoded"), expected).mean
        assert torch.equal(found.train.images[-1], expected.train.images[-1])


@pytest.mark.parametrize("dataset", WRITERS)
def test_mostly_gray_images_have_one_channel(tmp_path, dataset):
    gray = [("train", "cat", f"{k}.jpg", picture(k, mode="L")) for k in range(5)]
    rows = [*gray, ("train", "dog", "5.png", picture(5, "PNG"))]
    rows += [("test", "cat", f"{k}.jpg", picture(k, mode="L")) for k in range(6, 11)]
    WRITERS[dataset](tmp_path, rows)
    found = load_dataset(data(tmp_path, dataset))
    expected = load_dataset(data(tmp_path, dataset, "decoded"))
    assert found.train.images.shape == (6, 1, 16, 16)
    assert same(found, expected)
    sums = expected.train.images.long().sum((2, 3))
    assert torch.equal(found.train.moments[:, 0], sums)


def epoch(config, splits, augment="crop_flip"):
    generator = torch.Generator().manual_seed(0)
    settings = {"augment": augment, "mean": splits.mean, "std": splits.std}
    return [*Batches(splits.train, 5, generator=generator, **settings)]


@pytest.mark.parametrize("augment", ["none", "crop_flip"])
@pytest.mark.parametrize("threads", [1, 3])
def test_batches_are_the_same_bit_for_bit(folder, augment, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    monkeypatch.setattr(gathering, "_PIECE", 2)
    noise = {"kind": "instance", "rate": 0.4}
    validation = {"size": 5}
    kinds = []
    for images in ("compressed", "decoded"):
        config = data(folder, images=images, noise=noise, validation=validation)
        splits = make_splits(config, load_dataset(config))
        assert splits.compressed == (images == "compressed")
        checked = [*evaluation_batches(splits.test, 4, splits.mean, splits.std)]
        kinds.append((epoch(config, splits, augment), checked))
    for found, expected in zip(*kinds, strict=True):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_crops_are_of_the_original_and_the_same_with_the_same_seed(folder, monkeypatch):
    config = data(folder, validation={"size": 5})
    splits = make_splits(config, load_dataset(config))
    first = epoch(config, splits, "resized_crop_flip")
    monkeypatch.setattr(gathering, "_PIECE", 2)
    again = epoch(config, splits, "resized_crop_flip")
    for one, other in zip(first, again, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
    assert first[0][0].shape == (5, 3, 16, 16)


def test_a_crop_shows_what_lies_there(tmp_path):
    # Red left of the middle, blue right of it, in an image three times as wide as high.
    image = np.zeros((30, 90, 3), np.uint8)
    image[:, :45, 0] = image[:, 45:, 2] = 255
    for name in ("train/a/1.png", "test/a/1.png"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        Image.fromarray(image).save(path)
    images = load_dataset(data(tmp_path)).train.images
    left, right = torch.tensor([0.1, 1.0, 0.0, 0.5]), torch.tensor([0.1, 1.0, 1.0, 0.5])
    found = images.crops(torch.tensor([0, 0]), torch.stack([left, right]))
    assert found.shape == (2, 3, 16, 16)
    assert found[0].flatten(1).float().mean(1).tolist() == [255, 0, 0]
    assert found[1].flatten(1).float().mean(1).tolist() == [0, 0, 255]
    drawn = draw_crops(50, torch.Generator().manual_seed(0))
    many = images.crops(torch.zeros(50, dtype=torch.int64), drawn)
    assert (many[:, 1] == 0).all()


def test_large_jpegs_are_decoded_at_a_fraction_of_their_size(tmp_path, monkeypatch):
    rows = [(part, "cat", "1.jpg", picture(0, size=(640, 480))) for part in ("train", "test")]
    as_folder(tmp_path, rows)
    images = load_dataset(data(tmp_path)).train.images
    which, drawn = torch.tensor([0, 0]), torch.tensor([[1.0, 1.0, 0, 0], [0.3, 1.2, 0.2, 0.9]])
    found = images.crops(which, drawn)
    monkeypatch.setattr(JpegImageFile, "draft", lambda image, mode, size: None)
    difference = (found.int() - images.crops(which, drawn).int()).abs()
    assert 0 < difference.float().mean() <= 3


@pytest.mark.parametrize(("large", "compressed"), [(10**9, False), (30 * 3 * 16**2 - 1, True)])
def test_their_size_decides(folder, tmp_path, monkeypatch, large, compressed):
    monkeypatch.setattr(loading, "LARGE", large)
    for _ in range(2):
        found = load_dataset(data(folder, images="auto"), tmp_path / "cache")
        assert isinstance(found.train.images, torch.Tensor) != compressed
        # Whatever else is stored does not matter.
        load_dataset(data(folder, images="decoded"), tmp_path / "cache")
        load_dataset(data(folder, images="compressed"), tmp_path / "cache")


def test_a_damaged_image_is_named_before_any_training(folder):
    (folder / "train" / "dog" / "15.jpg").write_bytes(b"broken")
    with pytest.raises(UserError, match=r"train/dog/15\.jpg: the image cannot be decoded"):
        load_dataset(data(folder))


def test_a_file_that_has_changed_since_is_named(folder):
    images = load_dataset(data(folder)).train.images
    (folder / "train" / "cat" / "00.jpg").write_bytes(b"")
    with pytest.raises(UserError, match=r"cat/00\.jpg: the file is shorter than when the data set"):
        images[0]
    (folder / "train" / "cat" / "00.jpg").unlink()
    with pytest.raises(UserError, match=r"cat/00\.jpg: the image cannot be read .*No such file"):
        images[0]


def test_what_a_killed_process_has_examined_is_not_decoded_again(folder, tmp_path, monkeypatch):
    """The kill is an error in the middle; what is on disk then is the same."""
    monkeypatch.setattr("tune_robust.data.decoding._CHUNK", 8)
    original, decoded = examining.decode_each, []
    limit = 20

    def counted(encoded, places, size, modes, keep, save):
        def kept(row, image):
            decoded.append(row)
            if len(decoded) >= limit:
                raise KeyboardInterrupt
            keep(row, image)

        original(encoded, places, size, modes, kept, save)

    monkeypatch.setattr(examining, "decode_each", counted)
    monkeypatch.setattr("tune_robust.data.decoding._threads", lambda encoded: 1)
    with pytest.raises(KeyboardInterrupt):
        load_dataset(data(folder), tmp_path / "cache")
    decoded.clear()
    limit = 100
    found = load_dataset(data(folder), tmp_path / "cache")
    assert decoded == [*range(16, 30)]
    assert same(found, load_dataset(data(folder, images="decoded")))
    (directory,) = (path for path in (tmp_path / "cache").iterdir() if path.is_dir())
    assert [path.name for path in directory.iterdir()] == ["index.safetensors"]


def test_the_index_is_made_once(folder, tmp_path, monkeypatch):
    load_dataset(data(folder), tmp_path / "cache")
    monkeypatch.setattr(folder_source, "Encoded", None)
    monkeypatch.setattr(examining, "examine", None)
    load_dataset(data(folder), tmp_path / "cache")


def test_instance_noise_is_drawn_once_for_all_processes(folder, tmp_path, monkeypatch):
    def labels(cache=tmp_path / "cache", **settings):
        noise = {"kind": "instance", "rate": 0.4, "variant": "saner"}
        config = data(folder, noise=noise | settings, validation={"size": 5})
        return make_splits(config, load_dataset(config, cache)).train.labels

    drawn, without = labels(), labels(cache=None)
    assert torch.equal(drawn, without)
    more = labels(rate=0.5)
    monkeypatch.setattr(CompressedImages, "__getitem__", None)
    assert torch.equal(labels(), drawn)
    assert torch.equal(labels(rate=0.5), more)
    with pytest.raises(TypeError):
        labels(rate=0.45)
    for kept in (tmp_path / "cache").glob("*/labels-*"):
        kept.write_bytes(b"damaged")
    monkeypatch.undo()
    assert torch.equal(labels(), drawn)


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"dataset": "digits"}, "digits has no compressed images; allowed for: parquet, folder"),
        ({"dataset": "folder"}, "compressed needs image_size, such as 224"),
    ],
)
def test_where_images_cannot_stay_compressed_it_is_refused(settings, found):
    with pytest.raises(ConfigError, match=found):
        parse_config({"data": {"images": "compressed"} | settings})
