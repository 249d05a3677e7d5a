from analysis import fitting_data
from analysis.figures.leaders import leaders
from analysis.figures.style import line_style


def test_each_method_is_led_by_its_best_trial(build):
    run = build.load(
        [
            build.trial(1, {}, method="sam", good=0.3),
            build.trial(2, {}, method="sam", good=0.8),
            build.trial(3, {}, method="sgd", good=0.5),
        ]
    )
    assert leaders(run) == {"sam": "t0002", "sgd": "t0003"}


def test_where_no_method_is_named_the_winner_stands_for_it(build):
    run = build.load([build.trial(i, {}, method=None, good=0.3 * i) for i in (1, 2)])
    assert leaders(run) == {"winner": "t0002"}


GRID = {"name": "grid"}


def grid(build, search, trials):
    return build.load(trials, space=build.space(search=search, searcher=GRID))


def test_each_cell_of_a_grid_is_kept(build):
    search = {"law.shape": {"choice": ["linear", "power"]}, "law.gamma": {"grid": [0.5, 0.9]}}
    cells = [(shape, gamma) for shape in ("linear", "power") for gamma in (0.5, 0.9)]
    trials = [
        build.trial(n, {"law.shape": shape, "law.gamma": gamma}, method="law", good=0.2 * n)
        for n, (shape, gamma) in enumerate(cells, 1)
    ]
    run = grid(build, search, trials)
    assert leaders(run) == {
        "law.shape power, law.gamma 0.9": "t0004",
        "law.shape power, law.gamma 0.5": "t0003",
        "law.shape linear, law.gamma 0.9": "t0002",
        "law.shape linear, law.gamma 0.5": "t0001",
    }
    assert fitting_data(run)["trial"].nunique() == 4


def test_the_seeds_of_a_cell_are_one(build):
    search = {"model.name": {"choice": ["small_cnn", "resnet18"]}, "seed": {"grid": [1, 2]}}
    trials = [
        build.trial(n, {"model.name": name, "seed": seed}, good=0.2 * n)
        for n, (name, seed) in enumerate(
            [("small_cnn", 1), ("small_cnn", 2), ("resnet18", 1), ("resnet18", 2)], 1
        )
    ]
    found = leaders(grid(build, search, trials))
    assert found == {"model.name resnet18": "t0003", "model.name small_cnn": "t0001"}


def test_a_large_grid_is_shown_by_method_and_options(build):
    search = {
        "method": {"choice": ["sam", "saner"]},
        "sam.rho": {"grid": [0.01 * n for n in range(1, 11)]},
    }
    trials = [
        build.trial(
            n,
            {"method": m, "sam.rho": 0.01 * (n % 10 + 1)},
            method=m,
            good=0.3 + 0.02 * n if n % 10 == 0 else 0.1,
        )
        for n, m in enumerate(["sam"] * 10 + ["saner"] * 10, 1)
    ]
    assert leaders(grid(build, search, trials)) == {"saner": "t0020", "sam": "t0010"}


def test_lines_of_a_whole_grid_look_different():
    assert len({tuple(line_style(place).values()) for place in range(12)}) == 12
