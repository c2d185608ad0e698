"""Losses as a library: pure functions of arrays that return one value for each example."""

from genjax.losses.adversarial import (
    ADVERSARIAL_LOSSES,
    AdversarialLoss,
    hinge_critic_loss,
    hinge_generator_loss,
    least_squares_critic_loss,
    least_squares_generator_loss,
    minimax_critic_loss,
    minimax_generator_loss,
    non_saturating_generator_loss,
    relativistic_critic_loss,
    relativistic_generator_loss,
    wasserstein_critic_loss,
    wasserstein_generator_loss,
)
from genjax.losses.annealing import ANNEALINGS, annealed
from genjax.losses.bounds import Bounds, likelihood_bounds
from genjax.losses.codes import contractive_penalty, sparsity_kl
from genjax.losses.continual import quadratic_penalty
from genjax.losses.copying import copying_cross_entropy, copying_log_probabilities
from genjax.losses.crf import (
    Transitions,
    crf_log_likelihood,
    crf_log_partition,
    crf_score,
    crf_viterbi,
)
from genjax.losses.distillation import distillation_loss
from genjax.losses.flow import conditional_path, flow_matching_loss
from genjax.losses.likelihood import (
    bernoulli_log_likelihood,
    discretized_logistic_log_likelihood,
    gaussian_log_likelihood,
)
from genjax.losses.margins import crammer_singer_loss, hinge_loss, squared_hinge_loss
from genjax.losses.penalties import (
    FORMULATIONS,
    gradient_penalty,
    input_gradient_norm,
    input_gradient_penalty,
    interpolate,
    r1_penalty,
)
from genjax.losses.reconstruction import (
    bernoulli_cross_entropy,
    label_cross_entropy,
    squared_error,
)
from genjax.losses.tokens import chunked_cross_entropy, token_cross_entropy
from genjax.losses.variational import (
    MAX_LOG_VARIANCE,
    free_bits_kl,
    gaussian_kl,
    importance_weighted_bound,
    log_prior_ratio,
    reparameterize,
)
from genjax.losses.word2vec import hierarchical_softmax_loss, negative_sampling_loss

__all__ = [
    "ADVERSARIAL_LOSSES",
    "ANNEALINGS",
    "FORMULATIONS",
    "MAX_LOG_VARIANCE",
    "AdversarialLoss",
    "Bounds",
    "Transitions",
    "annealed",
    "bernoulli_cross_entropy",
    "bernoulli_log_likelihood",
    "chunked_cross_entropy",
    "conditional_path",
    "contractive_penalty",
    "copying_cross_entropy",
    "copying_log_probabilities",
    "crammer_singer_loss",
    "crf_log_likelihood",
    "crf_log_partition",
    "crf_score",
    "crf_viterbi",
    "discretized_logistic_log_likelihood",
    "distillation_loss",
    "flow_matching_loss",
    "free_bits_kl",
    "gaussian_kl",
    "gaussian_log_likelihood",
    "gradient_penalty",
    "hierarchical_softmax_loss",
    "hinge_critic_loss",
    "hinge_generator_loss",
    "hinge_loss",
    "importance_weighted_bound",
    "input_gradient_norm",
    "input_gradient_penalty",
    "interpolate",
    "label_cross_entropy",
    "least_squares_critic_loss",
    "least_squares_generator_loss",
    "likelihood_bounds",
    "log_prior_ratio",
    "minimax_critic_loss",
    "minimax_generator_loss",
    "negative_sampling_loss",
    "non_saturating_generator_loss",
    "quadratic_penalty",
    "r1_penalty",
    "relativistic_critic_loss",
    "relativistic_generator_loss",
    "reparameterize",
    "sparsity_kl",
    "squared_error",
    "squared_hinge_loss",
    "token_cross_entropy",
    "wasserstein_critic_loss",
    "wasserstein_generator_loss",
]
