"""What the files and folders of a run are called."""

CONFIG = "config.json"
SWEEP = "sweep.json"  # the groups and members of a sweep, in the folder around them
POPULATION = "population.json"  # seeds and hyper-parameters, where a config does not tell them
START = "start"  # the folder that keeps the config of the run that this one started from
PRETRAINED = "pretrained"  # that folder in older runs
TEACHER = "teacher/teacher.json"  # which checkpoint of which checksum teaches this run
TEACHER_LOGITS = "teacher/logits.npz"  # what it says of the training split, where that is kept
AUGMENT = "augment/augment.json"  # which checkpoint of which checksum wrote variants of sentences
AUGMENT_VARIANTS = "augment/variants.npz"  # these, of the training split
TEACHER_TARGETS = "teacher/targets.npz"  # what it writes for the sources of that, likewise
KEPT = (TEACHER_LOGITS, TEACHER_TARGETS, AUGMENT_VARIANTS)  # with which a run needs neither
CHECKPOINTS = "checkpoints"
