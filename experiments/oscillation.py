"""`python -m experiments.oscillation`: see `genjax/studies/oscillation.py`."""

import sys

from genjax.studies.oscillation import main

if __name__ == "__main__":
    sys.exit(main())
