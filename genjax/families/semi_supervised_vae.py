"""Semi-supervised VAE: the class is a latent that few examples show. Model M2.

The decoder p(x|y,z) has the class y and z ~ N(0, I), p(y) is uniform; q(z|x,y) and q(y|x) are
networks. In nats, for an example with its label and for one without,

    L(x, y) = -log p(x|y,z) - log p(y) + KL(q(z|x,y) || p(z)),    z ~ q(z|x,y),
    U(x)    = sum_y q(y|x) (L(x, y) + log q(y|x)),

are bounds of -log p(x, y) and of -log p(x). The loss is, in means over examples,

    unlabeled_weight U + labeled_weight L + alpha (-log q(y|x)),

the last two of examples with labels. The sum over all classes is exact, nothing of y is drawn.

Source: Kingma et al. 2014, "Semi-supervised learning with deep generative models", equations 6 (L),
7 (U), 8 (their sum, in which labeled_weight is labeled examples over others) and 9 (alpha, there
0.1 times the number of examples, here of their mean).
"""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from flax import linen as nn
from ml_collections import ConfigDict

from genjax import losses
from genjax.core.batch import batch_sum
from genjax.core.config import Base, Data, fail
from genjax.core.family import Batch, DataSpec, Metrics, State, compute_dtype, shared_fields
from genjax.core.fields import field, read, subsection
from genjax.core.network import applied
from genjax.core.optimizer import make_optimizer
from genjax.core.random import (
    batch_normal,
    batch_uniform,
    example_normal,
    example_uniform,
    init_key,
    step_key,
)
from genjax.core.update import first_state
from genjax.families._coders import Coders, make_coders
from genjax.families.vae import VAE, Likelihood
from genjax.models.dense import MLP
from genjax.models.features import watched

_NOISE, _LABELED_NOISE, _BINARIZATION, _LABELED_BINARIZATION = range(4)  # uses of the step's key
_CLASSIFIER = 2  # use of the key of initial parameters, behind encoder and decoder


@dataclass(frozen=True)
class LabeledData(Data):
    """The section `data`."""

    num_labeled: int = field(
        100, "training examples that show their label, as many of each class as its share", ge=1
    )
    labeled_seed: int = field(0, "of the choice of these", ge=0, le=2**32 - 1)


@dataclass(frozen=True)
class Model(Coders):
    """The section `model`."""

    conditional: ClassVar[bool] = True  # encoder and decoder see a class

    classifier_hidden: tuple[int, ...] = field((256,), "of q(y|x): widths of hidden layers", ge=1)


