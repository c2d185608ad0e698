"""`python -m experiments.word_vectors`: see `genjax/cli/word_vectors.py`."""

import sys

from genjax.cli.word_vectors import main

if __name__ == "__main__":
    sys.exit(main())
