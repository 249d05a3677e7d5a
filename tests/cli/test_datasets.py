"""``tune-robust datasets``: list, prepare, check."""

import json
import os
import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from tests.own.fresh import forgotten
from tune_robust.cli.datasets import app
from tune_robust.data.sources import SOURCES
from tune_robust.errors import ConfigError, UserError


@pytest.fixture
def run(tmp_path):
    """Runs a verb with its cache in a temporary folder."""

    def run(verb, *arguments, refused=None):
        storage = () if verb == "list" else ("--storage", str(tmp_path / "runs"))
        result = CliRunner().invoke(app, [verb, *map(str, arguments), *storage])
        if refused is not None:
            assert isinstance(result.exception, refused), result.output
            return str(result.exception)
        assert result.exit_code == 0, result.output or result.exception
        return result.output

    return run


@pytest.fixture
def many_classes(tmp_path):
    """An archive of 30 classes with a column of wrong labels."""
    labels = np.arange(300) % 30
    images = np.zeros((300, 4, 4), np.uint8)
    seen = np.where(np.arange(300) < 30, (labels + 1) % 30, labels)
    seen[labels == 7] = 8
    np.savez(
        tmp_path / "many.npz",
        train_images=images,
        train_labels=labels,
        test_images=images,
        test_labels=labels,
        train_seen=seen,
    )
    return tmp_path / "many.npz"


def test_list_has_every_source(run):
    lines = run("list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(SOURCES)
    rows = json.loads(run("list", "--json"))
    assert [row["name"] for row in rows] == list(SOURCES)
    assert all(row["about"] and row["needs"] for row in rows)


def test_check_warns_of_what_is_odd(run, tmp_path):
    images, labels = np.zeros((60, 4, 4), np.uint8), np.arange(60) % 2
    np.savez(tmp_path / "odd.npz", train_images=images, train_labels=labels)
    arguments = ("check", "npz", "--data-dir", tmp_path / "odd.npz")
    noisy = ("--noise", "symmetric", "--noise-rate", 0.7, "--set", "data.validation.size=10")
    shown = run(*arguments, *noisy)
    assert "more than 1 - 1/K = 50.0% with 2 classes" in shown
    assert "The data have no test set: 6 of the training images" in shown
    assert len(json.loads(run(*arguments, *noisy, "--json"))["cautions"]) == 2
    refused = run(*arguments, "--set", "data.validation.size=0.001")
    assert "a search on these data would be refused: data.validation.size" in refused


def test_prepare_decodes_into_the_storage(run, tmp_path):
    out = run("prepare", "digits")
    assert "1,437 training and 360 test images of 8x8 pixels and 1 channel, 10 classes" in out
    (kept,) = (tmp_path / "runs" / ".data").glob("*.safetensors")
    assert kept.name.startswith("digits-")
    assert "16x16" in run("prepare", "digits", "--set", "data.image_size=16")
    assert len([*(tmp_path / "runs" / ".data").glob("*.safetensors")]) == 2


def test_check_as_json_is_the_contract(run):
    arguments = ("digits", "--noise", "symmetric", "--noise-rate", 0.5, "--json")
    found = json.loads(run("check", *arguments))
    assert {
        *("dataset", "train_images", "test_images", "classes", "noise_rate"),
        *("transition_matrix", "class_counts"),
    } <= set(found)
    assert found["dataset"] == "digits"
    assert (found["train_images"], found["test_images"]) == (1437, 360)
    assert found["noise_rate"] == int(1437 * 0.5) / 1437
    assert sum(found["class_counts"]) == 1437
    assert np.allclose(np.sum(found["transition_matrix"], 1), 1)
    assert found["classes"] == [str(k) for k in range(10)]


def test_check_of_a_function_of_one_s_own(run, tmp_path):
    (tmp_path / "my_table.py").write_text(
        "import numpy as np\n"
        "def load(rows=60):\n"
        "    return np.random.default_rng(0).random((rows, 5)), np.arange(rows) % 3\n"
    )
    arguments = ("my_table:load", "--code", tmp_path, "--noise", "symmetric", "--noise-rate", 0.5)
    with forgotten():
        out = run("check", *arguments, "--set", "data.options.rows=90")
        assert "my_table:load: 90 training and 0 test inputs of shape (5,)" in out
        assert "noise_rate: 0.5" in out
        told = run("prepare", "my_table:load", refused=UserError)
    assert "tune-robust datasets check my_table:load" in told


def test_check_without_noise(run):
    out = run("check", "digits")
    assert "classes: 10, 139 to 146 training images each" in out
    assert "noise_rate: 0.0000" in out


def test_check_shows_the_matrix(run):
    settings = ("--set", "data.noise.class_map={1: 7}")
    out = run("check", "digits", "--noise", "asymmetric", "--noise-rate", 0.5, *settings)
    (row,) = (line.split() for line in out.splitlines() if line.startswith("1  "))
    assert [number for number, cell in enumerate(row[2:]) if cell != "."] == [1, 7]
    assert float(row[3]) == pytest.approx(50, abs=0.5)
    assert float(row[3]) + float(row[9]) == pytest.approx(100)


def test_check_of_many_classes_shows_the_confusions(run, many_classes):
    arguments = ("npz", "--data-dir", many_classes, "--noise", "given", "--noise-key", "train_seen")
    lines = run("check", *arguments).splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("class  "))
    assert lines[start + 1].split() == ["7", "8", "100.0"]
    assert lines[start + 2].split()[2] == "10.0"


