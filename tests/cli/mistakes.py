"""Mistakes on the command line and in fields, and what is told of each."""

# Name: the command line (AE, GAN, LM: --config of that recipe; TINY: a small AE; NEW: --workdir of
# no folder yet; other paths are in the folder that `world` of test_errors.py fills), and the parts
# that the one line of answer must hold: the field, its value, what is allowed.
IN_FIELDS = {
    # The command line.
    "no config": ("train NEW", "--config | missing"),
    "no workdir": ("train AE", "--workdir | missing"),
    "unknown flag": ("train AE --wrokdir=new", "--wrokdir=new | did you mean workdir?"),
    "stray argument": ("train AE NEW epochs=3", "'epochs=3' | --NAME=VALUE"),
    "missing config file": (
        "train --config=configs/none.py NEW",
        "configs/none.py | no such file | wgan_gp",
    ),
    "misspelt recipe": ("train --config=wgan_pg NEW", "--config=wgan_pg | did you mean wgan_gp?"),
    "config is a folder": ("train --config=empty NEW", "--config=empty | is a folder"),
    "syntax error in the config": (
        "train --config=syntax.py NEW",
        "syntax.py | line 2 | SyntaxError",
    ),
    "config that raises": (
        "train --config=raises.py NEW",
        "raises.py | line 4 | ZeroDivisionError",
    ),
    "misspelt field in the config": (
        "train --config=misspelt.py NEW",
        "misspelt.py | line 4 | no field kl_wieght there; did you mean kl_weight?",
    ),
    "config without get_config": ("train --config=nothing.py NEW", "nothing.py | get_config()"),
    "config of another type": (
        "train --config=dict.py NEW",
        "dict.py | dict | must be a ConfigDict",
    ),
    "argument that a config does not take": (
        "train AE:large NEW",
        "autoencoder.py:large | argument",
    ),
    # Fields.
    "a test file for data that have none": (
        "train --config=text_classifier NEW --config.data.test=good.txt",
        "config.data.test='good.txt' | is for texts of text, tsv, pairs, conll, tfds | python_docs",
    ),
    "a test file for pictures": (
        "train AE NEW --config.data.test=good.txt",
        "config.data.test=good.txt | no such field",
    ),
    "fractions where numbers are counted": (
        "train --config=multitask NEW --config.data.sizes=0.5,0.5,0.5",
        "config.data.sizes=(0.5, 0.5, 0.5) | must be a tuple of whole numbers",
    ),
    "texts where numbers are": (
        "train --config=multitask NEW \"--config.loss.weights=('a','b','c')\"",
        "config.loss.weights=('a', 'b', 'c') | must be a tuple of numbers",
    ),
    "a width that is no whole number": (
        "train --config=text_classifier NEW --config.model.head_hidden=64.0",
        "config.model.head_hidden | must be a tuple of whole numbers",
    ),
    "unknown field": (
        "train AE NEW --config.batchsize=3",
        "config.batchsize=3 | did you mean batch_size?",
    ),
    "field without its section": (
        "train GAN NEW --config.n_critic=5",
        "config.n_critic=5 | loss.n_critic",
    ),
    "field of another family": (
        "train AE NEW --config.loss.n_critic=5",
        "config.loss.n_critic=5 | no such field",
    ),
    "section instead of a field": (
        "train AE NEW --config.loss=3",
        "config.loss=3 | section | loss.likelihood",
    ),
    "text for a whole number": (
        "train AE NEW --config.batch_size=many",
        "config.batch_size='many' | whole number",
    ),
    "fraction for a whole number": (
        "train AE NEW --config.batch_size=1.5",
        "config.batch_size='1.5' | whole number",
    ),
    "text for a number": (
        "train AE NEW --config.optimizer.b1=high",
        "config.optimizer.b1='high' | a number",
    ),
    "text for a truth value": (
        "train GAN NEW --config.loss.one_sided=maybe",
        "config.loss.one_sided='maybe' | true or false",
    ),
    "text in a tuple": (
        "train AE NEW '--config.model.encoder_hidden=(64,'\"'\"'x'\"'\"')'",
        "config.model.encoder_hidden=(64, 'x') | tuple of whole numbers",
    ),
    "width of zero": (
        "train AE NEW '--config.model.encoder_hidden=(64,0)'",
        "config.model.encoder_hidden=(64, 0) | at least 1",
    ),
    "no variance of weights": (
        "train AE NEW --config.model.init_variance=0.0",
        "config.model.init_variance=0.0 | must be above 0",
    ),
    "not finite": (
        "train AE NEW --config.optimizer.learning_rate=nan",
        "config.optimizer.learning_rate=nan | must be finite",
    ),
    "negative learning rate": (
        "train AE NEW --config.optimizer.learning_rate=-1",
        "config.optimizer.learning_rate=-1.0 | at least 0",
    ),
    "batch of none": ("train AE NEW --config.batch_size=0", "config.batch_size=0 | at least 1"),
    "two durations": (
        "train AE NEW --config.steps=5 --config.epochs=2",
        "--config.steps=5 and --config.epochs=2.0 | two lengths | examples",
    ),
    "two durations of a sweep": (
        "sweep AE NEW --grid=steps=5,6 --grid=epochs=2,3",
        "--grid=steps, --grid=epochs | two lengths",
    ),
    "no duration": (
        "train AE NEW --config.epochs=0",
        "steps | epochs | examples | none given | exactly one",
    ),
    "epochs of data without end": (
        "train GAN NEW --config.steps=0 --config.epochs=2 --config.data.name=ring",
        "config.epochs=2.0 | ring | steps or examples",
    ),
    "unknown family": (
        "train AE NEW --config.family=stranger",
        "config.family='stranger' | autoencoder, | gan,",
    ),
    "unknown executor": (
        "train AE NEW --config.executor=tpu",
        "config.executor='tpu' | scan, loop",
    ),
    "unknown precision": (
        "train AE NEW --config.precision=float16",
        "config.precision='float16' | float32, bfloat16",
    ),
    "unknown schedule": (
        "train AE NEW --config.optimizer.schedule=exponential",
        "config.optimizer.schedule='exponential' | constant, linear, cosine",
    ),
    "unknown optimizer": (
        "train GAN NEW --config.critic_optimizer.name=lion",
        "config.critic_optimizer.name='lion' | adam, adamw",
    ),
    "unknown activation": (
        "train AE NEW --config.model.activation=swoosh",
        "config.model.activation='swoosh' | relu, leaky_relu",
    ),
    "unknown lowering": (
        "train AE NEW --config.model.conv_lowering=fft",
        "config.model.conv_lowering='fft' | auto, matmul, stock",
    ),
    "batch norm in the critic": (
        "train GAN NEW --config.model.critic_norm=batch",
        "config.model.critic_norm='batch' | penalty wrong | none or layer",
    ),
    "batch spread in a penalized critic": (
        "train GAN NEW --config.model.minibatch_stddev=True",
        "config.model.minibatch_stddev=True | penalty wrong | must be False | wgan_gp",
    ),
    "unknown adversarial loss": (
        "train GAN NEW --config.loss.adversarial=wgan",
        "config.loss.adversarial='wgan' | minimax, non_saturating, least_squares, hinge",
    ),
    "unknown penalty": (
        "train GAN NEW --config.loss.penalty=r3",
        "config.loss.penalty='r3' | none, wgan_gp, r1, r2, r1_r2, dragan",
    ),
    "smoothing of labels that there are not": (
        "train GAN NEW --config.loss.label_smoothing=0.1",
        "config.loss.label_smoothing=0.1 | wasserstein has no labels | must be 0",
    ),
    "label smoothed away": (
        "train GAN NEW --config.loss.adversarial=minimax --config.loss.label_smoothing=1",
        "config.loss.label_smoothing=1.0 | below 1",
    ),
    "negative clip": ("train GAN NEW --config.loss.clip=-1", "config.loss.clip=-1.0 | at least 0"),
    "negative noise": (
        "train GAN NEW --config.loss.instance_noise=-1",
        "config.loss.instance_noise=-1.0 | at least 0",
    ),
    "negative perturbation": (
        "train GAN NEW --config.loss.perturbation=-1",
        "config.loss.perturbation=-1.0 | at least 0",
    ),
    "packs that do not divide the batch": (
        "train GAN NEW --config.model.pack=3",
        "config.model.pack=3 | divide batch_size, 128",
    ),
    "packs that do not divide the parts": (
        "train GAN NEW --config.model.pack=2 --config.accumulate_steps=128",
        "config.model.pack=2 | batch_size / accumulate_steps, 1",
    ),
    "text for a norm's truth value": (
        "train GAN NEW --config.model.spectral_norm=yes",
        "config.model.spectral_norm='yes' | true or false",
    ),
    "parts of a batch that is normalized": (
        "train GAN NEW --config.model.generator_norm=batch --config.accumulate_steps=2",
        "config.accumulate_steps=2 | mixes examples | model.generator_norm=batch",
    ),
    "unknown corruption": (
        "train AE NEW --config.loss.corruption=blur",
        "config.loss.corruption='blur' | none, gaussian, masking, salt_and_pepper",
    ),
    "share of pixels above 1": (
        "train AE NEW --config.loss.corruption=masking --config.loss.corruption_level=1.5",
        "config.loss.corruption_level=1.5 | probability | at most 1",
    ),
    "rates of a linear code": (
        "train AE NEW --config.loss.sparsity_weight=1",
        "config.loss.sparsity_weight=1.0 | model.code_activation=sigmoid, not linear",
    ),
    "rates of parts of a batch": (
        "train --config=sparse_autoencoder NEW --config.accumulate_steps=2",
        "config.accumulate_steps=2 | whole batch | must be 1",
    ),
    "impossible rate": (
        "train AE NEW --config.loss.sparsity_target=1",
        "config.loss.sparsity_target=1.0 | between 0 and 1",
    ),
    "stages beyond the run": (
        "train --config=stacked_autoencoder NEW '--config.loss.pretrain=(0.5,0.5,0.1)'",
        "config.loss.pretrain=(0.5, 0.5, 0.1) | at most 1",
    ),
    "stages that are not one a layer": (
        "train --config=stacked_autoencoder NEW '--config.model.layers=(64,32)'",
        "config.loss.pretrain=(0.2, 0.2, 0.2) | model.layers=(64, 32)",
    ),
    "labels that nobody needs": (
        "train --config=stacked_autoencoder NEW --config.data.num_labeled=10",
        "config.data.num_labeled=10 | loss.finetune=labels | must be 0",
    ),
    "more labels than examples": (
        "train --config=stacked_autoencoder NEW --config.data.num_labeled=5000 "
        "--config.loss.finetune=labels",
        "config.data.num_labeled=5000 | at most | 1618",
    ),
    "classes of points": (
        "train --config=stacked_autoencoder NEW --config.data.name=ring --config.epochs=0 "
        "--config.steps=2 --config.loss.likelihood=mse --config.loss.finetune=labels",
        "config.loss.finetune='labels' | ring has no labels",
    ),
    "tasks that are longer than the run": (
        "train --config=continual NEW --config.steps=100",
        "config.data.steps_per_task=400 | data.num_tasks=5 | steps=100",
    ),
    "an upper bound that is none": (
        "train --config=continual NEW --config.loss.method=joint",
        "config.data.joint=False | must be true with loss.method=joint",
    ),
    "unknown solver": (
        "train --config=flow_matching NEW --config.sampler.method=rk4",
        "config.sampler.method='rk4' | euler, heun",
    ),
    "packs that do not divide elastic shards": (
        "train GAN NEW --config.model.pack=32 --config.executor=sharded --config.elastic=8",
        "config.model.pack=32 | batch_size / elastic, 16",
    ),
    "guidance by a class that is never left out": (
        "train --config=flow_matching NEW --config.sampler.guidance=2"
        " --config.model.conditional=True --config.loss.label_dropout=0",
        "config.sampler.guidance=2.0 | must be 1 with loss.label_dropout=0",
    ),
    "guidance by no class": (
        "train --config=flow_matching NEW --config.sampler.guidance=2",
        "config.sampler.guidance=2.0 | must be 1 with model.conditional=False",
    ),
    "U-Net of points": (
        "train --config=flow_matching NEW --config.data.name=ring",
        "config.model.network='unet' | images, not points",
    ),
    "patches that do not divide the image": (
        "train --config=flow_matching NEW --config.model.patch=3",
        "config.model.channels=(64, 128) | model.patch=3 | divisible by 6, not 8x8",
    ),
    "parts that do not divide the batch": (
        "train AE NEW --config.accumulate_steps=7",
        "config.accumulate_steps=7 | batch_size=64",
    ),
    "seeds with another executor": (
        "train AE NEW --config.num_seeds=4 --config.executor=scan",
        "config.num_seeds=4 | executor=vmap, not scan",
    ),
    "seed that repeats a smaller one": (
        "train AE NEW --config.seed=4294967297",
        "config.seed=4294967297 | between 0 and 4294967295",
    ),
    "seed of more than 64 bits": (
        "train AE NEW --config.seed=9223372036854775808",
        "config.seed=9223372036854775808 | between 0 and 4294967295",
    ),
    "negative seed": ("train AE NEW --config.seed=-1", "config.seed=-1 | between 0 and 4294967295"),
    "seeds of which the last is too large": (
        "train AE NEW --config.seed=4294967294 --config.num_seeds=3",
        "config.seed=4294967294 | the last of 3 seeds is 4294967296 | between 0 and 4294967295",
    ),
    "seeds of a sweep of which the last is too large": (
        "sweep AE NEW --config.seed=4294967294 --seeds=3",
        "config.seed=4294967294 | the last of 3 seeds is 4294967296 | between 0 and 4294967295",
    ),
    "seed of samples": (
        "sample --workdir=trained --seed=4294967296",
        "--seed=4294967296 | 4294967295",
    ),
    "seed of latents": (
        "latent --workdir=trained --seed=4294967296",
        "--seed=4294967296 | 4294967295",
    ),
    "convolutions on points": (
        "train GAN NEW --config.data.name=ring --config.model.network=conv",
        "config.model.generator_channels=(64, 128) | images, not points",
    ),
    "size that cannot be halved": (
        "train AE NEW --config.model.network=conv --config.data.image_size=10",
        "config.model.encoder_channels=(32, 64) | divisible by 4 | 10x10",
    ),
    "cross-entropy of points": (
        "train AE NEW --config.data.name=grid --config.epochs=0 --config.steps=2",
        "config.loss.likelihood='bernoulli' | must be mse",
    ),
    "unknown metric during training": (
        "train AE NEW --config.eval_metrics=fid,fix",
        "config.eval_metrics=fid,fix | no metric 'fix' | fid,kid,mind,is,prdc",
    ),
    "image metrics of points": (
        "train GAN NEW --config.data.name=ring --config.eval_metrics=fid",
        "config.eval_metrics=fid | needs images | ring",
    ),
    "own classifier without labels": (
        "train AE NEW --config.data.name=images:good --config.batch_size=2 "
        "--config.eval_metrics=fid",
        "config.eval_metrics=fid | no labels | config.eval_weights",
    ),
    "weights for training that are not there": (
        "train AE NEW --config.eval_metrics=fid --config.eval_weights=none.pth",
        "config.eval_weights=none.pth | no such file | .safetensors",
    ),
    "too few samples for a score during training": (
        "train AE NEW --config.eval_metrics=is --config.eval_num_samples=9",
        "config.eval_num_samples=9 | is needs at least 10",
    ),
    "sweep with an unknown metric": (
        "sweep AE NEW --config.eval_metrics=fix",
        "config.eval_metrics=fix | must be of fid,kid,mind,is,prdc",
    ),
    "best of a single evaluation": (
        "train AE NEW --config.best_metric=mse",
        "config.best_metric='mse' | set eval_every",
    ),
    "best by a number that is not evaluated": (
        "train AE NEW --config.best_metric=fid --config.eval_every=10",
        "config.best_metric='fid' | must be one of mse, reconstruction",
    ),
    "unknown likelihood": (
        "train --config=vae NEW --config.loss.likelihood=poisson",
        "config.loss.likelihood='poisson' | bernoulli, gaussian",
    ),
    "binary targets of a Gaussian": (
        "train --config=vae NEW --config.loss.likelihood=gaussian",
        "config.loss.binarize='dynamic' | loss.likelihood=bernoulli",
    ),
    "weighted KL in an importance weighted bound": (
        "train --config=iwae NEW --config.loss.kl_weight=2",
        "config.loss.kl_weight=2.0 | must be 1.0 | loss.importance_samples=50",
    ),
    "conditions that the data have not": (
        "train --config=conditional_vae NEW --config.data.name=images:good",
        "config.model.conditional=True | images:good | no labels",
    ),
    "faces without their folder": (
        "train --config=face_vae:orl NEW",
        "config.data.name='images:' | images:DIR",
    ),
    "unknown faces": ("train --config=face_vae:lfw NEW", "'lfw' | celeb_a, orl"),
    "steps to profile that are none": (
        "train AE NEW --profile_steps=9:3",
        "--profile_steps='9:3' | a < b",
    ),
    "steps to profile beyond the end": (
        "train TINY NEW --config.steps=5 --profile_steps=7:9",
        "--profile_steps=7:9 | step 5",
    ),
    "one of three distributed flags": (
        "train AE NEW --process_id=0",
        "--process_id=0 | --coordinator_address, --num_processes",
    ),
    "process number out of range": (
        "train AE NEW --process_id=2 --num_processes=2 --coordinator_address=127.0.0.1:1",
        "--process_id=2 | below --num_processes=2",
    ),
    "start of a run of other widths": (
        "train --config=autoencoder NEW --config.start.workdir=trained",
        "config.start.workdir='trained' | leaves differ | encoder/Dense_0/kernel is float32[64,8] ",
    ),
    "start at a step that is not there": (
        "train --config=autoencoder NEW --config.start.workdir=trained --config.start.step=7",
        "config.start.step='7' | newest, best, or one of its steps: 4",
    ),
    "start with a file that holds no vectors": (
        "train --config=word2vec_skipgram NEW --config.start.workdir=file.txt",
        "file.txt | line 1: must be two numbers, of words and of their dimensions",
    ),
    "vectors of pixels": (
        "train --config=autoencoder NEW --config.start.workdir=file.txt",
        "config.start.workdir='file.txt' | word vectors | data.tokenizer=word",
    ),
    "freezing what is not there": (
        """train --config=autoencoder NEW --config.optimizer.groups="('critic=0',)" """,
        "config.optimizer.groups='critic=0' | names no parameters | decoder/Dense_0/bias",
    ),
    "decay of layers without any": (
        "train --config=autoencoder NEW --config.optimizer.layer_decay=0.5",
        "config.optimizer.layer_decay=0.5 | no stack of layers",
    ),
}
