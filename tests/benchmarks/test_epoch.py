"""The benchmark of the epoch runs and says what it promises."""

import pytest


@pytest.mark.e2e
def test_prints_one_object(measured_by, monkeypatch):
    import epoch

    monkeypatch.setattr(epoch, "SMALL", epoch.SMALL._replace(steps=3))
    found = measured_by(epoch, "--rounds", "2", "--quick")
    assert set(found) == {"ratios", "machine", "n"}
    assert found["n"] == {"small_cnn": 2}
    methods = {
        "epoch_over_passes": ("sgd", "sam", "saner", "slaw"),
        "evaluation_over_epoch": ("sgd", "sam", "saner", "slaw"),
        "dataloader_over_passes_0": ("sgd", "sam"),
        "dataloader_over_passes_2": ("sgd", "sam"),
    }
    assert set(found["ratios"]) == {
        f"{name}_small_cnn_{method}" for name, of in methods.items() for method in of
    }
    assert all(ratio > 0 for ratio in found["ratios"].values())


@pytest.mark.e2e
def test_colour_images_are_random_where_there_are_no_files(script, tmp_path):
    size = ["--network", "resnet32", "--steps", "1", "--batch", "16", "--rounds", "2"]
    printed = script("epoch.py", *size, "--data-dir", str(tmp_path))
    assert "resnet32, 1 steps of 16 random images, n = 2" in " ".join(printed.split())
