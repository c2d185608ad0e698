"""What a study wrote."""

import json
from pathlib import Path
from typing import Any

from experiments.study import RESULTS


def read_results(workdir: Path) -> dict[str, list[dict[str, Any]]]:
    """Returns the rows of each table by its title."""
    return json.loads((workdir / f"{RESULTS}.json").read_text())