def test_check_writes_a_heat_map(run, tmp_path):
    page = tmp_path / "noise.html"
    arguments = ("--noise", "instance", "--noise-rate", 0.4, "--html", page)
    assert f"Heat map: {page}" in run("check", "digits", *arguments).replace("\n", " ")
    text = page.read_text()
    assert '"type":"heatmap"' in text
    assert re.search(r"digits: \d\d\.\d\d% of 1,437 labels are wrong", text)
    assert "<script src=" not in text


def test_unknown_truth_is_said(run, tmp_path):
    assert "noise_rate: unknown" in run("check", "digits", "--noise", "given")
    found = json.loads(run("check", "digits", "--noise", "given", "--json"))
    assert found["noise_rate"] is None
    assert found["transition_matrix"] is None
    page = ("--html", tmp_path / "noise.html")
    assert "no transition matrix" in run(
        "check", "digits", "--noise", "given", *page, refused=UserError
    )


def test_check_of_real_human_labels(run, tmp_path):
    beside = Path(__file__).parents[2].parent / "shared" / "data"
    folder = Path(os.environ.get("TUNE_ROBUST_TEST_DATA", beside))
    images = folder / "cifar10" / "train-00000-of-00001.parquet"
    if not images.is_file() or not (folder / "CIFAR-10_human.pt").is_file():
        pytest.skip(f"there is no {images} or CIFAR-10_human.pt (set TUNE_ROBUST_TEST_DATA)")
    # The images themselves, which take seconds to decode, play no part.
    labels = pq.read_table(images, columns=["label"])["label"].to_numpy()
    pixels = np.zeros((len(labels), 1, 1), np.uint8)
    arrays = {"train_images": pixels, "train_labels": labels}
    np.savez(tmp_path / "c.npz", **arrays, test_images=pixels[:10], test_labels=labels[:10])
    found = json.loads(
        run(
            *("check", "npz", "--data-dir", tmp_path / "c.npz", "--noise", "human", "--json"),
            *("--noise-file", folder / "CIFAR-10_human.pt", "--noise-key", "worse_label"),
        )
    )
    assert round(found["noise_rate"], 4) == 0.4021
    assert found["class_counts"] == [5000] * 10


@pytest.mark.parametrize(
    ("arguments", "refused", "found"),
    [
        (("digit",), UserError, "Did you mean 'digits'"),
        (("digits", "--noise-rate", 0.5), UserError, "--noise-rate needs --noise"),
        (("digits", "--noise", "symetric"), ConfigError, "Did you mean 'symmetric'"),
        (("digits", "--noise", "symmetric"), ConfigError, "data.noise.rate: is required"),
        (("digits", "--noise", "human"), ConfigError, "2 problems"),
        (("digits", "--noise", "none", "--noise-key", "x"), ConfigError, "no such key"),
        (("digits", "--set", "data.sede=1"), ConfigError, "Did you mean 'seed'"),
        (("folder",), UserError, "--data-dir"),
        (("cifar10", "--data-dir", "/nowhere", "--no-download"), UserError, "data_batch_1"),
        (("digits", "--html", "/nowhere/at/all.html"), UserError, "cannot write"),
    ],
)
def test_mistakes_are_explained(run, arguments, refused, found):
    assert found in run("check", *arguments, refused=refused)
