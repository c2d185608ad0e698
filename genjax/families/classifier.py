"""Classifiers of pictures and of sentences: a vector of the example, then a head on it.

    -log softmax(head(encoder(x)))[label] + l1 |W|_1 + l2 |W|^2, W the weights of the head,

or, in place of the cross-entropy, a margin loss of support vector machines (`loss.kind`; see
`genjax.losses.margins`). With a teacher (the section `teacher`) it is

    (1 - w) cross-entropy + w T^2 KL(softmax(teacher / T) || softmax(logits / T)),

and layers can be matched (Hinton et al. 2015, section 2; see `genjax.families._students`).

What makes the vector is `model.network`. Of pictures:

- `none`: the pixels themselves, so that the head alone classifies: linear, or an MLP.
- `conv`: 3x3 convolutions and maxima of tiles (LeCun et al. 1998).
- `resnet`: a small residual network (He et al. 2016).
- `run`: a layer of the encoder, critic or network of a finished run of any family that has
  features, but of `continual` (`start.workdir`), to be fine-tuned, or to stay as it is; see
  `genjax.families._run_encoders`.

Of sentences:

- `bag`: the mean of the words' vectors, and of hashed pairs of words where wanted, through dense
  layers (Iyyer et al. 2015, Deep averaging networks; Joulin et al. 2016, fastText). Order is lost.
- `recurrent`: an RNN, GRU or LSTM over the sentence, both ways where wanted, its outputs pooled.
- `transformer`: an encoder of the Transformer, its outputs pooled.
- `bert`, `gpt`, `elmo`: the encoder of the family of that name, its last layer or a learned mix of
  all (Peters et al. 2018, equation 1), pooled (Devlin et al. 2019, section 4.1). It can be that of
  a trained run (`start.workdir`), to be fine-tuned, or to stay as it is
  (`optimizer.encoder_lr_scale`).

Words of the first three begin with the vectors of a run of `word2vec` or of a file, where
`start.workdir` names one. Sentences can be changed in training (the section `augment`): variants
that a text autoencoder wrote stand in their place (`genjax.engine.augmenting`), and their words are
dropped, swapped or hidden.
"""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core import tokens
from genjax.core.augmenting import VARIANTS, Augment
from genjax.core.batch import batch_sum
from genjax.core.config import fail
from genjax.core.family import Batch, DataSpec, Family, Metrics, State, shared_fields
from genjax.core.fields import read
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import batch_uniform, init_key, step_key
from genjax.core.teaching import Teacher
from genjax.core.update import first_state, minimize
from genjax.data.text.corruption import corrupt_tokens
from genjax.families._classifier_fields import Config, Loss, Model, picture_config
from genjax.families._classifier_networks import Head, make_encoder, make_head
from genjax.families._encoders import Context, EncoderOptimizer, adopt_encoder, drop_words
from genjax.families._run_encoders import adopt_run, make_run_encoder
from genjax.families._students import distilled, projections
from genjax.models.features import watched
from genjax.models.layers import Layers, stacks_of
from genjax.models.sentence import Pooling

__all__ = ["Classifier", "Config", "adopt", "build", "default_config", "picture_config"]

_DROPOUT, _WORDS, _VARIANT, _NOISE = range(4)  # uses of the step's key
_HEAD = 1  # folded into the key of dropout: another draw than the encoder's
_MARGINS = {
    "hinge": losses.hinge_loss,
    "squared_hinge": losses.squared_hinge_loss,
    "crammer_singer": losses.crammer_singer_loss,
}

default_config = Config.defaults


