"""The benchmark of where images are kept runs and says what it promises."""


def test_it_prints_one_object(measured):
    size = "--network small_cnn --batch 8 --steps 2 --rounds 2"
    found = measured("tiers.py", *size.split())
    assert set(found) == {"ratios", "machine", "n"}
    assert found["ratios"]["host"] > 0
    assert found["ratios"]["compressed"] > 0
