"""Mistakes in workdirs and programs but `train`; see tests/cli/mistakes.py for the form."""

ELSEWHERE = {
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
    "a family's file that nobody needs": (
        "train AE NEW --recipe=own.py",
        "--recipe=own.py | is not needed | config.family=autoencoder",
    ),
    "a family's file that a run has no use for": (
        "sample --workdir=trained --recipe=own.py",
        "--recipe=own.py | is not needed | config.family=autoencoder",
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
        "--metrics=fid,fix | no metric 'fix' | fid,kid,mind,is,prdc",
    ),
    "fewer samples than neighbors": (
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
    "bleu of images": (
        "evaluate --workdir=trained --bleu_tokenize=zh",
        "--bleu_tokenize=zh | translations",
    ),
    "a tokenizer that sacreBLEU has not": (
        "evaluate --workdir=trained --bleu_tokenize=cn",
        "bleu_tokenize=cn | 13a",
    ),
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
    "variants of images": (
        "latent --workdir=trained --variants=2",
        "--variants=2 | is for text | the data are digits",
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
        "config.loss.mask_rate=1.0 | above 0 and below 1",
    ),
    "next sentences of sentences": (
        "train --config=bert NEW --config.loss.next_sentence --config.data.kind=sentence",
        "config.loss.next_sentence=True | data.kind=text",
    ),
    "encoder of nothing": (
        "train --config=text_classifier NEW --config.start.workdir=none",
        "config.start.workdir=none | no such folder",
    ),
    "encoder without a checkpoint": (
        "train --config=text_classifier NEW --config.start.workdir=begun",
        "config.start.workdir=begun | no complete checkpoint",
    ),
    "encoder of images": (
        "train --config=text_classifier NEW --config.start.workdir=trained",
        "config.start.workdir='trained' | autoencoder | reads no texts",
    ),
    "encoder of another width": (
        "train --config=text_classifier NEW --config.start.workdir=reader "
        "--config.model.bert.width=64",
        "config.model.bert.width=64 | is 16 in the run | leave it out",
    ),
    "encoder that is no bag": (
        "train --config=text_classifier NEW --config.start.workdir=reader "
        "--config.model.network=bag",
        "config.model.network='bag' | is 'bert' in the run",
    ),
    "encoder without its tokenizer": (
        "train --config=text_classifier NEW --config.start.workdir=no_tokenizer "
        "--config.data.name=tsv:labeled.tsv",
        "config.start.workdir=no_tokenizer: | no complete checkpoint",
    ),
    "texts longer than their encoder reads": (
        "train --config=text_classifier NEW --config.start.workdir=reader "
        "--config.data.name=tsv:labeled.tsv",
        "config.data.length=64 | below model.bert.max_length=14",
    ),
    "learning away from the encoder": (
        "train --config=text_classifier NEW --config.optimizer.encoder_lr_scale=-1 "
        "--config.data.name=tsv:labeled.tsv",
        "config.optimizer.encoder_lr_scale=-1.0 | at least 0",
    ),
    "a rate within an encoder that stays": (
        "train --config=text_classifier NEW --config.optimizer.encoder_lr_scale=0 "
        "--config.data.name=tsv:labeled.tsv --config.optimizer.groups=\"('enc*=0.5',)\"",
        "config.optimizer.groups='enc*=0.5' | must not move encoder/ | encoder_lr_scale=0",
    ),
    "an encoder that stays and is to move": (
        "train --config=text_classifier NEW --config.optimizer.encoder_lr_scale=0 "
        "--config.data.name=tsv:labeled.tsv --config.optimizer.unfreeze=\"('encoder=9',)\"",
        "config.optimizer.unfreeze='encoder=9' | must not move encoder/ | encoder_lr_scale=0",
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
        "config.data.tokenizer='hugging_face' | genjax from-hugging-face | char, word",
    ),
    "norms without their epsilon": (
        "train LM NEW --config.model.norm_epsilon=0",
        "config.model.norm_epsilon=0.0 | above 0",
    ),
    "field under the name of an older version": (
        "train LM NEW --config.loss.chunk=3",
        "config.loss.chunk=3 | is called loss.logits_chunk today",
    ),
    "text of tokens without probability": (
        "train LM NEW '--config.model.banned_tokens=(3,)'",
        "config.model.banned_tokens=(3,) | must be of (0, 1, 2, 4)",
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
    "evaluated member of a single run": (
        "evaluate --workdir=trained --member=1",
        "--member=1 | below the number of members, 1",
    ),
    "sweep of the seed": ("sweep AE NEW --grid=seed=1,2", "--grid=seed=1,2 | --seeds"),
    "sweep that is no population": (
        "sweep AE NEW --config.executor=pmap",
        "config.executor='pmap' | must be vmap",
    ),
    "sweep into a run": ("sweep TINY --workdir=trained --config.steps=2", "=trained | single run"),
    "run into a sweep": (
        "train TINY --workdir=swept --config.steps=2",
        "--workdir=swept | holds a sweep | choose another folder",
    ),
    "no seeds": ("sweep AE NEW --seeds=0", "--seeds=0 | positive integer"),
}
