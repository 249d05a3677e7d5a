"""The benchmark of checkpoints runs and says what it promises."""


def test_it_prints_one_object(measured):
    size = "--network small_cnn --batch 8 --epochs 1 --rounds 2"
    found = measured("checkpoints.py", *size.split())
    assert set(found) == {"ratios", "machine", "n"}
    assert found["ratios"]["beside"] > 0
