"""What each family can be used for: by its protocols alone, each of whose names has one meaning."""

import importlib
import inspect
import itertools

import pytest

from genjax import families
from genjax.core import capabilities
from genjax.core.config import ConfigError
from genjax.core.family import Family

PROTOCOLS = {
    name: kind
    for name, kind in vars(capabilities).items()
    if getattr(kind, "_is_protocol", False) and kind.__module__ == capabilities.__name__
}
CODES = {"Encodes", "Decodes", "HasFeatures", "Reconstructs", "Samples"}
PAIRS = {"HasFeatures", "PredictsTargets", "Scores", "Writes"}
SENTENCES = CODES | {"Writes", "WritesCodes", "Interpolates"}
LANGUAGE = {"HasFeatures", "Samples", "Scores", "Writes"}
EXPECTED = {
    "Autoencoder": CODES,
    "BERT": {"EmbedsTokens", "Encodes", "HasFeatures", "PredictsMasked", "Reconstructs"},
    "Continual": {"HasFeatures"},
    "ELMo": {"EmbedsTokens", "EmbedsWords", "Encodes", "HasFeatures"},
    "FlowMatching": {
        "Encodes",
        "Decodes",
        "DrawsLatents",
        "HasFeatures",
        "Samples",
        "SamplesClasses",
    },
    "GAN": {"Decodes", "DrawsLatents", "HasFeatures", "Samples", "SamplesClasses", "Scores"},
    "GPT": LANGUAGE | {"HasWindow"},
    "Multitask": {"Classifies", "Encodes", "HasFeatures"},
    "RecurrentLM": LANGUAGE,
    "SemiSupervisedVAE": CODES
    | {
        "Classifies",
        "DrawsLatents",
        "HasPosterior",
        "SamplesClasses",
    },
    "Seq2Seq": PAIRS,
    "AttendingSeq2Seq": PAIRS | {"Attends"},
    "CopyingSeq2Seq": PAIRS | {"Attends"},
    "CopyingTransformer": PAIRS | {"Attends"},
    "StackedAutoencoder": CODES,
    "StackedClassifier": CODES | {"Classifies"},
    "Tagger": {"HasFeatures", "Tags"},
    "TextAutoencoder": SENTENCES,
    "VariationalTextAutoencoder": SENTENCES | {"HasPosterior"},
    "Classifier": {"Classifies", "Encodes", "HasAttentionMaps", "HasFeatures"},
    "Transformer": PAIRS | {"Attends"},
    "VAE": CODES | {"DrawsLatents", "HasPosterior", "SamplesClasses"},
    "Word2Vec": {"Encodes", "HasWordVectors", "PredictsContext"},
}


def kinds():
    """Yields the class of each family, its variants and no bases of several."""
    for name in families.names():
        module = importlib.import_module(f"genjax.families.{name}")
        own = (k for k in vars(module).values() if getattr(k, "__module__", "") == module.__name__)
        yield from (kind for kind in own if isinstance(kind, type) and issubclass(kind, Family))


def methods(protocol):
    found = inspect.getmembers(protocol, inspect.isfunction)
    return {n: list(inspect.signature(f).parameters.values()) for n, f in found if n[0] != "_"}


# Without fields: what is asked for is their methods.
BLANK = {kind.__name__: object.__new__(kind) for kind in kinds()}


def test_families_satisfy_these_protocols_and_no_others():
    found = {
        name: {p for p, protocol in PROTOCOLS.items() if isinstance(family, protocol)}
        for name, family in BLANK.items()
    }
    assert found == EXPECTED


def test_no_name_has_two_meanings():
    for one, other in itertools.combinations(PROTOCOLS.values(), 2):
        if one not in other.__mro__ and other not in one.__mro__:
            assert not methods(one).keys() & methods(other).keys()


@pytest.mark.parametrize("name", BLANK)
def test_each_method_of_a_state_is_one_of_a_protocol_and_takes_what_that_takes(name):
    family = BLANK[name]
    told = {n: taken for p in EXPECTED[name] for n, taken in methods(PROTOCOLS[p]).items()}
    assert capabilities.uses(family) == told.keys()
    for method, parameters in told.items():
        fixed = sum(p.kind is not p.VAR_POSITIONAL for p in parameters)
        taken = inspect.signature(getattr(type(family), method)).parameters.values()
        needed = sum(p.default is p.empty for p in taken)
        assert fixed <= len(taken), method
        assert needed <= fixed or fixed < len(parameters), method


def test_samples_of_a_family_without_are_refused():
    assert capabilities.as_sampler(BLANK["GAN"])
    with pytest.raises(ConfigError, match="this model makes no samples: it answers to what"):
        capabilities.as_sampler(BLANK["Tagger"])
