"""Every built-in space loads, draws valid configurations, trains, and opens with what it is for."""

import itertools
import random
from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
import torch

from tests.tuning.drawing import draw
from tune_robust.data import LabelledImages, Splits
from tune_robust.spaces.draws import grid_points
from tune_robust.spaces.space import Space, builtin_spaces, load_space, space_text
from tune_robust.spaces.yaml_text import parse_yaml, write_yaml
from tune_robust.training import train

SETS = ("cifar10", "cifar100", "cifar10n", "cifar100n")
METHODS = ("sam", "asam", "saner", "slaw", "methods")
SEARCHES = {
    *(f"{method}_{labels}" for method in METHODS for labels in SETS),
    *("saner_digits", "slaw_digits", "methods_digits", "rho_knots_digits"),
    *("pareto_digits", "methods_tabular"),
    *("sam_rho_search_cifar10", "robust_start", "folder_large"),
}
TABLES = {
    *("slaw_clean_cifar10", "slaw_noise20_cifar10", "slaw_noise40_cifar10"),
    *("slaw_ablation_cifar10", "saner_figure1_cifar10", "saner_alpha_cifar100"),
    *("saner_k_cifar100", "saner_architectures_cifar100", "saner_noise_types"),
    *("saner_width_cifar100", "saner_no_augmentation_cifar100", "saner_small_data_cifar100"),
    *("saner_webvision", "saner_webvision_resnet18", "saner_groups_cifar10"),
    *("saner_separation_cifar100", "saner_k_noise_cifar100", "saner_networks_cifar10"),
    *("sam_label_noise", "sam_rho_grid_cifar10", "sam_rho_grid_foret_cifar10"),
}
NAMES = builtin_spaces()
CIFAR = sorted(name for name in SEARCHES if "cifar" in name)


def test_the_built_in_spaces_are_the_files_of_their_folder():
    files = {f.name for f in resources.files("search_spaces").iterdir()}
    assert {f"{name}.yaml" for name in NAMES} == {f for f in files if f.endswith(".yaml")}
    assert set(NAMES) == SEARCHES | TABLES


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_valid_configurations_and_survives_its_document(name):
    space = load_space(name)
    assert space.name == name
    assert Space.from_document(parse_yaml(write_yaml(space.document()), name)) == space
    rng = random.Random(0)
    for number in range(50):
        values = draw(space, rng)
        config = space.config_for(values, number=number)
        cost = config.passes_per_step if space.budget.unit == "gradient_evaluations" else 1
        least = space.max_resource - cost if "epochs" not in values else 0
        assert least < config.epochs * cost <= space.max_resource
    for values in (*space.known, *space.baselines):
        space.config_for(values)


@pytest.mark.parametrize("name", NAMES)
def test_it_opens_with_its_purpose_the_command_and_an_override_that_works(name):
    purpose, command, override, *_ = load_space(name).description.split("\n")
    assert purpose.endswith(".")
    assert command.strip().startswith(f"tune-robust search --space {name}")
    assert ("--data-dir" in command) == (not name.endswith(("_digits", "_tabular", "_start")))
    assert override.strip().startswith(f"tune-robust search --space {name} --set ")
    settings = [s.strip().strip('"') for s in override.split("--set ")[1:]]
    assert load_space(name, overrides=settings) != load_space(name)


@pytest.mark.parametrize("name", sorted(SEARCHES - {"sam_rho_search_cifar10"}))
def test_a_search_has_plain_sgd_beside_it_and_tries_published_settings_first(name):
    space = load_space(name)
    config = space.config_for(space.baselines[0])
    assert (config.sam, config.sals, config.law) == (None, None, None)
    assert config.epochs == space.max_resource
    assert space.known


