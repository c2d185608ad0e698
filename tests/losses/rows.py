"""Right and wrong calls of every loss, for `test_refusals`."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from genjax.losses import Transitions


class Row(NamedTuple):
    """A right call, and changes of it that are refused with a message.

    Attributes:
      right: the arguments by name.
      wrong: what is seen from shapes, dtypes and Python values, inside jit as well.
      values: what is seen from the values of arrays, where they are known.
    """

    right: Mapping[str, Any]
    wrong: tuple[tuple[dict[str, Any], str], ...] = ()
    values: tuple[tuple[dict[str, Any], str], ...] = ()


_RNG = np.random.RandomState(0)
B, T, K, D = 4, 5, 3, 2


def f(*shape: int) -> np.ndarray:
    return _RNG.uniform(0.1, 0.9, shape).astype(np.float32)


def i(*shape: int, most: int = K) -> np.ndarray:
    return _RNG.randint(0, most, shape).astype(np.int32)


def critic(x: Any) -> Any:
    return jnp.tanh(x).sum(-1)


def column(x: Any) -> Any:
    return jnp.tanh(x).sum(-1, keepdims=True)


def two(x: Any) -> Any:
    return jnp.stack([critic(x), critic(x)], -1)


def velocity(x: Any, time_B: Any) -> Any:
    return x * time_B[:, None]


def one_column(x: Any, time: Any) -> Any:
    return x[:, :1]


def draw(numbers_N: Any) -> Any:
    x_BxN = jnp.arange(B)[:, None] - 0.1 * numbers_N
    return -jnp.square(x_BxN), -jnp.abs(x_BxN)


def _scores(*names: str) -> Row:
    right = {name: f(B) for name in names}
    wrong: list[tuple[dict[str, Any], str]] = []
    for name in names:
        wrong += [
            ({name: f(B, 1)}, rf"{name}: must have shape \(B,\).*not \(4, 1\)"),
            ({name: f(B, 2)}, rf"{name}: .*not \(4, 2\)"),
            ({name: i(B)}, rf"{name}: must hold floats, not int32"),
            ({name: [0.1] * B}, rf"{name}: must be an array of floats, not list"),
        ]
    wrong.append(({name: f(0) for name in names}, rf"{names[0]}: is empty, shape \(0,\)"))
    if len(names) == 2:
        wrong.append(({names[1]: f(B + 1)}, rf"with B=4 of {names[0]}, not \(5,\)"))
        wrong.append(({names[0]: np.float32(1)}, rf"{names[1]}: must have shape \(\)"))
    return Row(right, tuple(wrong))


def _smoothed(row: Row) -> Row:
    more = (
        ({"label_smoothing": 1.0}, "label_smoothing=1.0: must be at least 0 and below 1"),
        ({"label_smoothing": f(B)}, "label_smoothing: must be a single number"),
    )
    return row._replace(wrong=row.wrong + more)


_PAIR, _FAKE = _scores("real_score_B", "fake_score_B"), _scores("fake_score_B")
_CRITIC = (
    ({"critic": column}, r"critic\(x\): must have shape \(B,\) with B=4 of x, not \(4, 1\)"),
    ({"critic": two}, r"critic\(x\): .*not \(4, 2\)"),
    ({"critic": lambda x: critic(x).sum()}, r"critic\(x\): .*not \(\)"),
)
_SHAPED = (
    (
        {"formulation": "sideways"},
        "formulation='sideways': must be one of reverse_over_reverse, forward",
    ),
)
_NORM = (
    ({"target": np.nan}, "target=nan: must be at least 0"),
    ({"epsilon": -1.0}, "epsilon=-1.0: must be at least 0"),
)
_MEAN = {"mean": f(B, D), "x": f(B, D), "log_scale": f(B, 1)}
_DENSITY = (
    ({"mean": f(B, 1)}, r"x: must have shape \(B, …\) with B=4 of mean, …=\(1,\) of mean"),
    ({"x": i(B, D)}, "x: must hold floats, not int32"),
    ({"log_scale": f(B)}, r"log_scale: must be a number, or have the axes of x, \(4, 2\)"),
    ({"log_scale": f(B, 3)}, r"log_scale: .*has shape \(4, 3\)"),
    ({"log_scale": f(2, B, D)}, r"log_scale: .*has shape \(2, 4, 2\)"),
)
_BYTES = {"values": (({"x": 255 * f(B, D)}, "x: has .*; must be at least 0 and at most 1"),)}
_TRANSITIONS = Transitions(f(K, K), f(K), f(K))
_CRF = {
    "scores_BxTxK": f(B, T, K),
    "tags_BxT": i(B, T),
    "lengths_B": np.array([5, 3, 1, 0]),
    "transitions": _TRANSITIONS,
}
_UNTAGGED = {name: a for name, a in _CRF.items() if name != "tags_BxT"}
_CRF_WRONG = (
    ({"scores_BxTxK": f(B, T)}, r"scores_BxTxK: must have shape \(B, T, K\), not \(4, 5\)"),
    ({"lengths_B": np.ones((B, T), bool)}, "lengths_B: must hold integers, not bool"),
    ({"lengths_B": i(B, 1)}, r"lengths_B: must have shape \(B,\) with B=4 of scores_BxTxK"),
    ({"lengths_B": f(B)}, "lengths_B: must hold integers, not float32"),
    (
        {"transitions": Transitions(f(K, 1), f(K), f(K))},
        r"transitions.pair_KxK: must have shape \(K, K\) with K=3 of scores_BxTxK",
    ),
    ({"transitions": Transitions(f(K, K), f(1), f(K))}, r"transitions.start_K: .*not \(1,\)"),
    ({"transitions": Transitions(f(K, K), f(K), f(T))}, r"transitions.end_K: .*not \(5,\)"),
)
_LENGTHS = (
    ({"lengths_B": np.array([6, 3, 1, 0])}, "lengths_B: has 6; must be at least 0 and at most 5"),
    ({"lengths_B": np.array([-1, 3, 1, 0])}, "lengths_B: has -1"),
)
_TAGS = (
    ({"tags_BxT": f(B, T)}, "tags_BxT: must hold integers, not float32"),
    ({"tags_BxT": i(B)}, r"tags_BxT: must have shape \(B, T\)"),
    ({"tags_BxT": i(B, T, K)}, r"tags_BxT: .*not \(4, 5, 3\)"),
)
_IGNORED = "; no index is ignored here: pad with 0 "
_TAG_VALUES = (
    ({"tags_BxT": np.full((B, T), -100)}, r"tags_BxT: has -100; must be in 0 … 2" + _IGNORED),
    ({"tags_BxT": np.full((B, T), K)}, "tags_BxT: has 3; must be in 0 … 2"),
)
_TARGET_VALUES = (
    ({"target_BxT": np.full((B, T), -100)}, "target_BxT: has -100; must be in 0 … 2" + _IGNORED),
    ({"target_BxT": np.full((B, T), -1)}, "target_BxT: has -1; must be in 0 … 2" + _IGNORED),
    ({"target_BxT": np.full((B, T), K)}, "target_BxT: has 3; must be in 0 … 2"),
)
_TARGETS = (
    ({"target_BxT": f(B, T)}, "target_BxT: must hold integers, not float32"),
    ({"target_BxT": i(B)}, r"target_BxT: .*not \(4,\)"),
    ({"target_BxT": i(B, T, 1)}, r"target_BxT: .*not \(4, 5, 1\)"),
    ({"label_smoothing": 1.5}, "label_smoothing=1.5: must be at least 0 and below 1"),
    ({"z_loss": -1.0}, "z_loss=-1.0: must be at least 0"),
)
_FLOW = {"noise": f(B, D), "data": f(B, D), "time_B": f(B)}
_FLOW_WRONG = (
    ({"time_B": np.float32(0.5)}, r"time_B: must have shape \(B,\) with B=4 of noise, not \(\)"),
    ({"time_B": 0.5}, "time_B: must be an array of floats, not float"),
    ({"time_B": f(B, 1)}, r"time_B: .*not \(4, 1\)"),
    ({"data": f(B, 1)}, r"data: must have shape \(B, …\).*not \(4, 1\)"),
    ({"data": np.zeros((B, D), np.uint8)}, "data: must hold floats, not uint8"),
    ({"sigma_min": 1.0}, "sigma_min=1.0: must be at least 0 and below 1"),
)
_TIMES = (({"time_B": 1000 * f(B)}, "time_B: has .*; must be at least 0 and at most 1"),)
_RELU_PAIR = {"output": f(B, D), "target": f(B, D)}

ROWS: dict[str, Row] = {
    "minimax_critic_loss": _smoothed(_PAIR),
    "least_squares_critic_loss": _smoothed(_PAIR),
    "hinge_critic_loss": _PAIR,
    "wasserstein_critic_loss": _PAIR,
    "relativistic_critic_loss": _PAIR,
    "relativistic_generator_loss": _PAIR,
    "minimax_generator_loss": _FAKE,
    "non_saturating_generator_loss": _FAKE,
    "least_squares_generator_loss": _FAKE,
    "hinge_generator_loss": _FAKE,
    "wasserstein_generator_loss": _FAKE,
    "annealed": Row(
        {"step": np.int32(3), "kind": "linear", "steps": 10},
        (
            ({"steps": 0}, "steps=0: must be at least 1"),
            ({"steps": -1, "kind": "sigmoid"}, "steps=-1: must be at least 1"),
            ({"kind": "cosine"}, "kind='cosine': must be one of constant, linear"),
            ({"kind": "cyclical", "cycles": 0}, "cycles=0: must be at least 1"),
        ),
    ),
    "likelihood_bounds": Row(
        {"draw": draw, "num_samples": 6, "chunk": 3},
        (
            ({"num_samples": 0}, "num_samples=0: must be at least 1"),
            ({"num_samples": True}, "num_samples=True: must be a whole number"),
            ({"chunk": 0}, "chunk=0: must be at least 1"),
            (
                {"draw": lambda n: (draw(n)[0].sum(-1), draw(n)[1])},
                r"log_likelihood_BxN: must have shape \(B, N\) with N=3 of numbers_N, not \(4,\)",
            ),
            ({"draw": lambda n: (draw(n)[0], draw(n)[1][:, :1])}, r"log_ratio_BxN: .*not \(4, 1\)"),
        ),
    ),
    "sparsity_kl": Row(
        {"rate": f(D), "target": 0.1},
        (
            ({"target": 1.0}, "target=1.0: must be above 0 and below 1"),
            ({"target": f(D)}, "target: must be a single number"),
            ({"rate": i(D)}, "rate: must hold floats"),
        ),
        (({"rate": f(D) + 1}, "rate: has 1.*; must be at least 0 and at most 1"),),
    ),
    "contractive_penalty": Row(
        {"encode": jnp.tanh, "x": f(B, D)},
        (
            ({"encode": lambda x: x.sum(-1)}, r"encode\(x\): must have shape \(B, Z\).*not \(4,\)"),
            ({"encode": lambda x: x[..., None]}, r"encode\(x\): .*not \(4, 2, 1\)"),
            ({"encode": lambda x: x[:1]}, r"encode\(x\): .*with B=4 of x, not \(1, 2\)"),
        ),
    ),
    "crf_log_likelihood": Row(_CRF, _CRF_WRONG + _TAGS, _LENGTHS + _TAG_VALUES),
    "crf_score": Row(_CRF, _CRF_WRONG + _TAGS, _LENGTHS + _TAG_VALUES),
    "crf_log_partition": Row(_UNTAGGED, _CRF_WRONG, _LENGTHS),
    "crf_viterbi": Row(_UNTAGGED, _CRF_WRONG, _LENGTHS),
    "conditional_path": Row(_FLOW, _FLOW_WRONG, _TIMES),
    "flow_matching_loss": Row(
        _FLOW | {"velocity": velocity},
        (
            *_FLOW_WRONG,
            ({"velocity": one_column}, r"velocity\(x, time\): must have the shape of x, \(4, 2\)"),
        ),
        _TIMES,
    ),
    "bernoulli_log_likelihood": Row(
        {"logits": f(B, D), "x": f(B, D)},
        (
            ({"logits": f(B, 1)}, r"x: must have shape \(B, …\) with B=4 of logits, …=\(1,\)"),
            ({"x": np.zeros((B, D), np.uint8)}, "x: must hold floats, not uint8"),
        ),
        **_BYTES,
    ),
    "gaussian_log_likelihood": Row(_MEAN, _DENSITY),
    "discretized_logistic_log_likelihood": Row(
        _MEAN, (*_DENSITY, ({"levels": 1}, "levels=1: must be at least 2")), **_BYTES
    ),
    "interpolate": Row(
        {"real": f(B, D), "fake": f(B, D), "weight_B": f(B)},
        (
            ({"weight_B": np.float32(0.5)}, r"weight_B: must have shape \(B,\)"),
            ({"weight_B": f(B, D)}, r"weight_B: .*not \(4, 2\)"),
            ({"fake": f(1, D)}, r"fake: .*not \(1, 2\)"),
        ),
    ),
    "gradient_penalty": Row(
        {"critic": critic, "real": f(B, D), "fake": f(B, D), "weight_B": f(B)},
        (*_CRITIC, *_SHAPED, *_NORM, ({"fake": f(B, 1)}, "fake: must have shape")),
    ),
    "input_gradient_penalty": Row(
        {"critic": critic, "x": f(B, D)},
        (*_CRITIC, *_SHAPED, *_NORM, ({"x": f(0, D)}, "x: is empty"), ({"x": i(B, D)}, "x: must")),
    ),
    "r1_penalty": Row({"critic": critic, "x": f(B, D)}, (*_CRITIC, *_SHAPED)),
    "input_gradient_norm": Row({"critic": critic, "x": f(B, D)}, (*_CRITIC, _NORM[1])),
    "squared_error": Row(
        _RELU_PAIR,
        (
            ({"output": f(B)}, r"target: must have shape \(B, …\)"),
            ({"target": f(1, D)}, r"target: .*not \(1, 2\)"),
            ({"target": i(B, D)}, "target: must hold floats, not int32"),
            ({"output": f(0, D), "target": f(0, D)}, "output: is empty"),
        ),
    ),
    "bernoulli_cross_entropy": Row(
        {"logits": f(B, D), "target": f(B, D)},
        (
            ({"target": f(B, 1)}, r"target: .*not \(4, 1\)"),
            ({"target": np.ones((B, D), bool)}, "target: must hold floats, not bool"),
        ),
        (({"target": 255 * f(B, D)}, "target: has .*; must be at least 0 and at most 1"),),
    ),
    "quadratic_penalty": Row(
        {"params": {"w": f(T, D)}, "anchor": {"w": f(T, D)}, "importance": {"w": f(T, D)}},
        (
            ({"anchor": {"w": f(T, 1)}}, r"anchor: must have shape .*not \(5, 1\)"),
            ({"importance": {"w": i(T, D)}}, "importance: must hold floats, not int32"),
        ),
    ),
    "label_cross_entropy": _smoothed(
        Row(
            {"logits_BxC": f(B, K), "label_B": i(B)},
            (
                ({"label_B": i(B, 1)}, r"label_B: must have shape \(B,\) with B=4 of logits_BxC"),
                ({"label_B": f(B)}, "label_B: must hold integers, not float32"),
            ),
            (
                ({"label_B": np.full(B, -1)}, "label_B: has -1; must be in 0 … 2" + _IGNORED),
                ({"label_B": np.full(B, K)}, "label_B: has 3; must be in 0 … 2"),
            ),
        )
    ),
    **{
        name: Row(
            {"scores_BxC": f(B, K), "label_B": i(B)},
            (
                ({"label_B": i(B, 1)}, r"label_B: must have shape \(B,\) with B=4 of scores_BxC"),
                ({"scores_BxC": i(B, K)}, "scores_BxC: must hold floats, not int32"),
            ),
            (({"label_B": np.full(B, K)}, "label_B: has 3; must be in 0 … 2"),),
        )
        for name in ("hinge_loss", "squared_hinge_loss", "crammer_singer_loss")
    },
    "distillation_loss": Row(
        {"student_BxC": f(B, K), "teacher_BxC": f(B, K), "temperature": 2.0},
        (
            ({"teacher_BxC": f(B, 1)}, r"teacher_BxC: must have shape \(B, C\) with B=4"),
            ({"teacher_BxC": i(B, K)}, "teacher_BxC: must hold floats, not int32"),
            ({"temperature": 0.0}, "temperature=0.0: must be above 0"),
        ),
    ),
    "token_cross_entropy": Row(
        {"logits_BxTxV": f(B, T, K), "target_BxT": i(B, T)}, _TARGETS, _TARGET_VALUES
    ),
    "chunked_cross_entropy": Row(
        {
            "hidden_BxTxD": f(B, T, D),
            "kernel_DxV": f(D, K),
            "target_BxT": i(B, T),
            "chunk": 2,
            "bias_V": f(K),
        },
        (
            *_TARGETS,
            ({"chunk": 0}, "chunk=0: must be at least 1"),
            ({"kernel_DxV": f(K, D)}, r"kernel_DxV: must have shape \(D, V\) with D=2 of hidden"),
            ({"bias_V": f(1)}, r"bias_V: must have shape \(V,\) with V=3 of kernel_DxV"),
        ),
        _TARGET_VALUES,
    ),
    "copying_cross_entropy": Row(
        {
            "logits_BxTxV": f(B, T, K),
            "weights_BxTxS": f(B, T, D),
            "gate_BxT": f(B, T),
            "source_BxS": i(B, D),
            "target_BxT": i(B, T),
        },
        (
            *_TARGETS[:3],
            ({"weights_BxTxS": f(B, 1, D)}, r"weights_BxTxS: must have shape \(B, T, S\)"),
            ({"gate_BxT": f(B, T, 1)}, r"gate_BxT: must have shape \(B, T\)"),
            ({"source_BxS": i(B, T)}, r"source_BxS: .*S=2 of weights_BxTxS, not \(4, 5\)"),
        ),
        _TARGET_VALUES,
    ),
    "copying_log_probabilities": Row(
        {
            "logits_BxV": f(B, K),
            "weights_BxS": f(B, D),
            "gate_B": f(B),
            "source_BxS": i(B, D),
        },
        (
            ({"gate_B": f(B, 1)}, r"gate_B: must have shape \(B,\)"),
            ({"source_BxS": f(B, D)}, "source_BxS: must hold integers, not float32"),
        ),
    ),
    "reparameterize": Row(
        {"mean": f(B, 1, D), "log_variance": f(B, 1, D), "noise": f(B, K, D)},
        (
            ({"mean": f(B, D)}, "mean: must be a number, or have the axes of noise"),
            ({"log_variance": f(B, 2, D)}, r"log_variance: .*has shape \(4, 2, 2\)"),
        ),
    ),
    "gaussian_kl": Row(
        {"mean": f(B, D), "log_variance": f(B, D)},
        (
            ({"log_variance": f(D)}, r"log_variance: must have shape .*not \(2,\)"),
            ({"log_variance": f(B, 1)}, r"log_variance: .*not \(4, 1\)"),
            ({"log_variance": 0.0}, "log_variance: must be an array of floats, not float"),
        ),
    ),
    "free_bits_kl": Row(
        {"kl_BxZ": f(B, D), "free_bits": 0.1, "mean_kl_Z": f(D)},
        (
            ({"kl_BxZ": f(B)}, r"kl_BxZ: must have shape \(B, Z\), not \(4,\)"),
            ({"mean_kl_Z": f(B, 1)}, r"mean_kl_Z: must have shape \(Z,\) with Z=2 of kl_BxZ"),
            ({"free_bits": -0.1}, "free_bits=-0.1: must be at least 0"),
        ),
    ),
    "log_prior_ratio": Row(
        {"z": f(B, K, D), "noise": f(B, K, D), "log_variance": f(B, 1, D)},
        (
            ({"log_variance": f(K, D)}, r"log_variance: must be a number, or have the axes of z"),
            ({"log_variance": f(B, 1, 1)}, r"log_variance: must have shape .*Z=2 of z"),
            ({"noise": f(B, 1, D)}, r"noise: .*not \(4, 1, 2\)"),
        ),
    ),
    "importance_weighted_bound": Row(
        {"log_weight_BxK": f(B, K)},
        (
            ({"log_weight_BxK": f(B)}, r"log_weight_BxK: must have shape \(B, K\)"),
            ({"log_weight_BxK": f(B, 0)}, r"log_weight_BxK: is empty"),
        ),
    ),
    "negative_sampling_loss": Row(
        {"positive": f(B, T), "mask": np.ones((B, T)), "negative": f(B, K), "num_negatives": 2},
        (
            ({"mask": np.ones((T, B))}, r"mask: must have shape \(…, S\) .*not \(5, 4\)"),
            ({"mask": np.ones(B)}, r"mask: .*not \(4,\)"),
            ({"negative": f(1, K)}, r"negative: .*not \(1, 3\)"),
            ({"num_negatives": f(B)}, "num_negatives: must be a single number"),
        ),
        (({"mask": np.full((B, T), 2.0)}, "mask: has 2.0; must be at least 0 and at most 1"),),
    ),
    "hierarchical_softmax_loss": Row(
        {"score": f(B, T), "sign": np.ones((1, T), np.int8)},
        (
            ({"sign": np.ones(T)}, "sign: must be a number, or have the axes of score"),
            ({"sign": np.ones((B, 1))}, r"sign: must have shape \(…, K\) with K=5 of score"),
        ),
        (({"sign": np.full((1, T), -100)}, "sign: has -100; must be at least -1"),),
    ),
}
