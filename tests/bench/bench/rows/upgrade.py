"""Row 9: what earlier versions of nself wrote, read by this one."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator

from . import Bench
from ..measure import Samples
from ..table import Budget, Figure, Line, Unit

NUMBER = 9
TITLE = "upgrade stability"
# What the tests tell of all versions together.
TOLD = re.compile(r"upgrade-stability: (\{.*?\})")


def run(bench: Bench) -> Iterator[Line]:
    """What each version left behind is kept in tests/it/upgrade; the test that reads it prints what it found."""
    done = subprocess.run(("cargo", "test", "--quiet", "--test", "it", "upgrade", "--", "--nocapture"),
                          cwd=bench.root, capture_output=True, text=True, check=False)
    found = TOLD.search(done.stdout)
    if found is None:
        raise RuntimeError(f"the tests of earlier versions tell nothing: {(done.stderr or done.stdout)[-500:]}")
    told = {key: Samples([value]) for key, value in json.loads(found[1]).items()}

    def count(what: str, key: str, budget: Budget | None = None, headline: bool = False) -> Line:
        return Line(NUMBER, what, Unit.COUNT, {"nself": Figure(told[key])}, budget, headline=headline)

    notes = [f"{told['resources'].median:g} resources, {told['plans_read'].median:g} saved plan(s), "
             f"{told['vaults'].median:g} vaults and {told['histories'].median:g} history file(s) were read"]
    yield count("earlier versions whose state is kept", "versions")
    changes = told["changes"].median + told["drifted"].median + told["plans_moved"].median
    line = count("changes planned over what they left", "changes", Budget("0", changes == 0 and done.returncode == 0),
                 headline=True)
    yield Line(line.row, line.what, line.unit, line.figures, line.budget, notes, headline=True)
