"""The rows of the check, the most telling ones first."""

from typing import Any

from benchmarks.gpu.row import Row, comparison, task
from benchmarks.harness.floor import times
from benchmarks.rows import flow_matching, gan, gpt, recurrent_lm, vae

# A recipe of each family, made tiny by the contract tests.
FAMILIES = {
    "autoencoder": "autoencoder", "bert": "bert", "classifier": "classifier",
    "continual": "continual", "elmo": "elmo", "flow_matching": "flow_matching",
    "gan": "wgan_gp+resnet+projection", "gpt": "gpt", "multitask": "multitask",
    "recurrent_lm": "lstm_lm", "semi_supervised_vae": "semi_supervised_vae",
    "seq2seq": "seq2seq_attention", "stacked_autoencoder": "stacked_autoencoder",
    "tagger": "tagger", "text_autoencoder": "text_autoencoder", "transformer": "transformer",
    "vae": "face_vae", "word2vec": "word2vec_skipgram",
}  # fmt: skip
FLAGS = {
    "none": "",
    "deterministic": "--xla_gpu_deterministic_ops=true",
    "no_autotune": "--xla_gpu_autotune_level=0",
}
KERNELS = ("wgan_gp", "vae", "gpt", "lstm_lm", "word2vec_skipgram")  # recipes whose are counted
_BITS = ["wgan_gp", "dcgan", "gpt", "lstm_lm"]  # of the recipes that are killed and resumed

_ADAM = {"learning_rate": 2e-4, "b1": 0.5, "b2": 0.999}
_WGAN_GP = {"batch_size": 64, "n_critic": 5, "penalty_weight": 10.0, **_ADAM}
_GPT2 = {
    "batch_size": 16, "num_tokens": 10_000_000, "learning_rate": 6e-4, "weight_decay": 0.1,
    "clip_norm": 1.0, "vocab_size": 50_304, "length": 1024, "num_layers": 12, "num_heads": 12,
    "width": 768, "precision": "bfloat16",
}  # fmt: skip
_CIFAR10 = {  # the shapes of Gulrajani et al. 2017, appendix F
    "latent_dim": 128, "channels": [128, 128, 128], "critic_channels": [128, 128], "height": 32,
    "colors": 3, "num_examples": 50_000, **_WGAN_GP,
}  # fmt: skip
_UNET = {
    "height": 28, "num_examples": 60_000, "batch_size": 256, "learning_rate": 1e-3,
    "channels": [64, 128], "blocks": 1, "patch": 2, "features": 64,
}  # fmt: skip
_VAE = {
    "size": 784, "hidden": [400], "latent_dim": 20, "num_examples": 60_000, "batch_size": 128,
    "learning_rate": 1e-3,
}  # fmt: skip
_LSTM = {
    "vocab_size": 10_000, "units": 650, "layers": 2, "batch_size": 20, "length": 35,
    "num_tokens": 900_000, "learning_rate": 1.0, "clip_norm": 5.0,
}  # fmt: skip
_WORDS = {
    "architecture": "skipgram", "words": 4_000_000, "vocab_size": 40_000, "dim": 300, "window": 5,
    "num_negatives": 5, "subsample": 1e-3, "learning_rate": 0.025,
}  # fmt: skip
_RING = {"steps": 100, "hidden": [64, 64, 64], "batch_size": 64}
_TINY = {  # what takes the place of a field that a row has
    "batch_size": 4, "num_tokens": 300, "vocab_size": 40, "length": 8, "num_layers": 1,
    "num_heads": 2, "width": 8, "generator_hidden": [8, 8], "critic_hidden": [8], "height": 8,
    "num_examples": 32, "channels": [4, 4], "critic_channels": [4], "latent_dim": 4, "size": 64,
    "hidden": [8], "units": 8, "words": 2000, "dim": 8, "n_critic": 2,
}  # fmt: skip


