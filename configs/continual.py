"""Five tasks of two digits each, one after the other: replay of kept examples."""

from ml_collections import ConfigDict

from genjax.families import continual


def get_config() -> ConfigDict:
    c = continual.default_config()
    c.log_every = 100
    c.eval_every = c.data.steps_per_task
    return c
