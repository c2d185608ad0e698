"""`python -m experiments.sample`: see `genjax/cli/sample.py`."""

import sys

from genjax.cli.sample import main

if __name__ == "__main__":
    sys.exit(main())
