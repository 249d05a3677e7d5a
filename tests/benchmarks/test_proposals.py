"""Proposals are timed after as many trials as asked for, by the searchers asked for."""


def test_each_searcher_is_timed_after_each_number_of_trials(measured):
    found = measured("proposals.py", "--searchers", "gp_mf", "random", "--trials", "20", "45")
    assert {name: list(times) for name, times in found["seconds"].items()} == {
        "gp_mf": ["20", "45"],
        "random": ["20", "45"],
    }
    assert all(len(t) == found["n"] and t[0] > 0 for t in found["seconds"]["gp_mf"].values())