@pytest.mark.parametrize("name", NAMES)
def test_it_chooses_by_labels_that_a_user_has(name):
    space = load_space(name)
    rng = random.Random(0)
    for _ in range(20):
        assert space.config_for(draw(space, rng)).data.validation.labels == "noisy"
    clean = {"slaw_clean_cifar10", "sam_label_noise"}
    assert space.config_for({}).data.noise.kind != "none" or name in clean | {"saner_noise_types"}


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("n")])
def test_human_labels_are_those_of_the_data_set(name):
    noise = load_space(name).config_for({}).data.noise
    if name.endswith("cifar10n"):
        assert (Path(noise.file).name, noise.key) == ("CIFAR-10_human.pt", "worse_label")
    elif name.endswith("cifar100n"):
        assert (Path(noise.file).name, noise.key) == ("CIFAR-100_human.pt", "noisy_label")


@pytest.mark.parametrize("name", CIFAR)
def test_a_tiny_run_on_local_images_is_a_few_overrides_away(name):
    overrides = ["train.data.dataset=parquet", "train.data.dir=/somewhere", "train.epochs=2"]
    space = load_space(name, overrides=[*overrides, "train.data.subset=2000", "budget.trials=2"])
    config = space.config_for(space.baselines[0])
    assert (config.data.dataset, config.data.subset) == ("parquet", 2000)
    assert config.total_epochs == (4 if space.budget.rounds == "each" else space.max_resource)


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("methods")])
def test_where_methods_compete_each_has_the_compute_of_the_others(name):
    space = load_space(name)
    assert set(space.methods) == {"sgd", "sam", "asam", "saner", "slaw"}
    for method in space.methods:
        config = space.config_for({"method": method})
        assert config.epochs * config.passes_per_step == space.max_resource
    assert {point["method"] for point in space.known} == set(space.methods) - {"sgd"}


def test_robust_start_selects_by_information_also_on_labels_that_are_noisy_as_they_are():
    overrides = ["train.data.noise=none", "train.data.dataset=folder", "train.data.dir=/somewhere"]
    space = load_space("robust_start", overrides=overrides)
    assert space.objective.metric == "val_information"
    assert space.config_for(space.known[0]).data.noise.kind == "none"
    for method in space.methods:
        config = space.config_for({"method": method})
        assert config.epochs * config.passes_per_step == space.max_resource
    methods = [point["method"] for point in space.known]
    assert sorted(methods) == sorted(space.methods)


def test_the_files_say_floats_the_way_people_do():
    assert "5e-4" in space_text("saner_digits")
    assert load_space("saner_digits").config_for({}).optimizer.weight_decay == 5e-4


# --- tables: grids that fill in what was published ----------------------------------------------


@pytest.mark.parametrize("name", sorted(TABLES))
def test_a_table_is_a_grid_whose_every_trial_trains_as_long_as_published(name):
    space = load_space(name)
    points = grid_points(space.dimensions)
    assert space.searcher.name == "grid"
    assert space.budget.trials == len(points)
    assert space.budget.scheduler == "none"
    configs = [space.config_for(point) for point in points]
    assert {config.epochs for config in configs} == {space.train["epochs"]}
    assert len({config.model_dump_json(exclude={"seed"}) for config in configs}) == len(points)


def test_the_label_noise_report_has_320_runs_20_methods_on_16_label_sets():
    space = load_space("sam_label_noise")
    configs = [space.config_for(point) for point in grid_points(space.dimensions)]
    label_sets = Counter(config.data.model_dump_json() for config in configs)
    methods = Counter(config.model_dump_json(exclude={"data", "seed"}) for config in configs)
    assert len(configs) == 320
    assert set(label_sets.values()) == {20}
    assert set(methods.values()) == {16}

    noises = Counter((c.data.dataset, *_noise(c)) for c in configs)
    blue = [("symmetric", rate) for rate in (0.2, 0.4, 0.6, 0.8, 1.0)]
    assert set(noises) == {
        *(("cifar10", *n) for n in [("none",), *blue, *_red("aggre_label", "worse_label")]),
        *(("cifar100", *n) for n in [("none",), *blue, *_red("noisy_coarse_label", "noisy_label")]),
    }
    assert {c.data.label_column for c in configs if "coarse" in str(_noise(c))} == {"coarse_label"}
    assert {c.data.noise.true_class for c in configs if "symmetric" in _noise(c)} == {"included"}

    schedules = ("constant", "step_decay", "exponential_decay", "step_increase")
    assert Counter(_method(c) for c in configs) == Counter(
        16 * [*itertools.product([("sgd",), ("swa",), *_perturbed(schedules)], (1, 2))]
    )
    costs = {c.gradient_evaluations for c in configs}
    assert costs == {200, 400, 800}
    assert space.max_gradient_evaluations == 16 * (2 * (200 + 400) + 8 * (400 + 800))


