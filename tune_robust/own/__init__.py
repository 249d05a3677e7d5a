"""The user's own parts: networks, data, losses and optimizers by ``module:attribute``.

``contracts``     what each is called with, and what it must return
``code``          where their source lies, and how it travels with a run
``importing``     from ``module:attribute`` to the object
``calling``       with the arguments of the configuration; what is wrong is said in full
"""

from tune_robust.own.calling import bound, call_part, signature_problem
from tune_robust.own.code import (
    Code,
    collect_code,
    functions,
    register_functions,
    use_code,
    used_code,
)
from tune_robust.own.contracts import Augmentation, DataLoader, NetworkBuilder, SampleLoss
from tune_robust.own.importing import explained, import_part, import_seconds

__all__ = [
    "Augmentation",
    "Code",
    "DataLoader",
    "NetworkBuilder",
    "SampleLoss",
    "bound",
    "call_part",
    "collect_code",
    "explained",
    "functions",
    "import_part",
    "import_seconds",
    "register_functions",
    "signature_problem",
    "use_code",
    "used_code",
]
