"""The fields of the family `continual`, and which of them go together."""

from dataclasses import dataclass

from ml_collections import ConfigDict

from genjax.core.config import Base, Data, fail
from genjax.core.family import DataSpec
from genjax.core.fields import field, subsection
from genjax.data.tasks import PROTOCOLS
from genjax.models.dense import ACTIVATIONS

SCENARIOS = ("task", "domain", "class")
METHODS = (
    "none", "joint", "ewc", "online_ewc", "si", "lwf", "er", "er_distilled", "a_gem", "der",
    "der_plus", "dgr_vae", "dgr_vae_distilled", "dgr_gan", "dgr_gan_distilled",
)  # fmt: skip
# By scenario, what van de Ven et al. 2022 chose on split MNIST: the order of magnitude matters.
WEIGHTS = {
    "ewc": {"task": 1e5, "domain": 1e10, "class": 1e9},
    "online_ewc": {"task": 1e5, "domain": 1e10, "class": 1e9},
    "si": {"task": 10.0, "domain": 5e4, "class": 5e3},
}


@dataclass(frozen=True)
class TaskData(Data):
    """The section `data`: a labeled data set as a sequence of tasks, see `genjax.data.tasks`."""

    protocol: str = field(
        "split", "what a task has: some classes, or an order of all pixels", choices=PROTOCOLS
    )
    num_tasks: int = field(5, "of the sequence; split: a divisor of the classes", ge=1)
    steps_per_task: int = field(400, "updates; times num_tasks the length of the run", ge=1)
    joint: bool = field(False, "all tasks from the first step on; with loss.method=joint")


@dataclass(frozen=True)
class Model:
    """The section `model`, of the classifier."""

    hidden: tuple[int, ...] = field((400, 400), "widths of hidden layers", ge=1)
    activation: str = field("relu", "of hidden layers", choices=ACTIVATIONS)


@dataclass(frozen=True)
class Loss:
    """The section `loss`."""

    scenario: str = field(
        "class",
        "asked at test time: the class within a task that is known, the same without knowing the "
        "task, or both task and class",
        choices=SCENARIOS,
    )
    method: str = field("er", "against forgetting", choices=METHODS)
    weight: float = field(
        0.0, "lambda of ewc, c of si; 0: that of the literature for the scenario", ge=0
    )
    ewc_decay: float = field(1.0, "gamma of online_ewc: what is kept of earlier tasks", ge=0, le=1)
    fisher_steps: int = field(
        8, "last steps of a task, in which ewc moves nothing and estimates the Fisher", ge=1
    )
    si_damping: float = field(0.1, "xi of si", gt=0)
    budget: int = field(100, "examples that are kept, of each class of a task", ge=1)
    temperature: float = field(2.0, "of distilled targets", gt=0)
    der_alpha: float = field(0.5, "weight of der's logits", ge=0)
    der_beta: float = field(0.5, "weight of der_plus's labels", ge=0)

    @property
    def strength(self) -> float:
        """Returns lambda or c."""
        return self.weight or WEIGHTS[self.method][self.scenario]

    @property
    def regularizes(self) -> bool:
        """Says whether a quadratic penalty holds the parameters."""
        return self.method in WEIGHTS

    @property
    def estimates(self) -> bool:
        """Says whether it is the Fisher information that weighs the parameters."""
        return self.method in ("ewc", "online_ewc")

    @property
    def remembers(self) -> bool:
        """Says whether examples are kept."""
        return self.method in ("er", "er_distilled", "a_gem", "der", "der_plus")

    @property
    def keeps_logits(self) -> bool:
        """Says whether the logits of kept examples are kept as well."""
        return self.method in ("der", "der_plus")

    @property
    def generates(self) -> str:
        """Names the kind of generator; empty: none."""
        return self.method.split("_")[1] if self.method.startswith("dgr") else ""

    @property
    def distills(self) -> bool:
        """Says whether the targets of what is replayed are soft ones."""
        return self.method == "lwf" or self.method.endswith("_distilled")

    @property
    def looks_back(self) -> bool:
        """Says whether the network behind the task before gives targets."""
        return self.distills or bool(self.generates)


@dataclass(frozen=True)
class Generator:
    """The section `generator`, of the methods dgr_…"""

    latent_dim: int = field(100, "numbers of a latent", ge=1)
    hidden: tuple[int, ...] = field(
        (400, 400), "widths of encoder or critic, and mirrored of decoder or generator", ge=1
    )
    learning_rate: float = field(1e-3, "of Adam; of a critic twice that", gt=0)


@dataclass(frozen=True)
class Config(Base):
    """Every field of the family."""

    family: str = "continual"
    steps: int = 2000
    batch_size: int = 128
    data: TaskData = subsection(TaskData)
    model: Model = subsection(Model)
    loss: Loss = subsection(Loss)
    generator: Generator = subsection(Generator)


def check(data: TaskData, loss: Loss, config: ConfigDict, spec: DataSpec, total_steps: int) -> None:
    """Raises `ConfigError` for a field that another one, or the data, excludes."""
    if spec.kind not in ("image", "point"):
        raise fail("data.name", data.name, "must be images or points")
    if not spec.num_classes:
        raise fail("data.name", data.name, "must have labels")
    if data.num_tasks * data.steps_per_task != total_steps:
        message = f"times data.num_tasks={data.num_tasks} must be steps={total_steps}"
        raise fail("data.steps_per_task", data.steps_per_task, message)
    if data.joint != (loss.method == "joint"):
        message = f"must be {str(not data.joint).lower()} with loss.method={loss.method}"
        raise fail("data.joint", data.joint, message)
    if loss.weight and not loss.regularizes:
        raise fail("loss.weight", loss.weight, f"is of {', '.join(WEIGHTS)}; must be 0")
    if loss.estimates and loss.fisher_steps >= data.steps_per_task:
        message = f"must be below data.steps_per_task={data.steps_per_task}"
        raise fail("loss.fisher_steps", loss.fisher_steps, message)
    if loss.generates == "vae" and spec.kind != "image":
        raise fail("loss.method", loss.method, "needs data in [0, 1] (images)")
