"""The long form: ``python -m tests.fuzz --cases 5000``; prints what is wrong, and exits 1 then."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

from tests.fuzz.cases import Fuzzer


def main() -> None:
    """Run the cases, each from a seed of its own, so that one can be run again alone."""
    parser = argparse.ArgumentParser(description=__doc__.partition(";")[0])
    parser.add_argument("--cases", type=int, default=5000)
    parser.add_argument("--first", type=int, default=0, help="the first case's number")
    slow = "run the slow verbs (report, compare, replay) in one case of so many"
    parser.add_argument("--slow-every", type=int, default=20, help=slow)
    given = parser.parse_args()
    kinds: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home:
        fuzzer = Fuzzer(Path(home))
        for number in range(given.first, given.first + given.cases):
            slow = number % given.slow_every == 0
            for problem in fuzzer.run(random.Random(number), slow=slow):
                print(f"case {number}: {problem}", flush=True)
                kinds[problem.rpartition(": ")[0][-60:]] += 1
            if number % 100 == 99:
                print(f"up to case {number}: {kinds.total()} problems", flush=True)
    print(f"{given.cases} cases, {kinds.total()} problems")
    sys.exit(bool(kinds))


if __name__ == "__main__":
    main()
