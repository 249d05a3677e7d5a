"""The loop: one result per epoch, every metric, and resuming bit for bit."""

import math

import pytest
import torch

from tune_robust.config import parse_config
from tune_robust.data import load_dataset, make_splits
from tune_robust.errors import UserError
from tune_robust.metrics import METRICS, TIMINGS
from tune_robust.training import read_checkpoint, train


def config(method="saner_slaw", **changes):
    document = {
        "data": {
            "dataset": "digits",
            "subset": 300,
            "noise": {"kind": "symmetric", "rate": 0.5},
            "validation": {"size": 0.2},
            "augment": "crop_flip",
        },
        "model": {"name": "small_cnn", "width": 0.25},
        "method": method,
        "optimizer": {"name": "sgd", "lr": 0.05},
        "lr_schedule": {"kind": "cosine", "warmup": 0.2},
        "epochs": 6,
        "batch_size": 32,
        "threads": 1,
    }
    if method.startswith("sa"):
        saner = {"alpha": 0.5, "k": 3, "probe_every": 1}
        document["saner"] = saner if "saner" in method else None
    return parse_config(document | changes)


@pytest.fixture(scope="module")
def splits():
    data = config().data
    return make_splits(data, load_dataset(data))


def metrics_of(results):
    return [{k: v for k, v in r.metrics.items() if k not in TIMINGS} for r in results]


def same(a, b):
    """Equal to the last bit, NaN equal to NaN."""
    return str(a) == str(b)


def test_every_metric_is_reported_each_epoch(splits):
    results = list(train(config(epochs=2), splits=splits))
    assert [r.epoch for r in results] == [1, 2]
    for result in results:
        assert set(result.metrics) == set(METRICS)
        assert not [name for name, value in result.metrics.items() if math.isnan(value)]


def test_what_does_not_apply_is_nan(splits):
    metrics = next(train(config("sgd"), splits=splits)).metrics
    absent = {name for name, value in metrics.items() if math.isnan(value)}
    assert absent == {
        *("alpha", "sals_epsilon", "law_weight_clean", "law_weight_noisy"),
        *("sharpness", "group_a", "group_b", "group_c", "p_r_a", "p_r_b", "p_r_c"),
        *("gradient_cosine", "gradient_sign_agreement"),
        *("sals_sharpness", "sals_mean_sharpness"),
    }
    assert metrics["rho"] == 0.0


@pytest.mark.parametrize(("method", "cost"), [("sgd", 1), ("slaw", 1), ("sam", 2), ("saner", 2)])
def test_gradient_evaluations_count_the_passes(splits, method, cost):
    results = list(train(config(method, epochs=3), splits=splits))
    assert [r.metrics["gradient_evaluations"] for r in results] == [cost, 2 * cost, 3 * cost]


@pytest.mark.parametrize("method", ["sgd", "asam", "saner_slaw"])
def test_three_epochs_and_three_more_equal_six(splits, tmp_path, method):
    whole = list(train(config(method), splits=splits))
    first = train(config(method), splits=splits)
    for _ in range(3):
        result = next(first)
    result.save(tmp_path / "last.pt")
    torch.manual_seed(1234)
    rest = list(train(config(method), splits=splits, resume=tmp_path / "last.pt"))
    assert [r.epoch for r in rest] == [4, 5, 6]
    assert same(metrics_of(rest), metrics_of(whole[3:]))
    ours, theirs = rest[-1].model.state_dict(), whole[-1].model.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_the_configuration_alone_decides_the_numbers(splits):
    torch.manual_seed(1)
    one = metrics_of(train(config(epochs=2), splits=splits))
    torch.manual_seed(2)
    assert same(one, metrics_of(train(config(epochs=2))))
    assert not same(one, metrics_of(train(config(epochs=2, seed=1), splits=splits)))


def test_a_network_memorises_wrong_labels_and_the_metrics_say_so(splits):
    last = list(train(config("sgd", epochs=30, lr_schedule={"kind": "constant"}), splits=splits))[
        -1
    ]
    assert last.metrics["fit_gap"] == last.metrics["clean_fit"] - last.metrics["noisy_fit"]
    assert last.metrics["clean_fit"] > 0.5


def test_a_checkpoint_of_another_configuration_is_refused(splits, tmp_path):
    next(train(config(), splits=splits)).save(tmp_path / "last.pt")
    changed = train(
        config(optimizer={"name": "sgd", "lr": 0.2}), splits=splits, resume=tmp_path / "last.pt"
    )
    with pytest.raises(UserError, match="another configuration: optimizer differ"):
        next(changed)


def test_a_checkpoint_goes_on_where_the_data_have_moved_but_not_on_other_data(splits, tmp_path):
    def placed(folder):
        data = config().data.model_dump() | {"dir": folder}
        return config(data=data, epochs=2)

    path = tmp_path / "last.pt"
    next(train(placed("imgs"), splits=splits)).save(path)
    assert len(list(train(placed(str(tmp_path / "imgs")), splits=splits, resume=path))) == 1
    with pytest.raises(UserError, match="another configuration: data differ"):
        next(train(placed(str(tmp_path / "others")), splits=splits, resume=path))


def test_a_checkpoint_goes_on_under_a_version_with_more_settings(splits, tmp_path):
    path = tmp_path / "last.pt"
    next(train(config(epochs=2), splits=splits)).save(path)
    older = torch.load(path)
    del older["config"]["data"]["test_subset"], older["earlier"]
    torch.save(older, path)
    assert [r.epoch for r in train(config(epochs=2), splits=splits, resume=path)] == [2]


