"""`python -m experiments.ngrams`: see `genjax/cli/ngrams.py`."""

import sys

from genjax.cli.ngrams import main

if __name__ == "__main__":
    sys.exit(main())
