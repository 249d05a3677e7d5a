from analysis import fitting, fitting_data


def test_a_line_per_method_and_metric(search_run):
    points = fitting_data(search_run)
    assert set(points["name"]) == {"saner", "sgd"}
    assert set(points["metric"]) == {"noisy_fit", "test_accuracy"}
    assert len(fitting(search_run).data) == 4


def test_the_values_are_those_of_the_run(search_run):
    points = fitting_data(search_run).query("metric == 'noisy_fit' and name == 'sgd'")
    trial = points["trial"].iloc[0]
    rows = search_run.epochs[search_run.epochs["trial"] == trial]
    assert points["value"].tolist() == rows["noisy_fit"].tolist()


def test_long_runs_are_thinned_to_their_last_epoch(build):
    points = fitting_data(build.load([build.trial(1, {}, epochs=1000)]))
    lines = points.groupby("metric")["epoch"]
    assert lines.size().max() == 300
    assert lines.max().eq(1000).all()
