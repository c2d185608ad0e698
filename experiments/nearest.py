"""`python -m experiments.nearest`: see `genjax/cli/nearest.py`."""

import sys

from genjax.cli.nearest import main

if __name__ == "__main__":
    sys.exit(main())
