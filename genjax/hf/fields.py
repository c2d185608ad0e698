"""Fields of `config.json`, read and named with care: what they say decides the function."""

from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from genjax.core.config import ConfigError, fail
from genjax.core.files import shown

_MOST = 2**24  # no array has a longer axis


class Fields:
    """Reads the fields of a folder's `config.json`; `message` and `model` begin errors."""

    def __init__(self, found: Mapping[str, Any], message: str, model: str):
        self._found, self._file, self._model = found, message, model

    def number(self, name: str, default: Any, least: float = 1) -> Any:
        """Reads a number of the type of `default`, from `least` to 2^24."""
        value = self._found.get(name, default)
        kinds = int if isinstance(default, int) else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or value < least:
            kind = "a whole number" if kinds is int else "a number"
            raise self._error(name, value, f"must be {kind}, at least {least}")
        if value > _MOST:
            raise self._error(name, value, f"must be at most {_MOST:,}")
        return type(default)(value)

    def choice(self, name: str, default: str, allowed: Mapping[str, str]) -> str:
        """Returns our name of what the field says."""
        value = self._found.get(name, default)
        if not isinstance(value, str) or value not in allowed:
            raise self._error(name, value, f"must be one of {', '.join(allowed)}")
        return allowed[value]

    def flag(self, name: str, default: bool) -> bool:
        """Reads a truth value; null is false, as transformers takes it."""
        value = self._found.get(name, default)
        if value is not None and not isinstance(value, bool):  # "false" would be true
            raise self._error(name, value, "must be true or false")
        return bool(value)

    def only(self, name: str, value: Any) -> None:
        """Raises `ConfigError` unless the field has this value, or is not there."""
        if self._found.get(name, value) != value:
            raise self._error(name, self._found[name], f"genjax's {self._model} has {value!r} only")

    def _error(self, name: str, value: Any, allowed: str) -> ConfigError:
        return ConfigError(f"{self._file}: {name}={shown(value)}: {allowed}")


def check_layers(m: ConfigDict, model: str) -> None:
    """Raises `ConfigError` unless the layers of `model` are such as GPT-2 and BERT have."""
    if m.norm != "layer":
        raise fail("model.norm", m.norm, f"{model} has norm=layer")
    if m.positions != "learned":
        raise fail("model.positions", m.positions, f"{model} has positions=learned")
    if m.num_kv_heads not in (0, m.num_heads):
        raise fail("model.num_kv_heads", m.num_kv_heads, f"{model} has keys for every head")


def activation(m: ConfigDict, names: Mapping[str, str], model: str) -> str:
    """Returns the first Hugging Face name of the activation, by `names` of theirs to ours."""
    for theirs, ours in names.items():
        if ours == m.activation:
            return theirs
    known = ", ".join(sorted(set(names.values())))
    raise fail("model.activation", m.activation, f"{model} has one of {known}")
