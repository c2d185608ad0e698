"""The fields that families with ELMo's network share."""

from dataclasses import dataclass

from genjax.core.config import fail
from genjax.core.family import compute_dtype
from genjax.core.fields import field
from genjax.models.elmo import BiLM


@dataclass(frozen=True)
class BiLMFields:
    """The section `model` of such a family."""

    width: int = field(128, "of a layer's vectors, in each direction", ge=1)
    hidden: int = field(256, "units of an LSTM", ge=1)
    layers: int = field(2, "LSTMs in each direction", ge=1)
    char_dim: int = field(16, "width of a character's vector", ge=1)
    char_widths: tuple[int, ...] = field(
        (1, 2, 3, 4, 5), "of the CNN's filters, in characters", ge=1
    )
    char_filters: tuple[int, ...] = field(
        (32, 32, 64, 64, 64), "how many there are of each width", ge=1
    )
    highway: int = field(1, "layers behind the CNN", ge=0)
    dropout: float = field(0.1, "of what LSTMs read and say", ge=0, lt=1)

    def check(self, section: str = "model") -> None:
        """Raises `ConfigError` unless each width of filters has one number of them."""
        if not self.char_widths:
            raise fail(f"{section}.char_widths", (), "must be whole numbers of at least 1")
        if len(self.char_filters) != len(set(self.char_widths)):
            widths = f"must be one number for each of {section}.char_widths, which are different"
            message = f"{widths}: {self.char_widths}"
            raise fail(f"{section}.char_filters", self.char_filters, message)


def make_bilm(m: BiLMFields, precision: str) -> BiLM:
    """Makes the network of these fields."""
    filters = tuple(zip(m.char_widths, m.char_filters))
    sizes = m.width, m.hidden, m.layers, m.char_dim, filters, m.highway
    return BiLM(*sizes, m.dropout, compute_dtype(precision))
