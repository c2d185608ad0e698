"""Variants of recipes, whose code paths no recipe of `configs/` takes."""

from typing import Any

# name: (recipe, changes). Several things at once where one does not hide the other.
VARIANTS: dict[str, tuple[str, dict[str, Any]]] = {
    "wgan_gp+batch_norm": ("wgan_gp", {"model.generator_norm": "batch"}),
    "wgan_gp+lazy+forward+accumulate": (
        # every second of three critic updates: the phase changes from step to step
        "wgan_gp",
        {
            "loss.penalty_every": 2, "loss.formulation": "forward_over_reverse",
            "loss.one_sided": True, "accumulate_steps": 2, "model.critic_norm": "layer",
        },
    ),
    "hinge_gan+conv+stddev+noise": (
        "hinge_gan",
        {
            "model.network": "conv", "model.minibatch_stddev": True, "loss.n_critic": 2,
            "loss.instance_noise": 0.3,
        },
    ),
    "wgan_gp+resnet+projection": (
        "wgan_gp",
        {
            "model.network": "resnet", "model.generator_norm": "batch", "model.plain_blocks": 1,
            "model.conditional": True, "model.resampling": "blur",
        },
    ),
    "r3gan+r3gan+auxiliary": (
        "r3gan",
        {
            "model.network": "r3gan", "model.conditional": True, "model.condition": "auxiliary",
            "accumulate_steps": 2,
        },
    ),
    "r3gan+pack+lazy": (
        "r3gan",
        {"model.pack": 2, "loss.n_critic": 3, "loss.penalty_every": 2},
    ),
    "wgan_gp_mixture+bfloat16": (
        # smooth: at the kink of a ReLU the rounding of bfloat16 decides between two gradients
        "wgan_gp_mixture",
        {
            "precision": "bfloat16", "model.critic_activation": "silu",
            "model.generator_activation": "silu",
        },
    ),
    "autoencoder+accumulate+dropout+adamw+ema": (
        "autoencoder",
        {
            "accumulate_steps": 2, "model.dropout": 0.3, "ema_decay": 0.9, "loss.likelihood": "mse",
            "loss.code_l1": 0.1, "loss.l2": 1e-3, "optimizer.name": "adamw",
            "optimizer.weight_decay": 0.1, "optimizer.clip_norm": 1.0,
            "optimizer.schedule": "cosine", "optimizer.warmup_steps": 3,
        },
    ),
    "stacked_autoencoder+labels+stages+ema": (
        # all three stages within five steps
        "stacked_autoencoder",
        {
            "model.layers": (16, 8), "loss.pretrain": (0.1, 0.1), "loss.corruption": "gaussian",
            "loss.corruption_level": (0.3, 0.3), "loss.finetune": "labels",
            "data.num_labeled": 100, "ema_decay": 0.9, "accumulate_steps": 2,
            "pretrain_optimizer.schedule": "linear",
        },
    ),
    "flow_matching+mlp+conditional": (
        # dense: the U-Net, which takes long to compile, is in the recipe itself
        "flow_matching",
        {
            "model.network": "mlp", "model.conditional": True, "sampler.guidance": 2.0,
            "sampler.method": "euler", "accumulate_steps": 2,
        },
    ),
    "vae+free_bits+accumulate+ema": (
        "vae",
        {
            "loss.free_bits": 0.1, "loss.binarize": "fixed",
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "text_vae+noise+two_layers+accumulate+ema": (
        "text_vae",
        {
            "loss.drop": 0.1, "loss.swap": 2, "loss.mask": 0.1, "loss.kl_annealing": "cyclical",
            "loss.logits_chunk": 5, "model.layers": 2, "model.dropout": 0.2, "accumulate_steps": 2,
            "ema_decay": 0.9,
        },
    ),
    "classifier+resnet+squared_hinge+accumulate+ema": (
        # smooth: at the kink of a ReLU rounding decides between two gradients
        "classifier",
        {
            "model.network": "resnet", "model.norm": "group", "model.activation": "silu",
            "model.channels": (8,), "model.head_activation": "silu",
            "loss.kind": "squared_hinge", "loss.l2": 1e-3,
            "loss.l1": 1e-3, "data.num_labeled": 200, "data.leave_out": "3",
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "classifier+taught+accumulate": (
        "classifier",
        {
            "model.head_hidden": (8,), "model.head_activation": "silu", "accumulate_steps": 2,
            "teacher.workdir": "TEACHER", "teacher.features": ("head.0=head.0",),
        },
    ),
    "face_vae+conditional+discretized_logistic": (
        "face_vae",
        {"model.conditional": True, "loss.likelihood": "discretized_logistic"},
    ),
    "word2vec_skipgram+hierarchical_softmax+fixed": (
        "word2vec_skipgram",
        {"loss.objective": "hierarchical_softmax", "loss.dynamic_window": False},
    ),
    "word2vec_cbow+softmax+sum": (
        "word2vec_cbow",
        {"loss.objective": "softmax", "model.cbow_mean": False, "loss.subsample": 0.0},
    ),
    "lstm_lm+accumulate+chunk+tied+variational+ema": (
        "lstm_lm",
        {
            "accumulate_steps": 2, "loss.logits_chunk": 5, "model.tie_embeddings": True,
            "model.embed_dim": 8,
            "model.variational": True, "model.recurrent_dropout": 0.2, "ema_decay": 0.9,
            "data.tokenizer": "word",
        },
    ),
    "gru_lm+sentences+bfloat16": (
        "gru_lm", {"data.kind": "sentence", "precision": "bfloat16"},
    ),
    "text_classifier+bag+accumulate": (
        "text_classifier",
        {"model.network": "bag", "model.bigrams": 50, "accumulate_steps": 2},
    ),
    "text_classifier+transformer+ema": (
        "text_classifier",  # "max" has ties, which rounding decides
        {"model.network": "transformer", "model.pooling": "mean", "ema_decay": 0.9},
    ),
    "autoencoder+groups+unfreeze+decay+clip+ema": (
        "autoencoder",
        {
            "optimizer.groups": ("encoder/Dense_0=0", "decoder=0.5"), "ema_decay": 0.9,
            "optimizer.unfreeze": ("decoder/Dense_1=2",), "optimizer.weight_decay": 0.1,
            "optimizer.clip_norm": 1.0, "optimizer.schedule": "linear",
        },
    ),
    "bert+groups+layer_decay": (
        "bert",
        {
            "optimizer.groups": ("encoder/embedding=0", "encoder/stack/layers/0=0"),
            "optimizer.layer_decay": 0.8, "optimizer.unfreeze": ("encoder/stack/layers/1=2",),
        },
    ),
    "text_classifier+bert+augmented+accumulate+encoder_lr_scale": (
        "text_classifier",
        {
            "model.network": "bert", "model.pooling": "first", "accumulate_steps": 2,
            "optimizer.encoder_lr_scale": 0.1, "augment.workdir": "WRITER", "augment.drop": 0.1,
            "augment.swap": 2, "augment.mask": 0.1, "data.num_labeled": 200,
        },
    ),
    "tagger+softmax+accumulate": (
        "tagger", {"model.head": "softmax", "model.char_filters": 0, "accumulate_steps": 2},
    ),
    "tagger+bert+ema": (
        "tagger",
        {"model.words": "bert", "optimizer.encoder_lr_scale": 0.0, "ema_decay": 0.9},
    ),
    "seq2seq_attention+gru+layers+dropout+accumulate+ema": (
        "seq2seq_attention",
        {
            "model.cell": "gru", "model.layers": 2, "model.attention": "multiplicative",
            "model.dropout": 0.2, "model.tie_embeddings": True, "loss.label_smoothing": 0.1,
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "transformer+pre_norm+rotary+bfloat16": (
        "transformer",
        {"model.norm_first": True, "model.positions": "rotary", "precision": "bfloat16"},
    ),
    "bert+pairs+whole_words+accumulate+ema": (
        "bert",
        {
            "loss.next_sentence": True, "loss.whole_word": True, "data.tokenizer": "bpe",
            "accumulate_steps": 2, "ema_decay": 0.9,
        },
    ),
    "bert+sentences+pre_norm+bfloat16": (
        "bert", {"data.kind": "sentence", "model.norm_first": True, "precision": "bfloat16"},
    ),
    "elmo+sentences+chunk+accumulate+ema": (
        "elmo",
        {"data.kind": "sentence", "loss.logits_chunk": 5, "accumulate_steps": 2, "ema_decay": 0.9},
    ),
    "gpt_modern+packed+dropout+chunk+remat+accumulate": (
        "gpt_modern",
        {
            "data.kind": "sentence", "data.packed": True, "model.dropout": 0.2,
            "loss.logits_chunk": 3,
            "model.remat": True, "model.scan": True, "model.tie_embeddings": False,
            "accumulate_steps": 2,
        },
    ),
    "continual+task+ewc+ema": (
        # the second task begins within the five steps that placements make
        "continual",
        {
            "loss.method": "ewc", "loss.scenario": "task", "loss.weight": 10.0,
            "loss.fisher_steps": 1, "ema_decay": 0.9,
        },
    ),
    "continual+domain+permuted+joint": (
        "continual",
        {
            "loss.method": "joint", "data.joint": True, "loss.scenario": "domain",
            "data.protocol": "permuted",
        },
    ),
    "continual+class+si+accumulate": (
        "continual",
        {"loss.method": "si", "loss.scenario": "class", "accumulate_steps": 2},
    ),
    "continual+task+der_plus": (
        "continual",  # so many kept that 8 devices divide them
        {"loss.method": "der_plus", "loss.scenario": "task", "loss.budget": 8},
    ),
    "continual+domain+a_gem": (
        "continual", {"loss.method": "a_gem", "loss.scenario": "domain"},
    ),
    "continual+task+dgr_vae_distilled": (
        "continual", {"loss.method": "dgr_vae_distilled", "loss.scenario": "task"},
    ),
    "continual+class+dgr_gan": (
        "continual", {"loss.method": "dgr_gan", "loss.scenario": "class"},
    ),
    "multitask+pcgrad+accumulate+ema": (
        "multitask",
        {
            "loss.method": "pcgrad", "loss.weights": (1.0, 0.5, 2.0), "accumulate_steps": 2,
            "ema_decay": 0.9,
        },
    ),
    "multitask+uncertainty+conv+overlays": (
        "multitask",
        {
            "loss.method": "uncertainty", "model.network": "conv", "model.channels": (8,),
            "data.tasks": ("left", "right"),
        },
    ),
    "classifier+run+accumulate+ema": (
        # a critic with vectors of spectral normalization, which stand beside the parameters
        "classifier",
        {
            "model.network": "run", "model.head_activation": "silu", "accumulate_steps": 2,
            "model.run": '{"family": "gan", "model": {"critic_hidden": [16], "spectral_norm": true,'
            ' "critic_activation": "silu"}, "loss": {"adversarial": "hinge"}}', "ema_decay": 0.9,
        },
    ),
    "text_classifier+gpt+mix+groups": (
        "text_classifier",
        {
            "model.network": "gpt", "model.pooling": "last", "model.mix": True,
            "model.gpt.init_std": 0.2, "optimizer.groups": ("encoder/stack/layers/0=0",),
        },
    ),
    "tagger+elmo+mix+accumulate": (
        "tagger",
        {
            "model.words": "elmo", "model.mix": True, "optimizer.encoder_lr_scale": 0.0,
            "accumulate_steps": 2,
        },
    ),
    "transformer+bert+ema": (
        "transformer",
        {"model.encoder": "bert", "ema_decay": 0.9},
    ),
    "transformer+taught+accumulate": (
        "transformer",
        {"teacher.workdir": "TEACHER", "teacher.temperature": 2.0, "accumulate_steps": 2},
    ),
    "autoencoder+streamed+bfloat16": (
        "autoencoder",
        {"data.name": "images:PICTURES", "data.device_limit_mb": 0, "precision": "bfloat16"},
    ),
}  # fmt: skip
