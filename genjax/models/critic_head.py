"""What stands behind a critic's features: its score, and what it knows of classes."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from genjax.core import checks
from genjax.models.dense import initial_weights

CONDITIONS = ("none", "projection", "auxiliary")


class CriticHead(nn.Module):
    """Scores features; `projection` adds `v_y . features`, `auxiliary` classifies beside it.

    Sources: Miyato and Koyama 2018 (cGANs with projection discriminator), equation 3; Odena et al.
    2017 (Conditional image synthesis with auxiliary classifier GANs), section 3.

    Attributes:
      condition: of `CONDITIONS`.
      num_classes: labels are in 0 … num_classes - 1.
      dtype: of compute; parameters are float32.
    """

    condition: str = "none"
    num_classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, features_BxF: jax.Array, label_B: jax.Array | None = None) -> Any:
        """Computes scores (B,); of `auxiliary` scores and logits (B, C)."""
        checks.chosen("condition", self.condition, CONDITIONS)
        options: Any = {"dtype": self.dtype, "kernel_init": initial_weights(1.0)}
        score_B = nn.Dense(1, **options)(features_BxF)[:, 0]
        if self.condition == "projection":
            checks.integers("B", {"B": (len(features_BxF), "features")}, label_B=label_B)
            width = features_BxF.shape[-1]
            of_class = nn.Embed(self.num_classes, width, dtype=self.dtype)(label_B)
            score_B = score_B + (of_class * features_BxF).sum(-1)
        if self.condition == "auxiliary":
            return score_B, nn.Dense(self.num_classes, **options)(features_BxF)
        return score_B