@pytest.mark.parametrize("method", ["asam", "asam_saner"])
def test_a_checkpoint_of_an_earlier_presets_asam_goes_on_by_shape(splits, tmp_path, method):
    """The presets changed their convention; a run that began under the old one keeps it."""
    path = tmp_path / "last.pt"
    earlier = config(method, epochs=2, sam={"rho": 0.5, "adaptive": "asam_by_shape"})
    whole = metrics_of(train(earlier, splits=splits))
    next(train(earlier, splits=splits)).save(path)
    older = torch.load(path)
    older["config"]["sam"]["adaptive"] = "asam"  # what they called it
    torch.save(older, path)
    resumed = metrics_of(train(config(method, epochs=2), splits=splits, resume=path))
    assert same(resumed, whole[1:])


def test_a_checkpoint_from_another_kind_of_device_goes_on_with_new_random_numbers(
    splits, tmp_path, caplog
):
    """A GPU's generator has a state of 16 bytes; so here, where there is none, are the bytes."""
    path = tmp_path / "last.pt"
    settings = config(epochs=3)
    next(train(settings, splits=splits)).save(path)
    saved = torch.load(path)
    saved["state"]["generator"] = torch.zeros(16, dtype=torch.uint8)
    saved["state"]["cuda_random"] = [torch.zeros(16, dtype=torch.uint8)] * 2  # by older versions
    torch.save(saved, path)
    one, again = (metrics_of(train(settings, splits=splits, resume=path)) for _ in range(2))
    assert len(one) == 2
    assert same(one, again)
    assert "was saved on another kind of device" in caplog.text


@pytest.mark.parametrize("kept", ["cpu", "cuda"])
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_checkpoint_changes_devices(splits, tmp_path, kept):
    path = tmp_path / "last.pt"
    other = {"cpu": "cuda", "cuda": "cpu"}[kept]
    next(train(config(epochs=3), splits=splits, device=kept)).save(path)
    rest = list(train(config(epochs=3), splits=splits, device=other, resume=path))
    assert [r.epoch for r in rest] == [2, 3]
    assert all(math.isfinite(r.metrics["train_loss"]) for r in rest)


@pytest.mark.parametrize("method", ["saner_slaw", "mixup"])
def test_float64_as_the_default_type_changes_nothing(splits, method):
    plain = metrics_of(train(config(method, epochs=2), splits=splits))
    torch.set_default_dtype(torch.float64)
    try:
        other = metrics_of(train(config(method, epochs=2), splits=splits))
    finally:
        torch.set_default_dtype(torch.float32)
    assert same(plain, other)


@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "pickle"])
def test_a_damaged_checkpoint_is_named_and_never_executed(splits, tmp_path, damage):
    path = tmp_path / "last.pt"
    next(train(config(), splits=splits)).save(path)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "missing":
        path.unlink()
    else:
        torch.save({"format": 1, "state": _Trap()}, path)
    with pytest.raises(UserError, match=r"last\.pt"):
        read_checkpoint(path)
    assert not _Trap.sprung


class _Trap:
    sprung = False

    def __reduce__(self):
        return (setattr, (_Trap, "sprung", True))


def test_a_failed_save_leaves_the_old_checkpoint(splits, tmp_path, monkeypatch):
    path = tmp_path / "last.pt"
    results = train(config(), splits=splits)
    next(results).save(path)

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    second = next(results)
    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        second.save(path)
    assert read_checkpoint(path).epoch == 1
    assert list(tmp_path.iterdir()) == [path]


def test_bfloat16_on_the_cpu_trains(splits):
    results = list(train(config(precision="bfloat16", epochs=2), splits=splits))
    assert math.isfinite(results[-1].metrics["train_loss"])


def test_the_test_loss_and_what_sals_measures_are_reported(splits):
    results = list(train(config("sals", epochs=2), splits=splits))
    for result in results:
        metrics = result.metrics
        assert metrics["test_loss"] > 0
        assert metrics["sals_sharpness"] > 0
        assert metrics["sals_mean_sharpness"] != 1.0
    plain = next(train(config("sgd"), splits=splits)).metrics
    assert math.isnan(plain["sals_sharpness"])
    assert math.isnan(plain["sals_mean_sharpness"])


@pytest.mark.parametrize("method", ["sgd", "sam"])
def test_any_method_can_be_probed(splits, method):
    results = list(train(config(method, epochs=2, probe_every=2), splits=splits))
    assert math.isnan(results[0].metrics["gradient_cosine"])
    probed = results[1].metrics
    assert -1 <= probed["gradient_cosine"] <= 1
    assert 0 <= probed["gradient_sign_agreement"] <= 1
    assert math.isnan(probed["p_r_b"]) == (method == "sgd")


def test_swas_cyclical_rate_replaces_the_schedule(splits):
    average = {"kind": "swa", "start": 0.5, "cycles": 1, "lowest": 0.1}
    settings = config("swa", epochs=4, average=average, lr_schedule="cosine")
    rates = [result.metrics["lr"] for result in train(settings, splits=splits)]
    assert rates[:2] == [settings.optimizer.lr] * 2
    assert rates[-1] == pytest.approx(0.1 * settings.optimizer.lr)