def adopt(config: ConfigDict, other: ConfigDict) -> dict[str, Any]:
    """See `families.adopt` and `genjax.families._encoders.adopt_encoder`."""
    if config.model.network == "run":
        return adopt_run(config, other)
    return adopt_encoder(config, other, "model.network", "encoder/words/tokens")


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier(Family):
    """The family `classifier`.

    Evaluation reports `nll` (nats an example) and `accuracy`. Where a margin loss is minimized, the
    softmax of the scores is no calibrated probability, and `nll` tells little.
    """

    model: Model
    loss: Loss
    encoder: nn.Module
    context: Context | None  # of encoders of words in a text
    head: Head
    encoder_lr_scale: float
    teacher: Teacher
    augment: Augment
    optimizer: optax.GradientTransformation

    # The networks.

    def encoded(
        self, params: Any, x: jax.Array, variables: Any = None, **options: Any
    ) -> jax.Array:
        """Computes the vectors (B, D) of examples; a fixed encoder has no gradient."""
        if self.context is not None:
            h_BxSxD = self.context.vectors(self.encoder, params, x, **options)
            return applied(self.pooling, {}, h_BxSxD, x, **options)
        if self.spec.kind != "sentence" and self.model.network != "run":
            x = (x - self.spec.center) / self.spec.scale
        own = (variables or {}).get("encoder", {})
        h_BxD = applied(self.encoder, params["encoder"], x, variables=own, **options)
        return h_BxD if self.encoder_lr_scale else jax.lax.stop_gradient(h_BxD)

    def forward(
        self, params: Any, x: jax.Array, key: Any = None, variables: Any = None
    ) -> tuple[jax.Array, jax.Array]:
        """Computes vectors (B, D) and logits (B, num_classes), float32, of examples.

        With dropout by `key`, if there is one; `variables` as those of a state.
        """
        in_encoder, in_head = ({}, {}) if key is None else map(_dropping, (key, _of_head(key)))
        h_BxD = self.encoded(params, x, variables, **in_encoder)
        return h_BxD, applied(self.head, params["head"], h_BxD, **in_head).astype(jnp.float32)

    def layers(
        self,
        params: Any,
        x: jax.Array,
        key: Any = None,
        variables: Any = None,
        *,
        attention: bool = False,
    ) -> tuple[jax.Array, dict[str, jax.Array], dict[str, jax.Array]]:
        """Computes the logits, the outputs of all layers, and weights of attention if wanted.

        See `features` and `attention_maps`.
        """
        maps: dict[str, jax.Array] = {}
        wanted = maps if attention else None
        watching, found = watched(self, wanted, encoder="encoder", head="head")
        code, logits_BxK = watching.forward(params, x, key, variables)
        if self.context is not None:  # of words, without BOS
            first = self.context.first
            found = {n: h[:, first:] if n.startswith("encoder") else h for n, h in found.items()}
        head = {name: found.pop(name) for name in [*found] if name.startswith("head")}
        return logits_BxK, found | {"encoder.code": code} | head, maps

    # The loss.

    def class_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes -log p(label | example), in nats, or a margin loss, and the head's norms.

        Args:
          params: of encoder and head.
          rows: `x` (B, …), of sentences perhaps with words dropped, and `label` (B,); of a teacher
            its logits and layers, see `genjax.core.teaching`.
          shared: `key` of dropout, and of a network that has some its `variables`.
          part: number of the part, folded into the key.
        """
        key, t = jax.random.fold_in(shared["key"], part), self.teacher
        given = params, rows["x"], key, shared.get("variables")
        if t.features or t.attention:
            outputs = self.layers(*given, attention=bool(t.attention))
        else:
            outputs = self.forward(*given)[1], {}, {}
        label_B, logits_BxK = rows["label"], outputs[0]
        value = self.error(logits_BxK, label_B).mean()
        value, metrics = distilled(t, params, value, rows, outputs)
        right_B = jnp.asarray(logits_BxK.argmax(-1) == label_B, jnp.float32)
        metrics = {"loss": value, "accuracy": right_B.mean()} | metrics
        return value + self.norms(params["head"]), metrics

    def error(self, logits_BxK: jax.Array, label_B: jax.Array) -> jax.Array:
        """Computes the loss (B,) that `loss.kind` names."""
        if self.loss.kind != "softmax":
            return _MARGINS[self.loss.kind](logits_BxK, label_B)
        smoothing = self.loss.label_smoothing
        return losses.label_cross_entropy(logits_BxK, label_B, label_smoothing=smoothing)

    def norms(self, head: Any) -> jax.Array:
        """Computes `l1 |W|_1 + l2 |W|^2` of the head's weights, biases left out."""
        total = jnp.zeros(())
        for weights in (p for p in jax.tree.leaves(head) if p.ndim > 1):
            if self.loss.l1:
                total += self.loss.l1 * jnp.abs(weights).sum()
            if self.loss.l2:
                total += self.loss.l2 * jnp.square(weights).sum()
        return total

    def sentence_inputs(self, state: State, batch: Batch) -> jax.Array:
        """Changes the sentences (B, T) of a batch: variants first, then noise on words."""
        x_BxT, a = batch["x"], self.augment
        if VARIANTS in batch:
            number = batch[VARIANTS].shape[1]
            u_Bx2 = batch_uniform(step_key(state, _VARIANT), (len(x_BxT), 2))
            which_B = jnp.minimum((u_Bx2[:, 0] * number).astype(jnp.int32), number - 1)
            variant_BxT = jnp.take_along_axis(batch[VARIANTS], which_B[:, None, None], 1)[:, 0]
            x_BxT = jnp.where(u_Bx2[:, 1:] < a.rate, variant_BxT, x_BxT)
        if any(a.corruption.values()):
            u_BxTx3 = batch_uniform(step_key(state, _NOISE), (*x_BxT.shape, 3))
            x_BxT = corrupt_tokens(x_BxT, u_BxTx3, **a.corruption)
        return drop_words(x_BxT, step_key(state, _WORDS), self.model.word_dropout)

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        x = batch["x"]
        if self.spec.kind == "sentence":
            x = self.sentence_inputs(state, batch)
        rows = {name: batch[name] for name in batch if name.startswith("teacher")}
        shared = {"key": step_key(state, _DROPOUT), "variables": state.variables}
        return rows | {"x": x, "label": batch["label"]}, shared

    @property
    def stacks(self) -> tuple[Layers, ...]:
        """See `Family`."""
        return stacks_of(self.encoder)

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        encoder_key, head_key = jax.random.split(init_key(key))
        if self.spec.kind == "sentence":
            x = jnp.full((1, *self.spec.shape), tokens.EOS)
        else:
            x = jnp.zeros((1, *self.spec.shape))
        own: dict[str, Any] = {}
        if self.context is not None:
            params = self.context.init(self.encoder, encoder_key, x)
        else:
            variables = self.encoder.init(encoder_key, x)
            params = {"encoder": variables.get("params", {})}
            if others := {name: v for name, v in variables.items() if name != "params"}:
                own = {"encoder": others}
        params["head"] = self.head.init(head_key, self.encoded(params, x, own))["params"]
        if self.teacher.features or self.teacher.attention:
            shapes = jax.eval_shape(
                lambda p, v: self.layers(p, x, None, v, attention=True), params, own
            )
            params |= projections(self.teacher, key, *shapes[1:])
        return first_state(key, params, self.optimizer, self).replace(variables=own)

    def step(self, state: State, batch: Batch) -> tuple[State, Metrics]:
        """See `Family`."""
        return minimize(self.class_loss, state, *self.inputs(state, batch), self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`."""
        mask_B, label_B = batch["mask"], batch["label"]
        logits_BxK = self.forward(state.eval_params, batch["x"], None, state.variables)[1]
        sums = {
            "count": mask_B.sum(),
            "nll": (mask_B * losses.label_cross_entropy(logits_BxK, label_B)).sum(),
            "accuracy": (mask_B * (logits_BxK.argmax(-1) == label_B)).sum(),
        }
        return batch_sum(sums)

    # What it is used for.

    def encode(self, state: State, x: jax.Array) -> jax.Array:
        """Computes the vectors (B, D) that the head classifies."""
        return self.encoded(state.eval_params, x, state.variables)

    def features(self, state: State, x: jax.Array) -> dict[str, jax.Array]:
        """Computes the layers of the encoder, its vectors (B, D), and the head's hidden layers.

        Layers are (B, T, D) of sentences, of bag (B, D), and (B, H, W, D) of pictures; of another
        run all that it shows.
        """
        return self.layers(state.eval_params, x, None, state.variables)[1]

    def attention_maps(self, state: State, x_BxT: jax.Array) -> dict[str, jax.Array]:
        """Computes the weights (B, H, T, T) of attention in each layer; with BOS as it is read.

        There are none of other networks than transformer, bert and gpt.
        """
        return self.layers(state.eval_params, x_BxT, attention=True)[2]

    def classify(self, state: State, x: jax.Array) -> jax.Array:
        """Computes the class probabilities (B, num_classes) of examples (B, …)."""
        return nn.softmax(self.forward(state.eval_params, x, None, state.variables)[1])

    # Behind them.

    @property
    def pooling(self) -> Pooling:
        """What makes one vector of those of a text's places."""
        assert self.context is not None
        return Pooling(self.model.pooling, self.context.first, self.context.dropout)


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> Classifier:
    """Builds the family from a config like `configs/classifier.py`; raises `ConfigError`."""
    if spec.kind not in ("sentence", "image", "point") or not spec.num_classes:
        message = "must be sentences or pictures with labels, as tsv:FILE or digits have them"
        raise fail("data.name", config.data.name, message)
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    teacher, augment = read(Teacher, config, "teacher"), read(Augment, config, "augment")
    factor = read(EncoderOptimizer, config, "optimizer").encoder_lr_scale
    model.check(spec)
    loss.check()
    teacher.check()
    augment.check(spec.kind)
    encoder: nn.Module
    if model.network == "run":
        encoder, context = make_run_encoder(config, model, spec, total_steps), None
    else:
        encoder, context = make_encoder(model, spec, config)
    return Classifier(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        encoder=encoder,
        context=context,
        head=make_head(model, spec.num_classes, config.precision),
        encoder_lr_scale=factor,
        teacher=teacher,
        augment=augment,
        optimizer=make_optimizer(config.optimizer, total_steps, {"encoder": factor}),
    )


def _dropping(key: jax.Array) -> dict[str, Any]:
    """Returns the options of a network in training."""
    return {"train": True, "rngs": {"dropout": key}}


def _of_head(key: jax.Array) -> jax.Array:
    return jax.random.fold_in(key, _HEAD)
