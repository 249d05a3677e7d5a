"""Spaces: what they cost, what they make of drawn values, what they refuse, their round trip."""

import contextlib
import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tuning.drawing import document, draw, make_space, problems
from tune_robust.errors import ConfigError, UserError
from tune_robust.metrics import DIAGNOSTIC
from tune_robust.spaces.paths import get_path
from tune_robust.spaces.space import Space, leading_comment, load_space, parse_space
from tune_robust.spaces.yaml_text import parse_yaml, write_yaml

METHODS = {
    "method": {"choice": ["sgd", "sam"]},
    "sam.rho": {"uniform": [0.0, 1.0], "when": {"method": "sam"}},
}

# The example of the documentation, with its count of validation images and its budget.max.
EXAMPLE = """\
# SANER on CIFAR-100 with 50 % symmetric label noise, ResNet-18.
#   tune-robust search --space saner_cifar100 --data-dir ~/data
name: saner_cifar100
train:
  data: {dataset: cifar100, noise: {kind: symmetric, rate: 0.5}, validation: {size: 5000, labels: noisy}, augment: crop_flip}
  model: {name: resnet18}
  method: saner
  optimizer: {name: sgd, lr: 0.1, momentum: 0.9, weight_decay: 5.0e-4}
  lr_schedule: {kind: multistep, milestones: [0.5, 0.75], factor: 0.1}
  epochs: 200
  batch_size: 128
search:
  sam.rho: {log_uniform: [0.01, 1.0]}
  sam.rho_schedule: {choice: [constant, step_decay, exponential_decay, step_increase]}
  saner.alpha: {uniform: [0.0, 1.0]}
  saner.k: {int: [0, 100], when: {saner.alpha: {below: 1.0}}}
known:                       # published settings, tried first
  - {sam.rho: 0.1, sam.rho_schedule: constant, saner.alpha: 0.5, saner.k: 50}
budget: {trials: 64, unit: gradient_evaluations, max: 400, scheduler: asha, grace: 40, reduction: 3}
searcher: {name: tpe}
objective: {metric: val_accuracy, mode: max}
resources: {cpus: 2, gpus: 0.25}
"""  # noqa: E501


@pytest.mark.parametrize(("seeds", "expected"), [("own", [7, 8, 9]), ("shared", [7, 7, 7])])
def test_trials_have_seeds_of_their_own_or_share_one(seeds, expected):
    seeded = make_space("train.seed=7", searcher={"seeds": seeds})
    values = {"sam.rho": 0.1, "saner.alpha": 0.5}
    assert [seeded.config_for(values, number=n).seed for n in range(3)] == expected


GRID = {"sam.rho": {"grid": [0.1, 0.2]}}


def grid_space(search=GRID, **sections):
    return make_space(search=search, searcher={"name": "grid"}, **sections)


def test_the_cells_of_a_grid_share_the_seed():
    space = grid_space(budget={"trials": 2, "scheduler": "none"})
    assert space.searcher.seeds == "shared"
    configs = [space.config_for({"sam.rho": rho}, number=n) for n, rho in enumerate([0.1, 0.2])]
    assert {(config.seed, config.data.seed) for config in configs} == {(0, 0)}


def test_a_grid_of_an_earlier_version_goes_on_with_a_seed_for_each_trial():
    stored = grid_space(budget={"trials": 2, "scheduler": "none"}).document()
    del stored["searcher"]["seeds"], stored["format"]
    again = Space.from_document(stored)
    assert [again.config_for({"sam.rho": 0.1}, number=n).seed for n in range(3)] == [0, 1, 2]
    assert Space.from_document(again.document()) == again


@pytest.mark.parametrize(("method", "rho"), [("asam", 0.5), ("asam_saner", 0.5)])
def test_a_run_of_an_earlier_version_keeps_its_presets_convention(method, rho):
    search = {"method": {"choice": ["sgd", method]}}
    stored = make_space(search=search).document()
    assert (
        Space.from_document(stored).config_for({"method": method}).sam.adaptive != "asam_by_shape"
    )
    del stored["format"]
    earlier = Space.from_document(stored)
    sam = earlier.config_for({"method": method}).sam
    assert (sam.adaptive, sam.rho) == ("asam_by_shape", rho)
    assert earlier.config_for({"method": "sgd"}).sam is None


