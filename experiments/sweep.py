"""`python -m experiments.sweep`: see `genjax/cli/sweep.py`."""

import sys

from genjax.cli.sweep import main

if __name__ == "__main__":
    sys.exit(main())
