"""How the documents call the methods and the kinds of label noise, and the picture in them."""

NAMES = {
    "sgd": "SGD",
    "sam": "SAM",
    "asam": "ASAM",
    "saner": "SANER",
    "saner_slaw": "SANER + SLAW",
    "slaw": "SLAW",
    "law": "LAW",
    "sals": "SALS",
    "gce": "GCE",
    "sce": "SCE",
    "mixup": "mixup",
    "ema": "EMA",
}

KINDS = {
    "symmetric": "symmetric, 50 %",
    "asymmetric": "asymmetric, 40 %",
    "instance": "instance-dependent, 40 %",
    "worse": "human, 40 % (CIFAR-10N, worst labels)",
    "aggregate": "human, 9 % (CIFAR-10N, aggregated)",
    "clean": "none",
    "any": "unknown",
}
PICTURE = "results_ranks.svg"
"""The diagram of ranks, beside the document."""