def _noise(config):
    noise = config.data.noise
    detail = getattr(noise, "rate", None) or getattr(noise, "key", None)
    return (noise.kind, detail) if detail else (noise.kind,)


def _red(*keys):
    return [("human", key) for key in keys]


def _perturbed(schedules):
    sam = itertools.product(["sam"], [0.1], ["none"], schedules)
    return [*sam, *itertools.product(["asam"], [2.0], ["elementwise"], schedules)]


def _method(config):
    sam = config.sam
    how = (sam.rho, sam.adaptive, sam.rho_schedule.kind) if sam else ()
    return (config.method, *how), config.bootstrap_rounds


@pytest.mark.parametrize(
    ("name", "path", "values"),
    [
        ("saner_alpha_cifar100", "saner.alpha", [0.25, 0.5, 0.75, 1.0, 1.1, 1.25, 1.5, 2.0]),
        ("saner_k_cifar100", "saner.k", [0, 25, 50, 75]),
        ("sam_rho_grid_cifar10", "sam.rho", [0.01, 0.02, 0.05, 0.1, 0.2, 0.5]),
    ],
)
def test_a_sweep_has_the_papers_values(name, path, values):
    assert [point[path] for point in grid_points(load_space(name).dimensions)] == values


def test_slaws_tables_start_from_imagenet_with_the_stem_as_it_is():
    gammas = {"slaw_clean_cifar10": 0.7, "slaw_noise20_cifar10": 0.9, "slaw_noise40_cifar10": 0.9}
    for name, gamma in gammas.items():
        space = load_space(name)
        plain, *slaw = map(space.config_for, grid_points(space.dimensions))
        assert (plain.sals, plain.law) == (None, None)
        assert [config.law.gamma for config in slaw] == [gamma] * 3
        assert [config.law.shape for config in slaw] == ["suppress_high", "band", "as_published"]
        assert (plain.model.stem, plain.model.weights) == ("imagenet", "imagenet")


def test_the_search_for_rho_trains_as_the_grid_does_over_the_same_range():
    grid, search = load_space("sam_rho_grid_cifar10"), load_space("sam_rho_search_cifar10")
    assert grid.train == search.train
    assert grid.baselines == search.baselines
    assert grid.budget.rounds == search.budget.rounds == "each"
    (ours,), (theirs,) = search.dimensions, grid.dimensions
    values = theirs.distribution.values
    assert ours.distribution.ends() == (min(values), max(values))


@pytest.mark.parametrize("name", sorted(TABLES))
def test_one_override_runs_a_table_with_the_papers_seeds(name):
    once, space = load_space(name), load_space(name, overrides=["search.seed={grid: [42, 43, 44]}"])
    assert space.trials == 3 * once.trials
    assert space.max_gradient_evaluations == 3 * once.max_gradient_evaluations
    configs = [space.config_for(point) for point in grid_points(space.dimensions)]
    assert {(c.seed, c.data.seed) for c in configs} == {(s, s) for s in (42, 43, 44)}