def test_a_run_of_an_earlier_version_keeps_its_searcher_and_scheduler():
    stored = make_space().document()
    assert (stored["searcher"]["name"], stored["budget"]["scheduler"]) == ("gp_mf", "promotion")
    del stored["searcher"], stored["budget"]["scheduler"]
    earlier = Space.from_document(stored)
    assert (earlier.searcher.name, earlier.budget.scheduler) == ("tpe", "asha")
    assert Space.from_document(earlier.document()) == earlier


@pytest.mark.parametrize(
    ("searcher", "scheduler"),
    [
        *((name, "promotion") for name in ("gp_mf", "random", "qmc")),
        *((name, "asha") for name in ("tpe", "gp", "cmaes")),
    ],
)
def test_the_scheduler_follows_the_searcher(searcher, scheduler):
    assert make_space(searcher={"name": searcher}).budget.scheduler == scheduler
    assert make_space(f"searcher.name={searcher}").budget.scheduler == scheduler
    loaded = make_space().document()
    again = parse_space(loaded, source="again", overrides=[f"searcher.name={searcher}"])
    assert again.budget.scheduler == scheduler
    given = make_space("budget.scheduler=median", searcher={"name": searcher})
    assert given.budget.scheduler == "median"


def test_a_loop_that_may_not_save_checkpoints_is_not_paused():
    space = make_space(
        train={"loop": "my_loop:train", "epochs": 3}, search={"rho": {"uniform": [0, 1]}}
    )
    assert (space.searcher.name, space.budget.scheduler) == ("tpe", "asha")
    given = parse_space(space.document(), source="it", overrides=["searcher.name=gp_mf"])
    assert (given.searcher.name, given.budget.scheduler) == ("gp_mf", "asha")


def test_nothing_is_stopped_where_scores_cannot_be_compared():
    budget = {"trials": 4, "sentinels": 2}
    labels = grid_space({"data.subset": {"grid": [0.1, 0.2, 0.3, 0.4]}}, budget=budget)
    two = make_space(
        budget=budget,
        searcher={"name": "nsga2"},
        objective={"metric": "val_accuracy", "against": ["gradient_evaluations"]},
    )
    for space in (labels, two):
        assert (space.budget.scheduler, space.budget.sentinels) == ("none", 0)


def test_a_grid_goes_through_seeds_of_network_split_and_noise():
    search = {**GRID, "seed": {"grid": [42, 43, 44]}}
    budget = {"trials": "all", "scheduler": "none"}
    space = grid_space(search, budget=budget, baselines=[{"method": "sgd"}])
    assert (space.budget.trials, space.trials) == (6, 9)  # baselines are beside
    assert [baseline["seed"] for baseline in space.baselines] == [42, 43, 44]
    config = space.config_for({"sam.rho": 0.1, "seed": 43}, number=5)
    assert (config.seed, config.data.seed) == (43, 43)
    assert Space.from_document(space.document()) == space


def test_only_a_grid_goes_through_seeds_or_runs_all_its_trials():
    found = problems(search={**METHODS, "seed": {"choice": [1, 2]}})
    assert "only a grid repeats its trials with several seeds" in found["search.seed"]
    found = problems(search=METHODS, budget={"trials": "all"})
    assert "found 'all'; expected a valid integer" in found["budget.trials"]


def test_what_trials_record_is_part_of_the_space():
    moments = [0.333, 1, "best"]
    recorded = make_space(record={"predictions": moments})
    assert recorded.record.predictions == (0.333, 1.0, "best")
    assert Space.from_document(recorded.document()) == recorded
    assert make_space().record.predictions == (1.0,)


@pytest.mark.parametrize("moments", [[0.0], [1.5], ["first"], [0.5, 0.5], [True]])
def test_moments_that_there_are_not_are_refused(moments):
    found = problems(record={"predictions": moments})
    assert any(path.startswith("record.predictions") for path in found)


def test_the_documented_example_loads_from_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(EXAMPLE)
    space = load_space(path)
    assert space.purpose == "SANER on CIFAR-100 with 50 % symmetric label noise, ResNet-18."
    assert [d.path for d in space.dimensions] == [
        *("sam.rho", "sam.rho_schedule", "saner.alpha", "saner.k")
    ]
    assert (space.max_resource, space.budget.grace, space.resources.gpus) == (400, 40, 0.25)
    assert load_space(str(path)) == space


