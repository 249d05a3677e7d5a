"""The benchmark of several trials on one device runs and says what it promises."""

import pytest


@pytest.mark.e2e
def test_prints_one_object(measured_apart):
    size = ["--network", "small_cnn", "--together", "2", "--rounds", "1", "--seconds", "0.5"]
    found = measured_apart("sharing.py", *size)
    assert set(found["ratios"]) == {"throughput_together"}
    assert found["ratios"]["throughput_together"] > 0
    assert {way: len(rates) for way, rates in found["images_per_second"].items()} == {
        "alone": 1,
        "together": 1,
    }


def test_mps_without_its_daemon_is_refused(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match="2"):
        script("sharing.py", "--device", "cuda", "--mps")
    message = "needs --device cuda, and nvidia-cuda-mps-control on the PATH"
    assert message in capsys.readouterr().err