def all_rows(device: str = "cuda", tiny: bool = False) -> dict[str, Row]:
    """Makes all rows for a device of `cuda` or `cpu`, with sizes for a rehearsal if `tiny`."""
    both = device if device == "cpu" else f"{device},cpu"

    def sized(settings: dict[str, Any], **more: Any) -> dict[str, Any]:
        smaller = {k: v for k, v in _TINY.items() if k in settings} if tiny else {}
        return {**settings, **smaller, **more}

    def steps(number: int) -> int:
        return 2 if tiny else number

    gpt2 = sized(_GPT2, steps=steps(10), one_layer=True)
    mlp, cifar10 = sized(gan.MLP, iterations=steps(50)), sized(_CIFAR10, iterations=steps(4))
    conv, conv_64 = (
        sized(gan.CONV, iterations=steps(20)),
        sized({**gan.LARGE, "num_examples": 20_000}, iterations=steps(10)),
    )
    unet, lstm = sized(_UNET, steps=steps(40)), sized(_LSTM, steps=steps(20))
    epoch, word2vec = sized(_VAE, epochs=1), sized(_WORDS)
    width, repeats = (64, 2) if tiny else (8192, 10)
    ceilings = {"width": width, "repeats": repeats}
    recipes = FAMILIES if not tiny else {"vae": "vae", "gan": "wgan_gp"}
    graphs = "compiled_reduce_overhead compiled_graph"
    channels_last = "compiled_channels_last_graph compiled_channels_last_reduce_overhead"
    updates = epoch["num_examples"] // epoch["batch_size"]
    rows = [
        task("facts", "what the device is", "gpu.facts:facts", {}, platforms=device, alone=True),
        task(
            "ceilings_jax", "rates of products and memory by JAX", "gpu.ceilings:rates", ceilings,
            platforms=device, alone=True,
        ),
        task(
            "ceilings_torch", "the same by PyTorch", "peers.torch_ceilings:rates",
            {**ceilings, "device": device}, platforms=device, alone=True, packages=("torch",),
        ),
        task(
            "ops", "operations of genjax.ops against their CPU forms", "gpu.correctness:ops", {},
            platforms=both,
        ),
        *(
            task(
                f"family_{name}", f"three steps of {recipe}, tiny, against the CPU's",
                "gpu.correctness:family", {"recipe": recipe}, 120.0, platforms=both,
            )
            for name, recipe in recipes.items()
        ),
        *(
            task(
                f"bits_{name}", f"killed, resumed and uninterrupted runs, XLA_FLAGS={flags!r}",
                "gpu.bits:resumed", {"recipes": _BITS[:1] if tiny else _BITS, "flags": flags},
                180.0, platforms=device,
            )
            for name, flags in FLAGS.items()
        ),
        *(
            task(
                f"kernels_{recipe}", "kernels of a step, beside those that were foreseen",
                "gpu.kernels:counted", {"recipe": recipe, "platform": device}, 120.0,
                platforms=device,
            )
            for recipe in KERNELS[: 1 if tiny else None]
        ),
        *(
            task(
                f"loops_{recipe}", "loops of a known length against dynamic ones: bits and time",
                "gpu.bits:loops", {"recipe": recipe, "steps": steps(100)}, platforms=device,
                alone=True,
            )
            for recipe in ("wgan_gp", "vae")[: 1 if tiny else 2]
        ),
        comparison(
            "gpt2_124m", "GPT-2 124M, 16 x 1,024 tokens an update, bf16, against nanoGPT's model",
            "gpt:update", "torch_gpt:training", gpt2,
            modes="compiled_reduce_overhead compiled", device=device, unit="tokens",
            amount=gpt2["batch_size"] * gpt2["length"], products=gpt.products(**gpt2),
            seconds=150.0,
        ),
        comparison(
            "wgan_gp_resnet", "WGAN-GP ResNet at CIFAR-10's shapes, TF32", "gan:wgan_gp_resnet",
            "torch_wgan_gp:resnet", cifar10,
            modes=channels_last, device=device, unit="critic steps", amount=cifar10["n_critic"],
            products=gan.residual_products(cifar10), seconds=150.0,
        ),
        comparison(
            "wgan_gp_mlp", "WGAN-GP of dense layers, 28x28", "gan:wgan_gp_mlp",
            "torch_wgan_gp:mlp", mlp, modes=graphs, device=device, unit="critic steps",
            amount=mlp["n_critic"],
            products=gan.wgan_gp_products(*gan.dense(mlp)),
        ),
        comparison(
            "flow_matching", "flow matching with a U-Net, 28x28, batch 256, TF32",
            "flow_matching:flow_matching", "torch_flow:unet", unet,
            modes="compiled_channels_last_graph compiled_reduce_overhead", device=device,
            unit="images", amount=unet["batch_size"],
            products=flow_matching.products(**unet),
        ),
        comparison(
            "vae", "VAE of dense layers, batch 128", "vae:vae", "torch_vae:dense", epoch,
            modes="compiled_step_graph compiled_reduce_overhead", device=device, unit="images",
            amount=updates * epoch["batch_size"],
            products=times(updates, vae.products(**epoch)),
        ),
        comparison(
            "lstm_lm", "LSTM language model, 2 x 650, against cuDNN's", "recurrent_lm:update",
            "torch_lstm:training", lstm, modes="eager_graph eager", device=device, unit="tokens",
            amount=lstm["batch_size"] * lstm["length"], products=recurrent_lm.products(**lstm),
        ),
        comparison(
            "word2vec", "skip-gram, 300 dimensions, words by Zipf's law", "word2vec:epoch",
            "torch_word2vec:training", word2vec, modes="eager_graph compiled_graph", device=device,
            unit="words", amount=word2vec["words"],
        ),
        *(
            comparison(
                f"population_{members}", f"{members:,} ring WGAN-GPs as one program",
                "engine:population", "", sized(_RING, members=members, steps=steps(100)),
                device=device, unit="steps of members", amount=steps(100),
            )
            for members in ((1, 2) if tiny else (1, 32, 1024))
        ),
        *(
            comparison(
                name, about, "gan:wgan_gp_conv", "torch_wgan_gp:conv", settings,
                modes=channels_last, device=device, unit="critic steps",
                amount=settings["n_critic"],
                products=gan.wgan_gp_products(*gan.convolutions(settings)),
            )
            for name, about, settings in (
                ("wgan_gp_conv", "WGAN-GP of DCGAN's layers, 28x28, TF32", conv),
                ("wgan_gp_64", "the same, 64x64 in color", conv_64),
            )
        ),
        comparison(
            "wgan_gp_resnet_bf16", "the same in bf16", "gan:wgan_gp_resnet",
            "torch_wgan_gp:resnet", {**cifar10, "precision": "bfloat16"},
            modes="compiled_channels_last_graph", device=device, unit="critic steps",
            amount=cifar10["n_critic"], products=gan.residual_products(cifar10), seconds=150.0,
        ),
    ]  # fmt: skip
    return {row.name: row for row in rows}
