"""`python -m experiments.features`: see `genjax/cli/features.py`."""

import sys

from genjax.cli.features import main

if __name__ == "__main__":
    sys.exit(main())
