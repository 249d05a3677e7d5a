"""Own code that a test has used is forgotten after it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tune_robust.own import code


@contextmanager
def forgotten() -> Iterator[None]:
    """Inside, nothing of other own code is imported or looked for; afterwards nothing of this."""
    path, modules = [*sys.path], {*sys.modules}
    state = (code._folders, code._current, code._used)
    before = [[*each] for each in state]
    for each in state:
        each.clear()
    try:
        yield
    finally:
        sys.path[:] = path
        for name in [n for n in sys.modules if n not in modules and n.startswith("my_")]:
            del sys.modules[name]
        for each, values in zip(state, before, strict=True):
            each[:] = values
