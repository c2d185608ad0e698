"""`python -m experiments.mode_collapse`: see `genjax/studies/mode_collapse.py`."""

import sys

from genjax.studies.mode_collapse import main

if __name__ == "__main__":
    sys.exit(main())
