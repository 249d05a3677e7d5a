from analysis.figures.leaders import leaders


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
