"""Five methods on a mixture of Gaussians, ten seeds as one program, under one budget.

    python -m experiments.train --config=configs/gan_mixture.py:METHOD,MIXTURE --workdir=runs/METHOD

METHOD: wgan_gp (the default, as in wgan_gp_mixture.py), gan, pacgan2, wgan or r3gan. MIXTURE: grid
(the default) or ring. Networks, batch and the number of updates are the same for all; optimizers
are what suits each method. By `python -m experiments.mode_collapse --data=ring,grid`, 70 minutes on
2 CPU cores that were shared, modes, high quality and reverse KL with standard errors:

                     ring                                grid
    gan       7.7 ± 0.2   93.5 % ± 0.3  0.062     17.6 ± 1.2  90.2 % ± 1.6  0.460
    pacgan2   8           92.3 % ± 0.6  0.002     22.4 ± 1.4  67.5 % ± 2.9  0.280
    wgan      8           91.9 % ± 0.6  0.002     25          86.6 % ± 0.5  0.005
    wgan_gp   8           95.7 % ± 0.2  0.002     25          94.4 % ± 0.2  0.005
    r3gan     8           94.5 % ± 0.4  0.002     25          94.0 % ± 0.1  0.005
"""

from _gan_recipes import methods
from ml_collections import ConfigDict

from genjax import recipes
from genjax.core.config import ConfigError

METHODS = ("wgan_gp", "gan", "pacgan2", "wgan", "r3gan")
MIXTURES = ("grid", "ring")


def get_config(arguments: str = "wgan_gp,grid") -> ConfigDict:
    method, _, mixture = arguments.partition(",")
    mixture = mixture or "grid"
    if method not in METHODS or mixture not in MIXTURES:
        raise ConfigError(
            f"--config=gan_mixture.py:{arguments}: must be METHOD,MIXTURE with METHOD one of "
            f"{', '.join(METHODS)} and MIXTURE one of {', '.join(MIXTURES)}"
        )
    c = recipes.beside(__file__, f"wgan_gp_mixture:{mixture}")
    c.update(methods()[method])
    return c
