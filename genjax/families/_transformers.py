"""The fields that families made of transformer layers share."""

from dataclasses import dataclass
from typing import Any

from genjax.core.config import fail
from genjax.core.family import compute_dtype
from genjax.core.fields import field
from genjax.models.embedding import POSITIONS
from genjax.models.layers import ACTIVATIONS, GATED, NORMS, Layers

_ATTRIBUTES = (
    "width", "num_layers", "num_heads", "num_kv_heads", "mlp_dim", "activation", "norm",
    "norm_first", "bias", "dropout", "init_std", "remat", "scan",
)  # fmt: skip


@dataclass(frozen=True)
class LayerFields:
    """The section `model` of such a family, to which it adds its own fields."""

    num_layers: int = field(4, "of the stack", ge=1)
    num_heads: int = field(4, "of attention", ge=1)
    num_kv_heads: int = field(
        0, "of heads that share keys and values; 0: every head has its own", ge=0
    )
    width: int = field(128, "of a token's vector between layers", ge=1)
    mlp_dim: int = field(0, "inside feed-forward networks; 0: 4 x width", ge=0)
    activation: str = field("gelu", "of feed-forward networks", choices=(*ACTIVATIONS, *GATED))
    norm: str = field("layer", "of layers", choices=NORMS)
    norm_epsilon: float = field(1e-5, "added to variances", gt=0)
    norm_first: bool = field(True, "else behind each sum, as in the original transformer")
    bias: bool = field(True, "of dense layers and layer norms")
    positions: str = field("learned", "how places are told apart", choices=POSITIONS)
    dropout: float = field(0.0, "of embeddings, attention and layers", ge=0, lt=1)
    init_std: float = field(0.02, "of weights; 0: Xavier's uniform distribution", ge=0)
    remat: bool = field(False, "layers' insides are computed again for the gradient, not kept")
    scan: bool = field(
        True, "layers are one compiled loop, else written out: faster, but slow to compile"
    )

    def check(self, section: str = "model") -> None:
        """Raises `ConfigError` for fields of `section` that do not go together."""
        if self.width % self.num_heads:
            message = f"must divide {section}.width={self.width}"
            raise fail(f"{section}.num_heads", self.num_heads, message)
        if self.num_kv_heads and self.num_heads % self.num_kv_heads:
            message = f"must divide {section}.num_heads={self.num_heads}"
            raise fail(f"{section}.num_kv_heads", self.num_kv_heads, message)
        if self.positions == "rotary" and self.width // self.num_heads % 2:
            message = "needs an even width of heads, width / num_heads"
            raise fail(f"{section}.positions", "rotary", message)
        if self.positions == "sinusoidal" and self.width % 2:
            raise fail(f"{section}.positions", "sinusoidal", f"needs an even {section}.width")


def make_layers(m: LayerFields, precision: str, **changes: Any) -> Layers:
    """Makes the layers of these fields; `changes` replace their attributes."""
    attributes: dict[str, Any] = {name: getattr(m, name) for name in _ATTRIBUTES}
    attributes |= {
        "epsilon": m.norm_epsilon,
        "rotary": m.positions == "rotary",
        "dtype": compute_dtype(precision),
    }
    return Layers(**attributes | changes)
