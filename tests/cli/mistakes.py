"""What users get wrong, and what they must be told."""

# Name: the command line (AE, GAN, LM: --config of that recipe; TINY: a small AE; NEW: --workdir of
# no folder yet; other paths are in the folder that `world` of test_errors.py fills), and the parts
# that the one line of answer must hold: the field, its value, what is allowed.
MISTAKES = {
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
    "not finite": (
        "train AE NEW --config.optimizer.learning_rate=nan",
        "config.optimizer.learning_rate=nan | must be finite",
    ),
    "negative learning rate": (
        "train AE NEW --config.optimizer.learning_rate=-1",
        "config.optimizer.learning_rate=-1.0 | at least 0",
    ),
    "batch of none": ("train AE NEW --config.batch_size=0", "config.batch_size=0 | at least 1"),
    "two durations": ("train AE NEW --config.steps=5", "steps=5 | epochs=100.0 | exactly one"),
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
    "batch spread in a penalised critic": (
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
    "parts of a batch that is normalised": (
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
        "train --config=stacked_autoencoder NEW --config.data.num_labelled=10",
        "config.data.num_labelled=10 | loss.finetune=labels | must be 0",
    ),
    "more labels than examples": (
        "train --config=stacked_autoencoder NEW --config.data.num_labelled=5000 "
        "--config.loss.finetune=labels",
        "config.data.num_labelled=5000 | at most | 1618",
    ),
    "classes of points": (
        "train --config=stacked_autoencoder NEW --config.data.name=ring --config.epochs=0 "
        "--config.steps=2 --config.loss.likelihood=mse --config.loss.finetune=labels",
        "config.loss.finetune='labels' | ring has no labels",
    ),
    "unknown solver": (
        "train --config=flow_matching NEW --config.sampler.method=rk4",
        "config.sampler.method='rk4' | euler, heun",
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
    "seeds without a population": (
        "train AE NEW --config.num_seeds=4",
        "config.num_seeds=4 | executor=vmap",
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
        "config.eval_metrics=fid,fix | no metric 'fix' | fid,kid,is,prdc",
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
        "config.eval_metrics=fix | must be of fid,kid,is,prdc",
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
        "config.loss.binarise='dynamic' | loss.likelihood=bernoulli",
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
    # Data.
    "unknown data set": (
        "train AE NEW --config.data.name=mnist",
        "config.data.name='mnist' | digits, ring, grid, stacked_digits, tfds:NAME",
    ),
    "text for a family of images": (
        "train AE NEW --config.data.name=python_docs",
        "config.data.name='python_docs' | is text | does not learn from text",
    ),
    "images for a language model": (
        "train LM NEW --config.data.name=digits",
        "config.data.name='digits' | must be running text",
    ),
    "pairs for a language model": (
        "train LM NEW --config.data.name=reverse --config.epochs=0 --config.steps=2",
        "config.data.name='reverse' | must be running text",
    ),
    "missing text": (
        "train LM NEW --config.data.name=text:none.txt",
        "config.data.name='text:none.txt' | none.txt: no such file",
    ),
    "missing text of the test split": (
        "train LM NEW --config.data.name=text:good.txt --config.data.test=none.txt",
        "config.data.test='none.txt' | none.txt: no such file",
    ),
    "folder for a text": (
        "train LM NEW --config.data.name=text:empty",
        "config.data.name='text:empty' | is a folder | must be a file",
    ),
    "empty text": (
        "train LM NEW --config.data.name=text:nothing.txt",
        "nothing.txt: is empty | must hold text",
    ),
    "text of another encoding": (
        "train LM NEW --config.data.name=text:latin1.txt",
        "latin1.txt: line 2: is not UTF-8 | byte 0xe4 at column 4",
    ),
    "text shorter than a window": (
        "train LM NEW --config.data.name=text:good.txt --config.data.length=500",
        "config.data.length=500 | below the number of tokens of the training split, ",
    ),
    "unknown tokenizer": (
        "train LM NEW --config.data.tokenizer=wordpiece",
        "config.data.tokenizer='wordpiece' | char, word, bpe, unigram",
    ),
    "fewer tokens than bytes": (
        "train LM NEW --config.data.tokenizer=bpe --config.data.vocab_size=100",
        "config.data.vocab_size=100 | at least 261",
    ),
    "unknown kind of examples": (
        "train LM NEW --config.data.kind=paragraph",
        "config.data.kind='paragraph' | text, sentence",
    ),
    "pairs of files of two lengths": (
        "train LM NEW --config.data.name=pairs:good.txt,three.txt",
        "three.txt: ends after line 3 | good.txt has 40 lines",
    ),
    "half a pair": (
        "train LM NEW --config.data.name=pairs:good.txt",
        "config.data.name='pairs:good.txt' | must be pairs:SRC,TGT",
    ),
    "sentences without labels": (
        "train LM NEW --config.data.name=tsv:good.txt",
        "good.txt: line 1: must be sentence<TAB>label",
    ),
    "words without tags": (
        "train LM NEW --config.data.name=conll:bad.conll --config.data.tokenizer=word",
        "bad.conll: line 2: must have 2 columns",
    ),
    "tagged characters": (
        "train LM NEW --config.data.name=conll:bad.conll",
        "config.data.tokenizer='char' | must be word",
    ),
    "missing folder of data sets": (
        "train AE NEW --config.data.name=tfds:mnist --config.data.dir=none",
        "config.data.dir='none' | no such folder",
    ),
    "unknown TFDS data set": (
        "train AE NEW --config.data.name=tfds:no_such_set --config.data.dir=empty",
        "config.data.name='tfds:no_such_set' | not known to TFDS",
    ),
    "missing folder of images": (
        "train AE NEW --config.data.name=images:none",
        "config.data.name='images:none' | no such folder",
    ),
    "empty folder": (
        "train AE NEW --config.data.name=images:empty",
        "config.data.name='images:empty' | holds no pictures",
    ),
    "broken image": (
        "train AE NEW --config.data.name=images:broken",
        "broken/3.png | not a readable picture",
    ),
    "images of two sizes": (
        "train AE NEW --config.data.name=images:mixed",
        "mixed/ | (8, 8, 1) | config.data.image_size",
    ),
    "batch larger than the data": (
        "train AE NEW --config.batch_size=5000",
        "config.batch_size=5000 | at most | digits",
    ),
    "population with streamed data": (
        "train AE NEW --config.data.name=images:good --config.batch_size=2 "
        "--config.data.device_limit_mb=0 --config.executor=vmap",
        "config.executor='vmap' | data.device_limit_mb",
    ),
    # The workdir.
    "workdir of another config": (
        "train TINY --workdir=trained --config.steps=4 --config.seed=1",
        "--workdir=trained | config.seed is 0 there, 1 here",
    ),
    "workdir is a file": ("train AE --workdir=file.txt", "file.txt | is a file | must be a folder"),
    "workdir below a file": ("train AE --workdir=file.txt/run", "file.txt | is a file"),
    # The other programs.
    "evaluate nothing": ("evaluate NEW", "--workdir=new | no such folder"),
    "evaluate an empty folder": ("evaluate --workdir=empty", "--workdir=empty | config.json"),
    "evaluate a run without checkpoint": (
        "evaluate --workdir=begun",
        "--workdir=begun | no complete checkpoint",
    ),
    "evaluate a step that is not there": (
        "evaluate --workdir=trained --step=3",
        "checkpoints/3 | complete are: [4]",
    ),
    "evaluate another config": (
        "evaluate --workdir=trained --config.seed=3",
        "--config.seed=3 | config.json",
    ),
    "evaluate a step that is no number": (
        "evaluate --workdir=trained --step=newest",
        "--step=newest | the step of a checkpoint, or best",
    ),
    "evaluate the best of a run that keeps none": (
        "evaluate --workdir=trained --step=best",
        "--workdir=trained | no best checkpoint | config.best_metric",
    ),
    "unknown metric": (
        "evaluate --workdir=trained --metrics=fid,fix",
        "--metrics=fid,fix | no metric 'fix' | fid,kid,is,prdc",
    ),
    "fewer samples than neighbours": (
        "evaluate --workdir=trained --metrics=prdc --num_samples=5",
        "--num_samples=5 | prdc needs at least 6",
    ),
    "unknown split": ("evaluate --workdir=trained --split=dev", "--split=dev | train|test"),
    "InceptionV3 without weights": (
        "evaluate --workdir=trained --metrics=fid --extractor=inception",
        "--extractor=inception | needs --weights",
    ),
    "weights that are not there": (
        "evaluate --workdir=trained --metrics=fid --weights=none.pth",
        "--weights=none.pth | no such file | .safetensors",
    ),
    "weights for the own classifier": (
        "evaluate --workdir=trained --metrics=fid --extractor=own --weights=file.txt",
        "--weights=file.txt | --extractor=own",
    ),
    "weights without metrics": (
        "evaluate --workdir=trained --weights=file.txt",
        "--weights=file.txt | needs --metrics",
    ),
    "beam search of images": ("evaluate --workdir=trained --beam=4", "--beam=4 | translations"),
    "sample nothing": ("sample NEW", "--workdir=new | no such folder"),
    "sample to another format": (
        "sample --workdir=trained --out=x.jpg",
        "--out=x.jpg | .png, .npy, .npz",
    ),
    "sample to a folder": (
        "sample --workdir=trained --out=folder.png",
        "--out=folder.png | is a folder",
    ),
    "sample below a file": (
        "sample --workdir=trained --out=file.txt/x.png",
        "--out=file.txt/x.png | must be a folder",
    ),
    "no samples": ("sample --workdir=trained --n=0", "--n=0 | positive integer"),
    "member of a single run": (
        "sample --workdir=trained --member=1",
        "--member=1 | below the number of members, 1",
    ),
    "text of a model of images": (
        "sample --workdir=trained --prompt=Once",
        "--prompt=Once | for models that write texts | autoencoder on digits",
    ),
    "samples of images as text": (
        "sample --workdir=trained --out=x.txt",
        "--out=x.txt | .png, .npy, .npz",
    ),
    "texts as an array": ("sample --workdir=writer --out=x.npy", "--out=x.npy | .txt"),
    "attention of a model that has none": (
        "sample --workdir=writer --out=x.png",
        "--out=x.png | recurrent_lm has no attention | .txt",
    ),
    "negative top_k": ("sample --workdir=writer --top_k=-1", "--top_k=-1 | non-negative"),
    "share above 1": ("sample --workdir=writer --top_p=1.5", "--top_p=1.5 | [0, 1]"),
    "beam that draws": (
        "sample --workdir=writer --beam=4 --temperature=0.7",
        "--temperature=0.7 | is for draws; beam search makes none",
    ),
    "more texts than the beam holds": (
        "sample --workdir=writer --beam=2 --n=3",
        "--n=3 | at most --beam=2",
    ),
    "length penalty without a beam": (
        "sample --workdir=writer --length_penalty=1",
        "--length_penalty=1.0 | needs --beam",
    ),
    "two sources of prompts": (
        "sample --workdir=writer --prompt=a --prompts=file.txt",
        "--prompts=file.txt | beside --prompt",
    ),
    "prompts that are not there": (
        "sample --workdir=writer --prompts=none.txt",
        "--prompts=none.txt | cannot be read | No such file",
    ),
    "no prompts": ("sample --workdir=writer --prompts=blank.txt", "--prompts=blank.txt | is empty"),
    "latent space of nothing": ("latent NEW", "--workdir=new | no such folder"),
    "latent space to a file": (
        "latent --workdir=trained --out=file.txt",
        "--out=file.txt | must be a folder",
    ),
    "unknown attribute": (
        "latent --workdir=trained --attributes=Smiling",
        "--attributes=Smiling | no such attribute | class 0, class 1",
    ),
    "sentences that are not there": (
        "latent --workdir=trained --sentences=none.txt",
        "none.txt | cannot be read",
    ),
    "sentences of images": (
        "latent --workdir=trained --sentences=file.txt",
        "--sentences=file.txt | the data are digits",
    ),
    "annealing that takes no time": (
        "train --config=text_vae NEW --config.loss.kl_annealing_steps=0",
        "config.loss.kl_annealing_steps=0 | at least 1",
    ),
    "free bits of an autoencoder without a prior": (
        "train --config=text_autoencoder NEW --config.loss.free_bits=1",
        "config.loss.free_bits=1.0 | needs loss.variational",
    ),
    "all tokens hidden": (
        "train --config=bert NEW --config.loss.mask_rate=1",
        "config.loss.mask_rate=1.0 | between 0 and 1",
    ),
    "next sentences of sentences": (
        "train --config=bert NEW --config.loss.next_sentence --config.data.kind=sentence",
        "config.loss.next_sentence=True | data.kind=text",
    ),
    "encoder of nothing": (
        "train --config=text_classifier NEW --config.pretrained.workdir=none",
        "config.pretrained.workdir=none | no such folder",
    ),
    "encoder without a checkpoint": (
        "train --config=text_classifier NEW --config.pretrained.workdir=begun",
        "config.pretrained.workdir=begun | no complete checkpoint",
    ),
    "encoder of images": (
        "train --config=text_classifier NEW --config.pretrained.workdir=trained",
        "config.pretrained.workdir='trained' | autoencoder | must be one of the family bert",
    ),
    "encoder of another width": (
        "train --config=text_classifier NEW --config.pretrained.workdir=reader "
        "--config.model.bert.width=64",
        "config.model.bert.width=64 | is 16 in the run | leave it out",
    ),
    "encoder that is no bag": (
        "train --config=text_classifier NEW --config.pretrained.workdir=reader "
        "--config.model.network=bag",
        "config.model.network='bag' | is 'bert' in the run",
    ),
    "encoder without its tokenizer": (
        "train --config=text_classifier NEW --config.pretrained.workdir=no_tokenizer "
        "--config.data.name=tsv:labelled.tsv",
        "no_tokenizer/tokenizer/vocabulary.json | no such file",
    ),
    "texts longer than their encoder reads": (
        "train --config=text_classifier NEW --config.pretrained.workdir=reader "
        "--config.data.name=tsv:labelled.tsv",
        "config.data.length=64 | below model.bert.max_length=14",
    ),
    "learning away from the encoder": (
        "train --config=text_classifier NEW --config.optimizer.encoder_factor=-1 "
        "--config.data.name=tsv:labelled.tsv",
        "config.optimizer.encoder_factor=-1.0 | at least 0",
    ),
    "words that are characters": (
        "train --config=elmo NEW --config.data.tokenizer=char",
        "config.data.tokenizer='char' | must be word",
    ),
    "filters that are not one a width": (
        "train --config=elmo NEW '--config.model.char_filters=(32,)'",
        "config.model.char_filters=(32,) | model.char_widths",
    ),
    "n-grams of nothing": ("ngrams NEW", "--workdir=new | no such folder"),
    "n-grams of images": ("ngrams --workdir=trained", "--workdir=trained | no running text"),
    "tokens of weights that are not there": (
        "train LM NEW --config.data.tokenizer=hugging_face",
        "config.data.tokenizer='hugging_face' | experiments.from_hugging_face | char, word",
    ),
    "norms without their epsilon": (
        "train LM NEW --config.model.norm_epsilon=0",
        "config.model.norm_epsilon=0.0 | above 0",
    ),
    "text of tokens without probability": (
        "train LM NEW '--config.model.unpredicted=(3,)'",
        "config.model.unpredicted=(3,) | must be of (0, 1, 2, 4)",
    ),
    "Hugging Face folder of nothing": (
        "to_hugging_face NEW --out=x",
        "--workdir=new | no such folder",
    ),
    "Hugging Face folder nowhere": ("to_hugging_face --workdir=trained", "--out: missing"),
    "Hugging Face folder of images": (
        "to_hugging_face --workdir=trained --out=x",
        "config.family='autoencoder' | gpt, bert",
    ),
    "Hugging Face folder of a recurrent network": (
        "to_hugging_face --workdir=writer --out=x",
        "config.family='recurrent_lm' | gpt, bert",
    ),
    "run of no Hugging Face folder": ("from_hugging_face NEW", "--folder: missing"),
    "run of a folder that is not there": (
        "from_hugging_face NEW --folder=none",
        "none: no such folder | config.json, model.safetensors",
    ),
    "run of a folder without a config": (
        "from_hugging_face NEW --folder=empty",
        "empty/config.json: cannot be read | No such file",
    ),
    "run of another architecture": (
        "from_hugging_face NEW --folder=trained",
        "trained/config.json | model_type=None | gpt2, bert",
    ),
    "sweep of an unknown field": (
        "sweep AE NEW --grid=optimizer.learning_rat=1,2",
        "--grid=optimizer.learning_rat=1,2 | did you mean optimizer.learning_rate?",
    ),
    "sweep of a wrong type": (
        "sweep AE NEW --grid=model.latent_dim=2,big",
        "config.model.latent_dim='big' | whole number",
    ),
    "sweep out of range": (
        "sweep AE NEW --grid=optimizer.b1=0.5,1",
        "config.optimizer.b1=1.0 | below 1",
    ),
    "sweep of no values": (
        "sweep AE NEW --grid=optimizer.b1=0.5,",
        "--grid=optimizer.b1=0.5, | a,b,c",
    ),
    "sweep of a value twice": (
        "sweep AE NEW --grid=optimizer.b1=0.5,.5",
        "--grid=optimizer.b1=0.5,.5 | twice",
    ),
    "sweep of a field twice": (
        "sweep AE NEW --grid=optimizer.b1=0.5 --grid=optimizer.b1=0.6",
        "--grid=optimizer.b1 | given once",
    ),
    "sweep of the seed": ("sweep AE NEW --grid=seed=1,2", "--grid=seed=1,2 | --seeds"),
    "sweep that is no population": (
        "sweep AE NEW --config.executor=pmap",
        "config.executor='pmap' | must be vmap",
    ),
    "sweep into a run": (
        "sweep TINY --workdir=trained --config.steps=2",
        "--workdir=trained | single run",
    ),
    "no seeds": ("sweep AE NEW --seeds=0", "--seeds=0 | positive integer"),
}
