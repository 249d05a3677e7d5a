"""Several inputs for each sample: what goes into a record comes out of it."""

import numpy as np
import pytest
import torch

from tests.own.fresh import forgotten
from tune_robust.config import parse_config
from tune_robust.data import Batches, load_dataset, make_splits
from tune_robust.data.fields import Fields, Unpacking
from tune_robust.errors import UserError
from tune_robust.own import collect_code, use_code

MODULE = """
import torch

def load(n=60, **changes):
    g = torch.Generator().manual_seed(0)
    inputs = {
        "image": torch.randint(0, 256, (n, 3, 4, 4), generator=g, dtype=torch.uint8),
        "row": torch.randn(n, 5, generator=g, dtype=torch.float64),
        "age": 50 + 10 * torch.randn(n, generator=g),
        "words": torch.randint(0, 2**40, (n, 7), generator=g),
        "mask": torch.rand(n, 7, generator=g) < 0.5,
    }
    inputs = {k: eval(changes[k], {"t": t, "torch": torch}) if k in changes else t
              for k, t in inputs.items()}
    return {"inputs": inputs, "labels": torch.arange(n) % 3}

def change(inputs):
    return {**inputs, "row": inputs["row"] + 1}

def less(inputs):
    return {"row": inputs["row"]}

def double(inputs):
    return {**inputs, "row": inputs["row"].double()}
"""


@pytest.fixture
def splits_of(tmp_path):
    (tmp_path / "my_fields.py").write_text(MODULE)

    def splits_of(**data):
        config = parse_config({"data": {"dataset": "my_fields:load", **data}})
        use_code(collect_code(["my_fields:load"], tmp_path))
        return make_splits(config.data, load_dataset(config.data))

    with forgotten():
        yield splits_of


def raw():
    names = {}
    exec(MODULE, names)
    return names["load"]()["inputs"]


def test_a_record_has_every_bit_of_its_inputs():
    inputs = raw()
    fields = Fields.of(inputs)
    records = fields.packed(inputs)
    assert records.shape == (60, 3 * 16 + 5 * 8 + 4 + 7 * 8 + 7)
    for name, given in fields.unpacked(records[10:20]).items():
        assert torch.equal(given, inputs[name][10:20])
        assert given.dtype == inputs[name].dtype


def test_a_network_gets_its_inputs_normalised_by_the_training_part(splits_of):
    splits = splits_of()
    part, given = splits.train, raw()
    found = Unpacking(part.fields).normalised(part.images)
    at = part.positions
    for name in ("row", "age"):
        values = given[name][at].double()
        expected = (values - values.mean(0)) / values.std(0, correction=0)
        assert torch.allclose(found[name].double(), expected, atol=1e-4)
        assert found[name].dtype == torch.float32
    assert found["image"].mean().abs() < 1e-4
    assert found["image"].std() == pytest.approx(1, abs=0.01)
    assert torch.equal(found["words"], given["words"][at])
    assert torch.equal(found["mask"], given["mask"][at])
    assert splits.validation.fields == splits.test.fields == part.fields
    assert part.to("meta").fields == part.fields


def test_an_own_augmentation_gets_the_dict(splits_of):
    def row(augment):
        splits = splits_of(augment=augment)
        batches = Batches(
            splits.train, 8, augment=own(augment), mean=(), std=(),
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
        return splits.train.fields.unpacked(next(iter(batches))[0])["row"]

    def own(augment):
        return parse_config(
            {"data": {"dataset": "my_fields:load", "augment": augment}}
        ).data.augment

    assert torch.equal(row("my_fields:change"), row("none") + 1)
    with pytest.raises(UserError, match="less returned row; expected a dict with the keys"):
        row("my_fields:less")
    with pytest.raises(UserError, match=r"returned row of torch.float64 \(8, 5\); expected"):
        row("my_fields:double")
    with pytest.raises(UserError, match=r"the inputs are image torch.uint8 \(3, 4, 4\), row"):
        row("flip")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"age": "t[1:]"}, "different lengths: image has 60, row has 60, age has 59"),
        ({"age": "t[0]"}, r"inputs\['age'\] as one number; expected \(N, ...\)"),
        ({"row": "t / 0"}, r"inputs\['row'\] with 300 values that are NaN or infinite"),
        ({"words": "'text'"}, r"inputs\['words'\] of type str"),
    ],
)
def test_what_is_wrong_with_one_of_them_is_said(splits_of, changes, said):
    with pytest.raises(UserError, match=said):
        splits_of(options=changes)


def test_instance_noise_names_the_inputs(splits_of):
    with pytest.raises(UserError, match=r"the inputs are image torch\.uint8"):
        splits_of(noise={"kind": "instance", "rate": 0.2})


def test_a_dict_of_numpy_arrays_is_the_same():
    inputs = {name: np.asarray(tensor) for name, tensor in raw().items()}
    tensors = {name: torch.as_tensor(array) for name, array in inputs.items()}
    assert torch.equal(Fields.of(tensors).packed(tensors), Fields.of(raw()).packed(raw()))
