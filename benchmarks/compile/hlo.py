"""Counts in the text of a compiled program: kernels, loops, waits for the host, collectives."""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_HEAD = re.compile(r"^(?:ENTRY )?%?([\w.\-]+) \(.*\{\s*$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*)$")
_OPERATION = re.compile(r"(?:^|[\s)}\]])([a-z][a-z0-9\-]*)\(")
_SHAPE = re.compile(r"\b([a-z]+[0-9]*(?:e\dm\d\w*)?)\[([\d,]*)\]")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"')
# They move no data and start nothing.
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "opt-barrier",
    "partition-id", "replica-id", "add-dependency", "domain", "copy-done", "async-done",
    "async-update",
}  # fmt: skip
_COLLECTIVES = ("all-gather", "all-reduce", "reduce-scatter", "collective-permute", "all-to-all")
_BY_ITSELF = ("fusion", "custom-call", "copy", "dot", "convolution", "reduce", "sort")
_CALLS = ("call", "async-start")


class Instruction(NamedTuple):
    """One line: the operation, and all that is written right of the equals sign."""

    operation: str
    text: str


class Counts(NamedTuple):
    """What one round of a computation starts, the loops within it as often as they run.

    Attributes:
      kernels: operations that a device starts, the collectives among them.
      waits: times that the host must read a value before it can go on: the condition of a loop of
        unknown length (once a round, which is counted as one), the choice of a branch.
      collectives: bytes of the results, by operation.
      unknown: loops within of unknown length.
    """

    kernels: float
    waits: float
    collectives: Counter[str]
    unknown: int

    def __add__(self, other: "Counts") -> "Counts":  # type: ignore[override]
        return Counts(
            self.kernels + other.kernels,
            self.waits + other.waits,
            self.collectives + other.collectives,
            self.unknown + other.unknown,
        )

    def repeated(self, times: int) -> "Counts":
        """Returns the counts of `times` rounds."""
        bytes_of = Counter({k: v * times for k, v in self.collectives.items()})
        return Counts(self.kernels * times, self.waits * times, bytes_of, self.unknown)


def _nothing() -> Counts:
    return Counts(0, 0, Counter(), 0)


class Step(NamedTuple):
    """The loop over steps: the counts of a round, and its length if the compiler knows it."""

    counts: Counts
    trips: int | None


def step(text: str) -> Step:
    """Finds the loop that starts most, which is that over the steps of a chunk.

    Raises:
      ValueError: there is no loop in the program.
    """
    computations, entry = _parse(text)
    loops = []
    for instruction in _reached(computations, entry):
        if instruction.operation == "while":
            counts = _of_computation(computations, _called(instruction, "body"))
            loops.append(Step(counts, _trips(instruction)))
    if not loops:
        raise ValueError("the program has no loop over steps")
    return max(loops, key=lambda loop: loop.counts.kernels)


def wire_bytes(collectives: Counter[str], devices: int) -> float:
    """Counts the bytes that a device sends, by the ring algorithms.

    Gathering results of n bytes sends n (N - 1) / N of them, scattering the same of what is
    reduced, which is N times the result, reducing to all twice that.
    """
    share = (devices - 1) / devices
    factor = {"all-reduce": 2 * share, "reduce-scatter": devices * share}
    return sum(n * factor.get(kind, share) for kind, n in collectives.items())


def _parse(text: str) -> tuple[dict[str, list[Instruction]], str]:
    found: dict[str, list[Instruction]] = {}
    current: list[Instruction] | None = None
    entry = ""
    for line in text.splitlines():
        if (head := _HEAD.match(line)) and not line.startswith(" "):
            current = found.setdefault(head.group(1), [])
            entry = head.group(1) if line.startswith("ENTRY") else entry
        elif line.startswith("}"):
            current = None
        elif current is not None and (m := _INSTRUCTION.match(line)):
            operation = _OPERATION.search(_without_type(m.group(2)))
            current.append(Instruction(operation.group(1) if operation else "?", m.group(2)))
    return found, entry


def _without_type(text: str) -> str:
    """Drops the type in front, which may be a tuple with parentheses of its own."""
    if not text.startswith("("):
        return " " + text.split(" ", 1)[-1]
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return text[i + 1 :]
    return text


def _reached(computations: dict[str, list[Instruction]], name: str) -> Iterator[Instruction]:
    """Yields what runs outside of loops."""
    for instruction in computations.get(name, []):
        yield instruction
        if instruction.operation in _CALLS:
            yield from _reached(computations, _called(instruction, "to_apply|calls"))


def _of_computation(computations: dict[str, list[Instruction]], name: str) -> Counts:
    total = _nothing()
    for instruction in computations.get(name, []):
        total += _of_instruction(computations, instruction)
    return total


def _of_instruction(computations: dict[str, list[Instruction]], one: Instruction) -> Counts:
    kind = one.operation.removesuffix("-start")
    if one.operation in _FREE or one.operation.endswith("-done"):
        return _nothing()
    if one.operation == "while":
        body = _of_computation(computations, _called(one, "body"))
        trips = _trips(one)
        if trips is None:
            return body + Counts(1, 1, Counter(), 1)  # the condition is a kernel, and is read
        return body.repeated(trips)
    if one.operation == "conditional":
        branches = [_of_computation(computations, name) for name in _branches(one)]
        most = max(branches, key=lambda b: b.kernels, default=_nothing())
        return most + Counts(0, 1, Counter(), 0)
    if one.operation in _CALLS:
        return _of_computation(computations, _called(one, "to_apply|calls"))
    if kind in _COLLECTIVES:
        return Counts(1, 0, Counter({kind: _result_bytes(one)}), 0)
    if one.operation in _BY_ITSELF or not _is_scalar(one):
        return Counts(1, 0, Counter(), 0)
    return _nothing()  # a TPU's scalar core does it, a GPU has it in a fusion


def _is_scalar(one: Instruction) -> bool:
    return re.match(r"\w+\[\]", one.text) is not None


def _trips(loop: Instruction) -> int | None:
    m = _TRIPS.search(loop.text)
    return int(m.group(1)) if m else None


def _called(one: Instruction, attribute: str) -> str:
    m = re.search(rf"(?:{attribute})=%?([\w.\-]+)", one.text)
    return m.group(1) if m else ""


def _branches(one: Instruction) -> list[str]:
    if m := re.search(r"branch_computations=\{([^}]*)\}", one.text):
        return [name.strip().lstrip("%") for name in m.group(1).split(",")]
    return [_called(one, "true_computation"), _called(one, "false_computation")]


def _result_bytes(one: Instruction) -> int:
    """Counts the bytes of the result; what is started has its operands in front of it."""
    text = one.text[: len(one.text) - len(_without_type(one.text))]
    shapes = _SHAPE.findall(text)
    if one.operation.endswith("-start") and one.operation != "all-reduce-start":
        shapes = shapes[len(shapes) // 2 :]
    return sum(_bits(kind) * math.prod(map(int, filter(None, dims.split(",")))) // 8
               for kind, dims in shapes)  # fmt: skip


def _bits(dtype: str) -> int:
    if dtype == "pred":
        return 8
    m = re.search(r"\d+", dtype)
    return int(m.group()) if m else 0
