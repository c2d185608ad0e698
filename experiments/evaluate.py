"""`python -m experiments.evaluate`: see `genjax/cli/evaluate.py`."""

import sys

from genjax.cli.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
