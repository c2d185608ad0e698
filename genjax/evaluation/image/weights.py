"""InceptionV3's weights from PyTorch's files: torch-fidelity's, pytorch-fid's, torchvision's.

`.safetensors` files are read by the package of that name, all others by torch, where it is
installed. Who has a `.pth` file and no torch where genjax runs converts it elsewhere:

    import safetensors.torch, torch
    state = torch.load("weights.pth", weights_only=True)
    safetensors.torch.save_file(state, "weights.safetensors")
"""

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from genjax.core import files
from genjax.core.config import ConfigError
from genjax.models.inception import NUM_CLASSES, SIZE, InceptionV3

_INSTALL = {"safetensors": "pip install safetensors", "torch": "pip install torch"}
# The last two names of a leaf, in Flax and in PyTorch.
_NAMES = {
    ("conv", "kernel"): "conv.weight",
    ("bn", "scale"): "bn.weight",
    ("bn", "bias"): "bn.bias",
    ("bn", "mean"): "bn.running_mean",
    ("bn", "var"): "bn.running_var",
    ("fc", "kernel"): "fc.weight",
    ("fc", "bias"): "fc.bias",
}


class Weights(NamedTuple):
    """InceptionV3's, read from a file.

    Attributes:
      variant: of `genjax.models.inception`, known by the number of classes.
      variables: of the network, float32.
      checksum: of the file, hexadecimal.
    """

    variant: str
    variables: Any
    checksum: str


def read(path: str | Path, field: str = "--weights") -> Weights:
    """Reads the weights in a file; `field` is what the user named it by, for errors.

    Raises:
      ConfigError: no such file, not readable, the library that reads it is not installed, or it
        holds another network.
    """
    file = Path(path).expanduser()
    message = f"{field}={path}"
    check(path, field)
    try:
        files.opened(file).close()  # a regular file
        tensors = _safetensors(file) if file.suffix == ".safetensors" else _torch(file)
    except ImportError as error:
        library = "safetensors" if file.suffix == ".safetensors" else "torch"
        also = "" if library == "safetensors" else ", or give the same weights as .safetensors"
        raise ConfigError(
            f"{message}: needs {library} to be read ({_INSTALL[library]}){also}"
        ) from error
    except Exception as error:  # what their readers raise depends on what they stumble over
        raise ConfigError(f"{message}: is no file of weights ({files.reason(error)})") from error
    variant = _variant(tensors, message)
    return Weights(variant, from_torch(tensors, variant, message), _checksum(file))


def check(path: str | Path, field: str = "--weights") -> None:
    """Raises `ConfigError` unless there is such a file."""
    if not Path(path).expanduser().is_file():
        raise ConfigError(
            f"{field}={path}: no such file; must be InceptionV3's weights, torch-fidelity's or "
            "torchvision's, as .pth or .safetensors"
        )


def from_torch(tensors: Mapping[str, np.ndarray], variant: str, message: str = "weights") -> Any:
    """Makes variables of `InceptionV3(variant)` from a PyTorch state dict as arrays.

    Kernels turn from (out, in, height, width) to (height, width, in, out). What only training needs
    (`AuxLogits`, `num_batches_tracked`) is left out, and so is a bias that the variant does not
    use.

    Raises:
      ConfigError: a tensor is missing or of another shape; `message` begins the line.
    """
    image = jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), jnp.float32)
    shapes = jax.eval_shape(InceptionV3(variant).init, jax.random.key(0), image)

    def leaf(path: Any, shape: Any) -> jax.Array:
        key = torch_name(path)
        if key not in tensors:
            raise ConfigError(f"{message}: has no {key}; must be InceptionV3's weights")
        x = np.asarray(tensors[key], np.float32)
        x = x.transpose(2, 3, 1, 0) if x.ndim == 4 else x.T
        if x.shape != shape.shape:
            raise ConfigError(f"{message}: {key} turned is {x.shape}; must be {shape.shape}")
        if not np.isfinite(x).all():
            raise ConfigError(f"{message}: {key} holds NaN or infinite numbers")
        return jnp.asarray(x)

    return jax.tree_util.tree_map_with_path(leaf, shapes)


def torch_name(path: Any) -> str:
    """Returns PyTorch's name of the leaf of our variables at `path`."""
    _, *block, module, name = (entry.key for entry in path)  # params or batch_stats comes first
    return ".".join([*block, _NAMES[module, name]])


def _variant(tensors: Mapping[str, np.ndarray], message: str) -> str:
    shape = tensors["fc.weight"].shape if "fc.weight" in tensors else None
    rows = shape[0] if shape else None
    for variant, classes in NUM_CLASSES.items():
        if rows == classes:
            return variant
    found = {None: "no fc.weight", (): "a number as fc.weight"}.get(shape, f"{rows} classes")
    known = " or ".join(f"{n} ({variant})" for variant, n in NUM_CLASSES.items())
    raise ConfigError(f"{message}: has {found}; must be InceptionV3's weights of {known} classes")


def _safetensors(file: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(file)


def _torch(file: Path) -> dict[str, np.ndarray]:
    _check_zip(file)
    import torch

    # Up to 2.5 a file could run code in spite of `weights_only` (CVE-2025-32434).
    if tuple(map(int, torch.__version__.split(".")[:2])) < (2, 6):
        raise ValueError(f"torch {torch.__version__} does not read it safely; install 2.6 or later")
    state = torch.load(file, map_location="cpu", weights_only=True)
    return {name: x.float().numpy() for name, x in state.items()}


def _check_zip(file: Path) -> None:
    """Raises `ValueError` for a packed `.pth` file, which may unpack to any size; torch packs none.

    Those of torch 1.5 and earlier are no zip files, and announce nothing that is not read.
    """
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as parts:
            announced = sum(part.file_size for part in parts.infolist())
            packed = any(part.compress_type != zipfile.ZIP_STORED for part in parts.infolist())
        if packed or announced > file.stat().st_size:
            raise ValueError(f"is packed, or announces {announced:,} bytes that it does not have")


def _checksum(file: Path) -> str:
    with file.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()
