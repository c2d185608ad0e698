"""Generative model families in JAX and Flax: pure losses and steps, one engine, built for speed."""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from genjax.trained.model import Model

__all__ = ["load"]


def load(
    workdir: Any, step: "int | Literal['best'] | None" = None, *, recipe: Any = None
) -> "Model":
    """A trained model from the folder of its run.

        model = genjax.load("runs/ae")
        codes = model.encode(images)

    Args:
      workdir: the run's folder.
      step: of the checkpoint; "best": the one kept by `best_metric`; None: the newest complete one.
      recipe: the file of a family of one's own, `my_vae.py`, which is executed. Nothing in the
        run's folder ever is.

    Raises:
      ConfigError: a `ValueError`: no run there, or no such checkpoint.
    """
    # Here, as `import genjax` alone stays free of JAX.
    from genjax.core.config import ConfigError, in_python
    from genjax.trained.loading import load

    try:
        return load(workdir, step, recipe)
    except ConfigError as error:
        raise in_python(error) from error
