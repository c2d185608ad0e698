"""What families made of transformer layers share: the fields of the layers, and their checks."""

from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import choose, fail, get
from genjax.core.family import compute_dtype
from genjax.models.embedding import POSITIONS
from genjax.models.transformer import ACTIVATIONS, GATED, NORMS, Layers


def layer_fields(**changes: Any) -> ConfigDict:
    """The section `model` of such a family, to which it adds its own; `changes` are of defaults."""
    m = ConfigDict()
    m.num_layers = 4
    m.num_heads = 4
    m.num_groups = 0  # of heads that share keys and values; 0: every head has its own
    m.width = 128
    m.hidden = 0  # inside feed-forward networks; 0: 4 x width
    m.activation = "gelu"  # relu, gelu, gelu_tanh, silu; gated: swiglu, geglu
    m.norm = "layer"  # or "rms"
    m.norm_epsilon = 1e-5  # added to variances
    m.norm_first = True  # else behind each sum, as in the original transformer
    m.bias = True  # of dense layers and layer norms
    m.positions = "learned"  # sinusoidal, rotary, none
    m.dropout = 0.0
    m.init_std = 0.02  # of weights; 0: Xavier's uniform distribution
    m.remat = False  # layers' insides are computed again for the gradient instead of kept
    m.scan = True  # layers are one compiled loop, else written out: faster, but slow to compile
    m.update(changes)
    return m


def make_layers(config: ConfigDict, section: str = "model", **changes: Any) -> Layers:
    """The layers of the `layer_fields` in `section`; `changes` replace their attributes."""
    m = get(config, section)
    fields = (
        "width", "num_layers", "num_heads", "num_groups", "hidden", "activation", "norm",
        "norm_first", "bias", "dropout", "init_std", "remat", "scan",
    )  # fmt: skip
    attributes: dict[str, Any] = {name: m[name] for name in fields}
    attributes |= {
        "epsilon": m.norm_epsilon, "rotary": m.positions == "rotary",
        "dtype": compute_dtype(config.precision),
    }  # fmt: skip
    return Layers(**attributes | changes)


def check_layers(m: ConfigDict, section: str = "model") -> None:
    """Raises `ConfigError` for a field of `layer_fields` (in `section`) that is out of range."""
    for field, least in (
        ("num_layers", 1), ("num_heads", 1), ("width", 1), ("num_groups", 0), ("hidden", 0),
        ("init_std", 0),
    ):  # fmt: skip
        if m[field] < least:
            raise fail(f"{section}.{field}", m[field], f"must be at least {least}")
    choose(f"{section}.activation", m.activation, (*ACTIVATIONS, *GATED))
    choose(f"{section}.norm", m.norm, NORMS)
    choose(f"{section}.positions", m.positions, POSITIONS)
    if m.width % m.num_heads:
        raise fail(f"{section}.num_heads", m.num_heads, f"must divide {section}.width={m.width}")
    if m.num_groups and m.num_heads % m.num_groups:
        heads = f"{section}.num_heads={m.num_heads}"
        raise fail(f"{section}.num_groups", m.num_groups, f"must divide {heads}")
    if m.positions == "rotary" and m.width // m.num_heads % 2:
        told = "needs an even width of heads, width / num_heads"
        raise fail(f"{section}.positions", "rotary", told)
    if m.positions == "sinusoidal" and m.width % 2:
        raise fail(f"{section}.positions", "sinusoidal", f"needs an even {section}.width")
    if m.norm_epsilon <= 0:
        raise fail(f"{section}.norm_epsilon", m.norm_epsilon, "must be above 0")
    if not 0 <= m.dropout < 1:
        raise fail(f"{section}.dropout", m.dropout, "must be at least 0 and below 1")
