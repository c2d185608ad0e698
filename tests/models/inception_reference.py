"""Seeded weights and images for InceptionV3, and what PyTorch's networks make of them.

`GOLDEN` was computed by torch-fidelity 0.4.0 and torchvision 0.28.0 (torch 2.13.0, CPU, float32):

    python -m tests.models.inception_reference

prints it again where both are installed, and test_inception.py compares.
"""

import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from genjax.evaluation.image.weights import torch_name
from genjax.models.inception import NUM_CLASSES, InceptionV3

# Of each variant, for both images: the first four features, and logits.
GOLDEN = {
    "fid": (
        [
            [0.0, 3.0928781032562256, 3.299008369445801, 10.984556198120117],
            [0.0, 2.881410598754883, 3.39937686920166, 10.777116775512695],
        ],
        [
            [-14.238566398620605, -2.0855536460876465, -5.211214065551758, -13.420614242553711],
            [-13.47789192199707, -1.6489219665527344, -4.122200012207031, -12.2764253616333],
        ],
    ),
    "torchvision": (
        [
            [0.0, 3.270551919937134, 3.056236743927002, 10.491975784301758],
            [0.0, 3.019068956375122, 3.233567237854004, 10.084549903869629],
        ],
        [
            [11.664141654968262, -22.856922149658203, 22.85572052001953, 3.414402961730957],
            [10.70009994506836, -21.05246353149414, 21.341785430908203, 3.3509294986724854],
        ],
    ),
}


def images() -> np.ndarray:
    """(2, 40, 31, 3) uint8."""
    return np.random.RandomState(5).randint(256, size=(2, 40, 31, 3)).astype(np.uint8)


def state_dict(variant: str) -> dict[str, np.ndarray]:
    """Random tensors under PyTorch's names that keep the activations' scale through the network."""
    image = jax.ShapeDtypeStruct((1, 299, 299, 3), jnp.float32)
    shapes = jax.eval_shape(InceptionV3(variant).init, jax.random.key(0), image)
    found = {
        torch_name(path): shape.shape for path, shape in jax.tree_util.tree_leaves_with_path(shapes)
    }
    rng = np.random.RandomState(0)
    tensors = {}
    for name in sorted(found):
        shape = found[name]
        if len(shape) > 1:  # Flax: (…, in, out)
            x = rng.randn(*shape) * np.sqrt(2.0 / np.prod(shape[:-1]))
            x = x.transpose(3, 2, 0, 1) if x.ndim == 4 else x.T
        elif name.endswith(("bn.weight", "running_var")):
            x = rng.uniform(0.5, 1.5, shape)
        else:
            x = 0.1 * rng.randn(*shape)
        tensors[name] = np.ascontiguousarray(x, np.float32)
    return tensors


def torchs(variant: str) -> tuple[np.ndarray, np.ndarray]:
    """Features (2, 2048) and logits (2, K) of PyTorch's network, with the weights from above."""
    import torch

    state = {name: torch.from_numpy(x) for name, x in state_dict(variant).items()}
    x = torch.from_numpy(images()).permute(0, 3, 1, 2).contiguous()
    if variant == "fid":
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        state["fc.bias"] = torch.zeros(NUM_CLASSES["fid"])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.pth"
            torch.save(_counted(state), path)
            network = FeatureExtractorInceptionV3(
                "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(path)
            )
        with torch.no_grad():
            features, logits = network(x)
        return features.numpy(), logits.numpy()

    from torchvision.models import Inception3

    network = Inception3(aux_logits=False, transform_input=False, init_weights=False)
    network.load_state_dict(_counted(state))
    found = {}
    network.avgpool.register_forward_hook(lambda m, i, o: found.update(x=o.flatten(1).numpy()))
    scaled = torch.nn.functional.interpolate(
        x.float() / 255, (299, 299), mode="bilinear", align_corners=False, antialias=False
    )
    with torch.no_grad():
        logits = network.eval()(2 * scaled - 1)
    return found["x"], logits.numpy()


def _counted(state):
    """With the tensors that batch norm's modules have and inference ignores."""
    import torch

    blocks = [name for name in state if name.endswith("running_mean")]
    counts = {n.replace("running_mean", "num_batches_tracked"): torch.tensor(0) for n in blocks}
    return state | counts


if __name__ == "__main__":
    for variant in NUM_CLASSES:
        print(variant, [x[:, :4].tolist() for x in torchs(variant)])
