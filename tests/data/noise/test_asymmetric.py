import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tune_robust.config import AsymmetricNoise, DataConfig, parse_config
from tune_robust.data.cifar_classes import CIFAR10, CIFAR100, CIFAR100_SUPERCLASSES
from tune_robust.data.noise.asymmetric import class_pairs
from tune_robust.data.noise.human import read_labels
from tune_robust.errors import ConfigError, UserError

classes_drawn = st.lists(st.integers(0, 9), min_size=1, max_size=200).map(np.array)


def of(classes, **noise):
    return class_pairs(AsymmetricNoise(rate=0.4, **noise), classes)


@given(classes_drawn, st.floats(0, 1), st.integers(0, 9))
def test_counts_are_exact_in_each_class(draw, true, rate, seed):
    labels = draw(true, {"kind": "asymmetric", "rate": rate}, CIFAR10, seed=seed)
    for label in range(10):
        wrong = (labels != true) & (true == label)
        turns = CIFAR10[label] in ("truck", "bird", "deer", "cat", "dog")
        assert wrong.sum() == (int(rate * (true == label).sum()) if turns else 0)


@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 99))
def test_a_higher_rate_only_adds_whatever_the_split(draw, low, high, cut):
    low, high = sorted((low, high))
    true, parts = np.arange(100) % 10, [np.arange(cut), np.arange(cut, 100)]
    some = draw(true, {"kind": "asymmetric", "rate": low}, CIFAR10, parts)
    more = draw(true, {"kind": "asymmetric", "rate": high}, CIFAR10, parts)
    replaced = some != true
    assert (some[replaced] == more[replaced]).all()


def test_cifar10_pairs():
    named = {CIFAR10[a]: CIFAR10[b] for a, b in of(CIFAR10).items()}
    assert named == {
        "truck": "automobile",
        "bird": "airplane",
        "deer": "horse",
        "cat": "dog",
        "dog": "cat",
    }


def test_cifar100_turns_in_circles_inside_each_superclass():
    pairs = of(CIFAR100)
    assert sorted(pairs) == sorted(pairs.values()) == list(range(100))
    for names in CIFAR100_SUPERCLASSES.values():
        turned = [CIFAR100[pairs[CIFAR100.index(name)]] for name in names]
        assert turned == [*names[1:], names[0]]
    assert CIFAR100[pairs[CIFAR100.index("apple")]] == "mushroom"
    assert CIFAR100[pairs[CIFAR100.index("worm")]] == "crab"


def test_superclasses_are_those_of_real_labels(real_labels):
    labels = read_labels(real_labels("CIFAR-100_human.pt"))
    coarse = [k for k, names in enumerate(CIFAR100_SUPERCLASSES.values()) for _ in names]
    names = [name for names in CIFAR100_SUPERCLASSES.values() for name in names]
    superclass = np.array([coarse[names.index(name)] for name in CIFAR100])
    assert (superclass[labels["clean_label"]] == labels["clean_coarse_label"]).all()


def test_the_class_names_of_the_hugging_face_copy_do_too():
    assert of(["cra" if name == "crab" else name for name in CIFAR100]) == of(CIFAR100)


def test_a_map_by_name_or_index():
    assert of(("cat", "dog", "7"), class_map={"cat": 1, 2: "cat", 1: "7"}) == {0: 1, 2: 0, 1: 2}


@pytest.mark.parametrize("classes", [CIFAR100, CIFAR10, ("a", "b", "c")])
def test_the_next_class_as_saners_code_draws_it(classes):
    count = len(classes)
    assert of(classes, class_map="next_class") == {y: (y + 1) % count for y in range(count)}


def test_six_of_cifar100s_next_classes_are_those_of_the_superclass():
    following, ring = of(CIFAR100, class_map="next_class"), of(CIFAR100)
    assert sum(following[y] == ring[y] for y in range(100)) == 6


@pytest.mark.parametrize(
    ("class_map", "found"),
    [
        ({"cta": "dog"}, "no class 'cta'. Did you mean 'cat'.*Allowed: cat, dog, or 0 to 1"),
        ({"cat": 2}, "no class '2'"),
    ],
)
def test_classes_that_are_none_are_refused(class_map, found):
    with pytest.raises(UserError, match=f"data.noise.class_map: there is {found}"):
        of(("cat", "dog"), class_map=class_map)


def test_other_datasets_need_a_map():
    with pytest.raises(UserError, match=r"data\.noise\.class_map, such as \{c: a\}"):
        of(tuple("abc"))


@given(st.integers(2, 6).flatmap(lambda k: st.tuples(st.just(k), st.integers(0, 2**32))))
def test_labels_follow_the_transition_matrix(draw, drawn):
    classes, seed = drawn
    generator = np.random.default_rng(seed)
    matrix = generator.dirichlet(np.ones(classes) / 2, classes)
    matrix[0] = np.eye(classes)[1]
    true = np.arange(2000 * classes) % classes
    noise = {"kind": "asymmetric", "transition_matrix": matrix.tolist()}
    labels = draw(true, noise, tuple(map(str, range(classes))), seed=seed % 10)
    table = np.zeros((classes, classes))
    np.add.at(table, (true, labels), 1 / 2000)
    assert np.abs(table - matrix).max() < 6 * 0.5 / np.sqrt(2000)
    assert (labels[true == 0] == 1).all()


@given(st.integers(1, 99))
def test_labels_by_matrix_are_the_same_in_every_split(draw, cut):
    true = np.arange(100) % 10
    noise = {"kind": "asymmetric", "transition_matrix": np.full((10, 10), 0.1).tolist()}
    whole = draw(true, noise)
    assert (draw(true, noise, parts=[np.arange(cut), np.arange(cut, 100)]) == whole).all()


def test_a_matrix_of_another_size_is_refused(draw):
    with pytest.raises(UserError, match="has 2 rows and columns; the dataset has 10 classes"):
        draw([0, 1], {"kind": "asymmetric", "transition_matrix": [[1, 0], [0, 1]]})


@pytest.mark.parametrize(
    ("noise", "found"),
    [
        ({}, "needs a rate, or else a transition_matrix"),
        ({"rate": 1.5}, "found 1.5"),
        ({"rate": 0.1, "transition_matrix": [[1]]}, "leave out rate"),
        ({"transition_matrix": [[1, 0]]}, "has 1 rows, but 2 values in row 0"),
        ({"transition_matrix": [[0.5, 0.4], [0, 1]]}, "row 0 adds up to 0.9"),
        ({"transition_matrix": [[-1, 2], [0, 1]]}, "found -1"),
        ({"rate": 0.1, "class_map": {}}, "class_map"),
        ({"rate": 0.1, "class_map": "next"}, "class_map.*next_class"),
    ],
)
def test_settings_that_contradict_are_refused(noise, found):
    with pytest.raises(ConfigError, match=found):
        parse_config({"data": {"noise": {"kind": "asymmetric", **noise}}})


@pytest.mark.parametrize(
    "noise",
    [
        {"rate": 0.1, "class_map": {9: "cat"}},
        {"rate": 0.1, "class_map": "next_class"},
        {"transition_matrix": [[0.5, 0.5], [0, 1]]},
    ],
)
def test_settings_survive_json_and_are_hashable(noise):
    config = DataConfig(noise={"kind": "asymmetric", **noise})
    again = DataConfig.model_validate_json(config.model_dump_json())
    assert again == config
    assert hash(again) == hash(config)