@dataclass(frozen=True)
class Loss(Likelihood):
    """The section `loss`."""

    alpha: float = field(0.1, "weight of -log q(y|x)", ge=0)
    labeled_weight: float = field(0.1, "of L, the bound of examples with labels", ge=0)
    unlabeled_weight: float = field(
        1.0, "of U, the bound of all; 0, and labeled_weight as well: q(y|x) alone learns", ge=0
    )


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family, with defaults for small images."""

    family: str = "semi_supervised_vae"
    data: LabeledData = subsection(LabeledData)
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)


default_config = Config.defaults


@dataclass(frozen=True, kw_only=True, eq=False)
class SemiSupervisedVAE(VAE):
    """The family `semi_supervised_vae`.

    Without labels, codes and reconstructions are those of the likeliest class. Evaluation reports
    `error` and `cross_entropy` of q(y|x), and in nats `bound`, U, and `labeled_bound`, L, of one
    draw that is a function of the example.
    """

    model: Any
    loss: Any
    classifier: MLP

    # The networks.

    def class_logits(self, params: Any, x: jax.Array) -> jax.Array:
        """Computes the logits of q(y|x), (B, C), float32."""
        return applied(self.classifier, params["classifier"], x).astype(jnp.float32)

    # The loss.

    def labeled_bound(
        self, params: Any, x: jax.Array, label_B: jax.Array, noise_BxZ: jax.Array
    ) -> jax.Array:
        """Computes L(x, y), (B,), in nats (Kingma et al. 2014, equation 6)."""
        mean, log_variance = self.q(params, x, label_B)
        z_Bx1xZ = losses.reparameterize(mean, log_variance, noise_BxZ)[:, None]
        log_likelihood_B = self.log_likelihood(params, x, label_B, z_Bx1xZ)[:, 0]
        kl_B = losses.gaussian_kl(mean, log_variance).sum(-1)
        return kl_B - log_likelihood_B + math.log(self.spec.num_classes)

    def unlabeled_bound(self, params: Any, x: jax.Array, noise_BxZ: jax.Array) -> jax.Array:
        """Computes U(x), (B,), in nats (equation 7); all classes of an example share its noise."""
        rows, classes = len(x), self.spec.num_classes
        several = [jnp.repeat(a, classes, 0) for a in (x, noise_BxZ)]
        label = jnp.tile(jnp.arange(classes), rows)
        bound = self.labeled_bound(params, several[0], label, several[1])
        log_q_BxC = nn.log_softmax(self.class_logits(params, x))
        return (jnp.exp(log_q_BxC) * (bound.reshape(rows, classes) + log_q_BxC)).sum(-1)

    def elbo_loss(self, params: Any, rows: Batch, shared: Any, part: Any = 0) -> Any:
        """Computes the loss, in nats an example; see the module.

        Args:
          params: of encoder, decoder, classifier and, where it is learned, `log_scale`.
          rows: `x` and `noise` (B, Z), and `labeled_x`, `labeled_label`, `labeled_noise`.
          shared, part: not used.
        """
        x, label_B = rows["labeled_x"], rows["labeled_label"]
        logits_BxC = self.class_logits(params, x)
        nats = losses.label_cross_entropy(logits_BxC, label_B).mean()
        right = jnp.asarray(logits_BxC.argmax(-1) == label_B, jnp.float32).mean()
        total, metrics = self.loss.alpha * nats, {"cross_entropy": nats, "accuracy": right}
        if self.loss.labeled_weight:
            bound = self.labeled_bound(params, x, label_B, rows["labeled_noise"]).mean()
            total += self.loss.labeled_weight * bound
            metrics["labeled_bound"] = bound
        if self.loss.unlabeled_weight:
            bound = self.unlabeled_bound(params, rows["x"], rows["noise"]).mean()
            total += self.loss.unlabeled_weight * bound
            metrics["bound"] = bound
        return total, metrics | {"loss": total}

    def inputs(self, state: State, batch: Batch) -> tuple[Batch, dict[str, Any]]:
        """Draws what the loss of the update that follows `state` needs."""
        rows = {"labeled_label": batch["labeled_label"]}
        uses = {"": (_NOISE, _BINARIZATION), "labeled_": (_LABELED_NOISE, _LABELED_BINARIZATION)}
        for prefix, (noise, binarization) in uses.items():
            x, key = batch[f"{prefix}x"], step_key(state, binarization)
            uniform = functools.partial(batch_uniform, key, x.shape)
            rows[f"{prefix}x"] = self._binarized(x, uniform)
            shape = (len(x), self.model.latent_dim)
            rows[f"{prefix}noise"] = batch_normal(step_key(state, noise), shape)
        return rows, {}

    # The contract.

    def init(self, key: jax.Array) -> State:
        """See `Family`."""
        state = super().init(key)
        own = jax.random.fold_in(init_key(key), _CLASSIFIER)
        classifier = self.classifier.init(own, jnp.zeros((1, *self.spec.shape)))["params"]
        return first_state(key, state.params | {"classifier": classifier}, self.optimizer, self)

    def evaluate(self, state: State, batch: Batch) -> Metrics:
        """See `Family`."""
        params, gray, mask_B, label_B = state.eval_params, batch["x"], batch["mask"], batch["label"]
        uniform = example_uniform(_BINARIZATION, gray, jnp.arange(1), math.prod(self.spec.shape))
        x = self._binarized(gray, lambda: uniform.reshape(gray.shape))
        noise_BxZ = example_normal(_NOISE, gray, jnp.arange(1), self.model.latent_dim)[:, 0]
        logits_BxC = self.class_logits(params, self._seen(gray))
        values = {
            "error": logits_BxC.argmax(-1) != label_B,
            "cross_entropy": losses.label_cross_entropy(logits_BxC, label_B),
            "bound": self.unlabeled_bound(params, x, noise_BxZ),
            "labeled_bound": self.labeled_bound(params, x, label_B, noise_BxZ),
        }
        sums = {name: (mask_B * v).sum() for name, v in values.items()}
        return batch_sum(sums | {"count": mask_B.sum()})

    def summary(self, means: Mapping[str, Any]) -> Mapping[str, Any]:
        """See `Family`."""
        return means

    # What it is used for.

    def classify(self, state: State, x: jax.Array) -> jax.Array:
        """Computes q(y|x), (B, num_classes)."""
        return nn.softmax(self.class_logits(state.eval_params, self._seen(x)))

    def posterior(
        self, state: State, x: jax.Array, label_B: Any = None
    ) -> tuple[jax.Array, jax.Array]:
        """Encodes examples (B, …): mean and log-variance of q(z|x,y)."""
        return super().posterior(state, x, self._class(state, x, label_B))

    def reconstruct(self, state: State, x: jax.Array, label_B: Any = None) -> jax.Array:
        """Takes examples (B, …) through their class and posterior mean, and back."""
        return super().reconstruct(state, x, self._class(state, x, label_B))

    def features(self, state: State, x: jax.Array, label_B: Any = None) -> dict[str, jax.Array]:
        """Computes hidden layers of q(y|x) and of q(z|x,y), and the posterior means of z."""
        watching, layers = watched(self, classifier="classifier", encoder="encoder")
        if label_B is None:
            label_B = watching.classify(state, x).argmax(-1)
        else:
            watching.classify(state, x)
        mean = watching.encode(state, x, label_B)
        return layers | {"encoder.code": mean}

    def _class(self, state: State, x: jax.Array, label_B: Any) -> Any:
        return self.classify(state, x).argmax(-1) if label_B is None else label_B


def build(config: ConfigDict, spec: DataSpec, total_steps: int) -> SemiSupervisedVAE:
    """Builds the family from a config like `configs/semi_supervised_vae.py`; see `families`."""
    model, loss = read(Model, config, "model"), read(Loss, config, "loss")
    model.check(spec)
    loss.check(spec)
    if not spec.num_classes:
        raise fail("data.name", config.data.name, "has no labels")
    if not (loss.alpha or loss.labeled_weight or loss.unlabeled_weight):
        raise fail("loss.alpha", loss.alpha, "must be above 0 where both other weights are 0")
    encoder, decoder = make_coders(model, (2, model.latent_dim), spec, config.precision)
    return SemiSupervisedVAE(
        **shared_fields(config, spec, total_steps),
        model=model,
        loss=loss,
        encoder=encoder,
        decoder=decoder,
        classifier=MLP(
            model.classifier_hidden,
            (spec.num_classes,),
            model.activation,
            dtype=compute_dtype(config.precision),
        ),
        optimizer=make_optimizer(config.optimizer, total_steps),
    )