def test_the_label_noise_report_is_trained_as_its_code_does():
    space = load_space("sam_label_noise")
    configs = [space.config_for(point) for point in grid_points(space.dimensions)]
    assert {config.label_smoothing_over for config in configs} == {"others"}
    assert {config.bootstrap_network for config in configs} == {"continued"}
    assert {c.average.cycles for c in configs if c.method == "swa"} == {10}


def test_foret_et_als_grid_differs_from_the_seeds_in_rate_and_weight_decay_only():
    ours, theirs = load_space("sam_rho_grid_cifar10"), load_space("sam_rho_grid_foret_cifar10")
    assert (theirs.train["optimizer"]["lr"], theirs.train["optimizer"]["weight_decay"]) == (1, 1e-4)
    same = {**theirs.train, "optimizer": ours.train["optimizer"]}
    assert same == ours.train
    assert theirs.dimensions == ours.dimensions


def test_webvision_is_trained_as_the_official_scripts_do():
    for name, side, batch in (("saner_webvision", 299, 64), ("saner_webvision_resnet18", 224, 128)):
        *_, saner = map(load_space(name).config_for, grid_points(load_space(name).dimensions))
        assert (saner.data.image_size, saner.batch_size) == (side, batch)
        assert (saner.optimizer.lr, saner.epochs, saner.saner.k) == (0.1, 120, 0)
        assert saner.data.augment == "resized_crop_flip"


def test_spaces_that_are_to_show_p_r_record_it():
    for name in ("saner_figure1_cifar10", "saner_k_cifar100", "saner_groups_cifar10"):
        configs = map(load_space(name).config_for, grid_points(load_space(name).dimensions))
        assert {config.probe_every for config in configs} == {5}


# --- a tiny trial of each -----------------------------------------------------------------------


def images(space):
    """Eight images for training and four for the rest, of random pixels and labels."""
    dataset = space.config_for({}).data.dataset
    classes, channels, side = {"digits": (10, 1, 8), "cifar100": (100, 3, 8)}.get(
        dataset, (10, 3, 8)
    )
    generator = torch.Generator().manual_seed(0)

    def part(count):
        pixels = torch.randint(
            256, (count, channels, side, side), dtype=torch.uint8, generator=generator
        )
        given, true = torch.randint(classes, (2, count), generator=generator)
        return LabelledImages(pixels, given, true)

    if dataset.startswith("sklearn:"):
        return rows()
    names = tuple(map(str, range(classes)))
    return Splits(part(8), part(4), part(4), names, (0.5,) * channels, (0.25,) * channels)


def rows():
    """The same of rows of 30 numbers in two classes."""
    generator = torch.Generator().manual_seed(0)

    def part(count):
        given, true = torch.randint(2, (2, count), generator=generator)
        return LabelledImages(torch.rand(count, 30, generator=generator), given, true)

    return Splits(part(8), part(4), part(4), ("0", "1"), (0.5,) * 30, (0.25,) * 30)


def tiny(config):
    """The same method for two steps a round, on a narrow network without starting weights."""
    model = config.model
    small = {"width": min(0.05, model.width), "weights": None}
    if model.name == "inception_resnet_v2":
        small = {"name": "small_cnn"}
    return config.model_copy(
        update={
            "epochs": 1,
            "batch_size": 4,
            "threads": 1,
            "model": model.model_copy(update=small),
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_trial_of_every_method_trains(name):
    space = load_space(name)
    splits = images(space)
    rng = random.Random(0)
    drawn = {}
    for _ in range(100):
        config = space.config_for(draw(space, rng))
        drawn.setdefault((config.method, config.bootstrap_rounds), config)
    assert {method for method, _ in drawn} == set(space.methods)
    for config in drawn.values():
        *_, last = train(tiny(config), device="cpu", splits=splits)
        assert last.epoch == config.bootstrap_rounds
        assert last.metrics["gradient_evaluations"] == tiny(config).gradient_evaluations
        assert 0 <= last.metrics["val_accuracy"] <= 1
