"""Which tokens of a folder are its PAD, UNK, BOS, EOS and MASK: by id where it says so, or by name.

Sources: `config.json` and `generation_config.json` of `transformers` (`eos_token_id` and others),
`tokenizer_config.json` and `special_tokens_map.json` (`eos_token` and others).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from absl import logging

from genjax.core.config import ConfigError
from genjax.core.files import read_object
from genjax.core.tokens import BOS, EOS, MASK, PAD, UNK
from genjax.data.text.tokenizers import is_text
from genjax.hf.files import CONFIG, TOKENIZER

# Names that folders give the special tokens, ours first.
NAMES = {
    PAD: ("<pad>", "[PAD]"),
    UNK: ("<unk>", "[UNK]"),
    BOS: ("<bos>", "[CLS]"),
    EOS: ("<eos>", "[SEP]", "<|endoftext|>"),
    MASK: ("<mask>", "[MASK]"),
}
Names = dict[int, str | None]  # by our id; None where there is no such token
_IDS = {EOS: "eos_token_id", BOS: "bos_token_id", PAD: "pad_token_id"}
_FIELDS = {
    PAD: ("pad_token",), UNK: ("unk_token",), BOS: ("bos_token", "cls_token"),
    EOS: ("eos_token", "sep_token"), MASK: ("mask_token",),
}  # fmt: skip
_ORDER = (EOS, BOS, MASK, UNK, PAD)  # a token that is several of them is the first
_GENERATION, _NAMED = "generation_config.json", ("tokenizer_config.json", "special_tokens_map.json")


class Finder:
    """Finds the special tokens of a folder.

    An id that is none of the tokenizer's, or that of a token which texts consist of, counts as
    none. Warnings say what is odd.

    Args:
      folder: with `tokenizer.json`, and perhaps others of the files above.
      config: its `config.json`.
      tokenizer: its `tokenizer.json`.
      encoder: whether its texts stand between [CLS] and [SEP], whatever begins and ends others.

    Attributes:
      odd: what ids were given that count as none, by our id, for errors.

    Raises:
      ConfigError: a file cannot be read, or holds what is no id or name.
    """

    def __init__(
        self, folder: Path, config: Mapping[str, Any], tokenizer: dict[str, Any], encoder: bool
    ):
        self._folder, self._tokenizer, self._encoder = folder, tokenizer, encoder
        self._records = {CONFIG: config} | {
            file: read_object(folder / file)
            for file in (_GENERATION, *_NAMED)
            if (folder / file).is_file()
        }
        self.odd: dict[int, str] = {}

    def __call__(self, ids: Mapping[str, int]) -> Names:
        """Returns the names of the special tokens, of a tokenizer's tokens by name."""
        found: Names = {}
        for role in _ORDER:
            name = self._by_id(role, ids)
            if name is None or (self._encoder and name in found.values()):  # needs all
                name = self._by_name(role, ids)
            found[role] = None if name in found.values() else name
        return found

    def _by_id(self, role: int, ids: Mapping[str, int]) -> str | None:
        given = [] if self._encoder and role != PAD else list(self._given(_IDS.get(role, "")))
        if len({i for _, i in given}) > 1:
            message = ", ".join(str(i) for i in dict.fromkeys(i for _, i in given))
            what = "the first that can be counts, the others are ordinary tokens here"
            logging.warning("warning: %s: %s=%s: %s", self._folder, _IDS[role], message, what)
        names = {i: name for name, i in ids.items()}
        added = {t["content"] for t in self._tokenizer["added_tokens"] if t.get("special")}
        for file, i in given:
            name = names.get(i)
            if name is not None and (name in added or not is_text(self._tokenizer, i)):
                return name
            reason = f"is none of {TOKENIZER}'s {len(ids)} tokens"
            reason = reason if name is None else f"is {name!r}, which texts consist of"
            self.odd[role] = f"{self._folder / file}: {_IDS[role]}={i}: {reason}"
            logging.warning("warning: %s; passed over", self.odd[role])
        return None

    def _by_name(self, role: int, ids: Mapping[str, int]) -> str | None:
        names = [*self._named(role), *NAMES[role]]
        if role == UNK:
            names.insert(0, self._tokenizer["model"].get("unk_token"))
        return next((name for name in names if name in ids), None)

    def _given(self, field: str) -> Iterator[tuple[str, int]]:
        for file in (CONFIG, _GENERATION):
            value = self._records.get(file, {}).get(field)
            for i in value if isinstance(value, list) else [value]:
                if isinstance(i, bool) or not isinstance(i, int | None):
                    what = f"{field}={str(value)[:60]}: must be the id of a token, or a list of ids"
                    raise ConfigError(f"{self._folder / file}: {what}")
                if i is not None:
                    yield file, i

    def _named(self, role: int) -> Iterator[str]:
        fields = _FIELDS[role][::-1] if self._encoder else _FIELDS[role][:1]
        for field in fields:
            for file in _NAMED:
                value = self._records.get(file, {}).get(field)
                name = value.get("content") if isinstance(value, dict) else value
                if not isinstance(name, str | None):
                    raise ConfigError(f"{self._folder / file}: {field}: must be a token's name")
                if name is not None:
                    yield name


def by_name(ids: Mapping[str, int]) -> Names:
    """Finds the special tokens among a tokenizer's, by the names that are known alone."""
    return {
        role: next((name for name in names if name in ids), None) for role, names in NAMES.items()
    }
