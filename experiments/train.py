"""`python -m experiments.train`: see `genjax/cli/train.py`."""

import sys

from genjax.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
