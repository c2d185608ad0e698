"""`python -m experiments.weight_clipping`: see `genjax/studies/weight_clipping.py`."""

import sys

from genjax.studies.weight_clipping import main

if __name__ == "__main__":
    sys.exit(main())
