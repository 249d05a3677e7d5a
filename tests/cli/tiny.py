"""A space whose trials take seconds: what the tests of the command line search."""

SPACE = {
    "name": "tiny",
    "train": {
        "data": {
            "dataset": "digits",
            "noise": {"kind": "symmetric", "rate": 0.5},
            "validation": {"size": 0.2},
        },
        "model": {"name": "small_cnn", "width": 0.25},
        "method": "saner",
        "optimizer": {"name": "sgd", "lr": 0.05},
        "epochs": 6,
        "batch_size": 64,
    },
    "search": {"sam.rho": {"log_uniform": [0.1, 1.0]}, "saner.alpha": {"uniform": [0.0, 1.0]}},
    "baselines": [{"method": "sgd"}],
    "budget": {"trials": 5, "scheduler": "asha", "grace": 4, "reduction": 2},
}