# --- compute ------------------------------------------------------------------------------------


def test_methods_meet_at_equal_gradient_evaluations():
    space = make_space(search=METHODS)
    assert space.max_resource == 20
    assert space.config_for({"method": "sgd"}).epochs == 20
    assert space.config_for({"method": "sam", "sam.rho": 0.1}).epochs == 10


def test_a_rho_of_zero_costs_one_pass():
    assert make_space(search=METHODS).config_for({"method": "sam", "sam.rho": 0.0}).epochs == 20


ROUNDS = {"method": {"choice": ["sgd", "bootstrap_sgd", "bootstrap_sam"]}}


@pytest.mark.parametrize(
    ("budget", "sgd", "bootstrap_sgd", "bootstrap_sam"),
    [({}, 40, 20, 10), ({"max": 12}, 12, 6, 3), ({"unit": "epochs"}, 20, 10, 10)],
)
def test_all_bootstrap_rounds_count(budget, sgd, bootstrap_sgd, bootstrap_sam):
    space = make_space(search=ROUNDS, budget={"trials": 4, **budget})
    expected = {"sgd": sgd, "bootstrap_sgd": bootstrap_sgd, "bootstrap_sam": bootstrap_sam}
    for method, epochs in expected.items():
        config = space.config_for({"method": method})
        assert config.epochs == epochs
        cost = config.total_epochs if "unit" in budget else config.gradient_evaluations
        assert cost == space.max_resource


@pytest.mark.parametrize(
    ("budget", "sgd", "bootstrap_sgd", "bootstrap_sam", "total"),
    [({}, 20, 20, 10, 4 * 40), ({"unit": "epochs"}, 10, 10, 10, 4 * 40)],
)
def test_each_bootstrap_round_can_have_a_runs_length(
    budget, sgd, bootstrap_sgd, bootstrap_sam, total
):
    space = make_space(search=ROUNDS, budget={"trials": 4, "rounds": "each", **budget})
    expected = {"sgd": sgd, "bootstrap_sgd": bootstrap_sgd, "bootstrap_sam": bootstrap_sam}
    assert {m: space.config_for({"method": m}).epochs for m in expected} == expected
    assert space.max_gradient_evaluations == total


SECONDS = {"trials": 4, "unit": "seconds", "max": 30}


def test_a_budget_in_seconds_lays_out_epochs_at_equal_gradient_evaluations():
    space = make_space(search=METHODS, budget=SECONDS)
    assert space.max_resource == 30
    assert space.config_for({"method": "sgd"}).epochs == 20
    assert space.config_for({"method": "sam", "sam.rho": 0.1}).epochs == 10
    assert space.max_gradient_evaluations == 80


def test_a_budget_in_seconds_says_how_many():
    assert "needs max" in problems(budget={"trials": 4, "unit": "seconds"})["budget"]
    assert "rounds: each" in problems(budget={**SECONDS, "rounds": "each"})["budget"]


def test_a_grids_cost_is_that_of_its_points():
    budget = {"trials": 9, "unit": "epochs"}
    grid = {"searcher": {"name": "grid"}, "baselines": [{"method": "sgd"}]}
    search = {"method": {"choice": ["sgd", "sam"]}}
    space = make_space(search=search, budget=budget, **grid)
    assert space.max_gradient_evaluations == 10 + 10 + 20
    space = make_space(search=search, budget={**budget, "trials": 1}, **grid)
    assert space.max_gradient_evaluations == 10 + 10


def test_baselines_run_beside_the_trials_of_the_budget():
    space = make_space(baselines=[{"method": "sgd"}, {"method": "sam"}])
    assert (space.budget.trials, space.trials) == (4, 6)
    assert Space.from_document(space.document()).trials == 6


def test_a_run_of_an_earlier_version_keeps_the_trials_that_it_had():
    """Its budget counted the baselines, and could reserve GPUs that nothing used."""
    written = document(baselines=[{"method": "sgd"}], resources={"gpus": 2})
    space = Space.from_document(written)
    assert space.trials == 4
    assert space.resources.gpus == 1
    assert Space.from_document(space.document()) == space


