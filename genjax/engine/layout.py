"""What the files and folders of a run are called."""

CONFIG = "config.json"
POPULATION = "population.json"  # seeds and hyper-parameters, where a config does not tell them
PRETRAINED = "pretrained"  # the folder that keeps the config of the run that this one began with
CHECKPOINTS = "checkpoints"
