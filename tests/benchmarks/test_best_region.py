"""The drawn surfaces of benchmarks/best_region.py."""

import numpy as np


def test_a_surface_is_drawn_again_by_its_number_and_measured_with_noise():
    import best_region

    places = np.random.default_rng(0).random((200, 3))
    accuracy, score = best_region.drawn(places, np.random.default_rng(1))
    again, _ = best_region.drawn(places, np.random.default_rng(1))
    assert (accuracy == again).all()
    assert 0.01 < (score - accuracy).std() < 0.06  # 287 images alone: 0.03 at most
    assert (np.round(score * best_region.IMAGES) / best_region.IMAGES == score).all()


def test_the_region_of_a_drawn_surface_is_counted(script):
    rows = script("best_region.py", "--surfaces", "2").splitlines()[2:4]
    assert [row.split(" | ")[0] for row in rows] == ["| plateau", "| region of the best"]
    assert all(row.split(" | ")[1] == "1" for row in rows)