def test_a_trial_has_a_fraction_of_a_gpu_or_whole_ones():
    assert make_space(resources={"gpus": 2}).resources.gpus == 2
    message = problems(resources={"gpus": 1.5})["resources.gpus"]
    assert "found 1.5; a trial has a fraction of one GPU or several complete ones" in message
    assert "a whole number, such as 2" in message


def test_each_process_has_a_gpu_or_none_has():
    assert make_space(resources={"processes": 2, "gpus": 2}).resources.processes == 2
    message = problems(resources={"processes": 2, "gpus": 0.5})["resources"]
    assert "set gpus: 2, or gpus: 0 to train on the CPU" in message


def test_the_length_is_that_of_the_costliest_method_drawn_not_of_a_baseline():
    search = {"optimizer.lr": {"uniform": [0.1, 1]}}
    train = {"method": "sgd", "optimizer": {"name": "sgd"}, "epochs": 10}
    space = make_space(train=train, search=search, baselines=[{"method": "sam"}])
    assert space.max_resource == 10
    assert space.config_for(space.baselines[0]).epochs == 5


@pytest.mark.parametrize(
    ("budget", "max_resource", "sgd", "sam", "total"),
    [
        ({"max": 6}, 6, 6, 3, 24),
        ({"max": 7}, 7, 7, 3, 28),
        ({"max": 1}, 1, 1, 1, 4),
        ({"max": 600}, 20, 20, 10, 80),
        ({"unit": "epochs"}, 10, 10, 10, 80),
        ({"unit": "epochs", "max": 6}, 6, 6, 6, 48),
    ],
)
def test_the_budget_shortens_runs(budget, max_resource, sgd, sam, total):
    space = make_space(search=METHODS, budget={"trials": 4, **budget})
    assert space.max_resource == max_resource
    assert space.config_for({"method": "sgd"}).epochs == sgd
    assert space.config_for({"method": "sam", "sam.rho": 0.1}).epochs == sam
    assert space.max_gradient_evaluations == total


# --- the configuration of a trial ---------------------------------------------------------------


def test_values_are_laid_over_train():
    train = {"method": "saner", "sam": {"eta": 0.02}, "seed": 7, "batch_size": 32}
    config = make_space(train=train).config_for({"sam.rho": 0.3, "saner.alpha": 0.1}, number=3)
    assert (config.sam.rho, config.sam.eta, config.saner.alpha) == (0.3, 0.02, 0.1)
    assert (config.seed, config.batch_size, config.data.seed) == (10, 32, 0)


def test_threads_come_from_the_caller_then_train_then_the_resources():
    space = make_space(resources={"cpus": 3})
    assert space.config_for({}).threads == 3
    assert space.config_for({}, threads=2).threads == 2
    train = {"method": "saner", "threads": 4}
    assert make_space(train=train, resources={"cpus": 3}).config_for({}).threads == 4


def test_a_method_replaces_the_parts_of_the_spaces_own():
    train = {"method": "saner", "sam": {"rho_schedule": "step_decay"}, "saner": {"k": 3}}
    space = make_space(train=train, baselines=[{"method": "sgd"}, {"method": "sam"}])
    sgd, sam = (space.config_for(baseline) for baseline in space.baselines)
    assert (sgd.sam, sgd.saner) == (None, None)
    assert (sam.sam.rho_schedule.kind, sam.saner) == ("step_decay", None)


def test_a_part_beside_the_method_is_kept():
    train = {"method": "saner", "sals": {"alpha": 0.4}}
    config = make_space(train=train, baselines=[{"method": "sgd"}]).config_for({"method": "sgd"})
    assert config.sals.alpha == 0.4


def test_a_schedules_knots_can_be_drawn():
    train = {"method": "sam", "sam": {"rho_schedule": "piecewise_linear"}}
    knots = {f"sam.rho_schedule.{knot}": {"uniform": [0.0, 2.0]} for knot in ("half", "end")}
    space = make_space(train=train, search=knots)
    config = space.config_for({"sam.rho_schedule.half": 0.5, "sam.rho_schedule.end": 2.0})
    knots = config.sam.rho_schedule
    assert (knots.kind, knots.quarter, knots.half, knots.end) == ("piecewise_linear", 1, 0.5, 2)


