"""What the files and folders of a run are called."""

CONFIG = "config.json"
POPULATION = "population.json"  # seeds and hyper-parameters, where a config does not tell them
START = "start"  # the folder that keeps the config of the run that this one started from
PRETRAINED = "pretrained"  # that folder in older runs
CHECKPOINTS = "checkpoints"
