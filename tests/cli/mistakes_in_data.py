"""Mistakes in what data a command names, and where; see tests/cli/mistakes.py for the form."""

IN_DATA = {
    # The home of nobody.
    "workdir of nobody": (
        "train AE --workdir=~nobody_is_called_so/run",
        "--workdir=~nobody_is_called_so/run: | no user of this machine",
    ),
    "evaluate the run of nobody": (
        "evaluate --workdir=~nobody_is_called_so/run",
        "--workdir=~nobody_is_called_so/run: | no user of this machine",
    ),
    "cache of nobody": (
        "train AE NEW --config.data.cache_dir=~nobody_is_called_so --config.data.name=images:good",
        "--config.data.cache_dir=~nobody_is_called_so: | no user of this machine",
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
    "white of pictures that are no files": (
        "train AE NEW --config.data.max_value=255",
        "config.data.max_value=255.0 | is for pictures of files, not digits",
    ),
    "empty folder": (
        "train AE NEW --config.data.name=images:empty",
        "config.data.name='images:empty' | holds no pictures",
    ),
    "broken image": (
        "train AE NEW --config.data.name=images:broken",
        "config.data.name='images:broken' | 3.png (cannot identify image file) | on_bad=skip",
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
}
