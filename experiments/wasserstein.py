"""`python -m experiments.wasserstein`: see `genjax/studies/wasserstein.py`."""

import sys

from genjax.studies.wasserstein import main

if __name__ == "__main__":
    sys.exit(main())