def test_values_outside_the_config_are_refused():
    with pytest.raises(ConfigError, match=r"sam\.rho: found -1"):
        make_space().config_for({"sam.rho": -1})


# --- what is refused ----------------------------------------------------------------------------


def test_the_mistakes_of_all_sections_are_reported_together():
    found = problems(
        name="../up",
        train={"method": "sanr", "epochs": 0, "data": {"noise": {"kind": "symetric"}}},
        search={"sam.rho": {"uniform": [1, 0]}, "saner.alpa": {"uniform": [0, 1]}},
        budget={"trials": 0, "reduction": 1, "unit": "hours"},
        searcher={"name": "tpi"},
        objective={"metric": "val_acc", "at": "end"},
        resources={"cpu": 1},
        known=3,
        extra=1,
    )
    assert set(found) == {
        *("name", "train.method", "train.epochs", "train.data.noise"),
        *("search.sam.rho", "search.saner.alpa"),
        *("budget.trials", "budget.reduction", "budget.unit", "searcher.name"),
        *("objective.metric", "objective.at", "resources.cpu", "known", "extra"),
    }
    assert "Did you mean 'cpus'?" in found["resources.cpu"]
    assert "Did you mean 'symmetric'?" in found["train.data.noise"]


@pytest.mark.parametrize("section", ["name", "train", "search", "budget"])
def test_the_sections_without_a_default_are_required(section):
    changed = document()
    del changed[section]
    with pytest.raises(ConfigError, match=f"  {section}: "):
        Space.from_document(changed)


@pytest.mark.parametrize("metric", sorted(DIAGNOSTIC))
def test_a_diagnostic_metric_must_not_choose(metric):
    message = problems(objective={"metric": metric})["objective.metric"]
    assert "needs the true labels or the test set" in message
    assert "validation.labels: clean" in message


def test_the_objectives_direction_follows_the_metric():
    assert make_space().objective.mode == "max"
    assert make_space(objective={"metric": "val_loss"}).objective.mode == "min"
    assert make_space(objective={"metric": "train_loss", "mode": "max"}).objective.mode == "max"


def test_a_grid_search_needs_listed_values():
    search = {"sam.rho": {"grid": [0.1, 0.5]}, "saner.alpha": {"uniform": [0, 1]}}
    found = problems(search=search, searcher={"name": "grid"})
    assert found == {
        "search.saner.alpha": "found uniform [0, 1]; expected grid or choice, "
        "as the searcher is grid"
    }


def test_a_grace_above_the_longest_run_is_refused():
    assert "above max" in problems(budget={"trials": 3, "max": 4, "grace": 5})["budget"]


@pytest.mark.parametrize("text", ["3", "[1]", "", "just text"])
def test_a_file_that_is_no_space_is_refused(tmp_path, text):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match="expected a space"):
        load_space(path)


def test_bad_yaml_is_told_with_file_and_line(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("name: x\ntrain: {epochs: 3\n")
    with pytest.raises(UserError, match=r"mine\.yaml, line 3: expected ',' or '}'"):
        load_space(path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("saner_digit", r"no space 'saner_digit'\. Did you mean 'saner_digits'\?.*spaces list"),
        ("no_such.yaml", r"no space file 'no_such\.yaml'"),
        ("folder/no_such", r"no space file 'folder/no_such'"),
    ],
)
def test_a_space_that_there_is_not_is_told(tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        load_space(name)


# --- round trip ---------------------------------------------------------------------------------

DIMENSIONS = {
    "sam.rho": st.sampled_from(
        [{"log_uniform": [0.01, 1]}, {"grid": [0.1, 0.5]}, {"uniform": [0, 1e-3]}]
    ),
    "saner.alpha": st.sampled_from([{"uniform": [0, 2]}, {"choice": [0.25, 1, 0.5]}]),
    "saner.k": st.sampled_from(
        [{"int": [0, 9]}, {"log_int": [1, 90], "when": {"sam.rho": {"above": 0.1}}}]
    ),
    "optimizer.lr": st.sampled_from(
        [
            {"log_uniform": [1e-5, 1]},
            [
                {"uniform": [0.1, 1], "when": {"batch_size": {"above": 32}}},
                {"uniform": [1, 2], "when": {"batch_size": [16, 32], "optimizer.nesterov": False}},
            ],
        ]
    ),
    "batch_size": st.just({"choice": [16, 32, 64, 128]}),
    "optimizer.nesterov": st.just({"choice": [True, False]}),
}


@st.composite
def documents(draw_from):
    paths = draw_from(st.permutations(sorted(DIMENSIONS)))
    return document(
        name=draw_from(st.from_regex(r"[a-z0-9_]{1,8}", fullmatch=True)),
        description=draw_from(st.text(st.characters(codec="utf-8", exclude_categories=["C"]))),
        train={
            "method": "saner",
            "optimizer": {"name": "sgd"},
            "epochs": draw_from(st.integers(1, 9)),
        },
        search={path: draw_from(DIMENSIONS[path]) for path in paths},
        budget={
            "trials": draw_from(st.integers(1, 99)),
            "unit": draw_from(st.sampled_from(["epochs", "gradient_evaluations"])),
            "max": draw_from(st.none() | st.floats(1, 99)),
        },
        baselines=draw_from(st.sampled_from([[], [{"method": "sgd"}]])),
    )


@given(documents(), st.integers(0, 2**32))
def test_a_space_survives_its_document_and_draws_valid_configs(given_document, seed):
    space = Space.from_document(given_document)
    again = Space.from_document(parse_yaml(write_yaml(space.document()), "it"))
    assert again == space
    assert again.document() == space.document()
    rng = random.Random(seed)
    for number in range(5):
        values = draw(space, rng)
        config = space.config_for(values, number=number)
        assert config.gradient_evaluations <= max(2, 2 * space.max_resource)
        assert config == again.config_for(values, number=number)


def test_the_leading_comment_describes_the_space():
    text = "# One.\n#   indented\n#\n# Two.\nname: x\n# not this\n"
    assert leading_comment(text) == "One.\n  indented\n\nTwo."
    assert leading_comment("name: x\n# not this") == ""


def test_spaces_load_without_the_heavy_libraries():
    code = (
        "import sys\n"
        "from tune_robust.spaces.space import load_space\n"
        "load_space('saner_digits')\n"
        "print({'torch', 'ray', 'optuna', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# --- anything may stand in a file ---------------------------------------------------------------

WORDS = st.sampled_from(["sam", "saner", "sam.rho", "method", "when", "uniform", "choice", "kind"])
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 3) | st.floats() | WORDS | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.integers(0, 2), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(data, here=()):
    """The position of every node of a nested document."""
    inner = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in inner if isinstance(data, (dict, list)) else ():
        yield (*here, key)
        if isinstance(value, (dict, list)):
            yield from places(value, (*here, key))


PLACES = sorted(places(parse_yaml(EXAMPLE, "it")), key=str)


def put(document, place, junk):
    """Replace what stands at ``place``, if an earlier replacement has left it there."""
    with contextlib.suppress(TypeError, KeyError, IndexError):
        for key in place[:-1]:
            document = document[key]
        document[place[-1]] = junk


@given(st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3))
@settings(max_examples=300, deadline=None)
def test_junk_anywhere_is_refused_or_loads_and_draws(replacements):
    junky = parse_yaml(EXAMPLE, "it")
    for place, junk in replacements:
        put(junky, place, junk)
    try:
        space = Space.from_document(junky)
    except UserError:
        return
    space.config_for(draw(space, random.Random(0)))


def test_a_space_that_searches_a_setting_by_its_earlier_name_opens_and_draws():
    space = make_space(
        train={"method": "sam", "data": {"noise": {"kind": "given", "file": "labels.csv"}}},
        search={
            "data.noise.column": {"choice": ["a", "b"]},
            "sam.rho": {"grid": [0.1, 0.2], "when": {"data.noise.column": "a"}},
        },
        budget={"trials": 4, "scheduler": "none"},
        searcher={"name": "grid"},
    )
    values = {"data.noise.column": "a", "sam.rho": 0.1}
    config = space.config_for(values)
    assert (config.data.noise.key, get_path(config, "data.noise.column")) == ("a", "a")
    assert Space.from_document(space.document()).config_for(values) == config
