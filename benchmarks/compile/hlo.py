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
_GROUPS = re.compile(
    r"replica_groups=(?:\{\{([\d,]+)|\[\d+,(\d+)\]|mesh\[([^]]*)\][^{]*\{([^}]*)\})"
)
# They move no data and start nothing.
_FREE = {
    "parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "opt-barrier",
    "partition-id", "replica-id", "add-dependency", "domain", "copy-done", "async-done",
    "async-update",
}  # fmt: skip
_COLLECTIVES = ("all-gather", "all-reduce", "reduce-scatter", "collective-permute", "all-to-all")
_BY_ITSELF = ("fusion", "custom-call", "copy", "dot", "convolution", "reduce", "sort")
_SLICES = ("dynamic-slice", "slice", "gather")
_CALLS = ("call", "async-start")


class Instruction(NamedTuple):
    """One line: its name, the operation, and all that is written right of the equals sign."""

    name: str
    operation: str
    text: str


class Counts(NamedTuple):
    """What one round of a computation starts, the loops within it as often as they run.

    Attributes:
      kernels: operations that a device starts, the collectives among them.
      waits: times that the host must read the condition of a loop of unknown length before it can
        go on (once a round, which is counted as one).
      collectives: bytes of the results, by operation and by the number of devices that take part
        in one; 0: all.
      bytes: read and written by the kernels, of arrays they take a part of that part alone.
      unknown: loops within of unknown length.
      branches: times that one of several branches is taken, of which the longest is counted. A
        GPU's host waits for the choice unless they are in a graph (`benchmarks.compile.graphs`).
    """

    kernels: float
    waits: float
    collectives: Counter[tuple[str, int]]
    bytes: float
    unknown: int
    branches: float = 0

    def __add__(self, other: "Counts") -> "Counts":  # type: ignore[override]
        return Counts(
            self.kernels + other.kernels,
            self.waits + other.waits,
            self.collectives + other.collectives,
            self.bytes + other.bytes,
            self.unknown + other.unknown,
            self.branches + other.branches,
        )

    def repeated(self, times: int) -> "Counts":
        """Returns the counts of `times` rounds."""
        bytes_of = Counter({k: v * times for k, v in self.collectives.items()})
        kernels, waits, moved = (times * n for n in (self.kernels, self.waits, self.bytes))
        return Counts(kernels, waits, bytes_of, moved, self.unknown, times * self.branches)


def _nothing() -> Counts:
    return Counts(0, 0, Counter(), 0, 0)


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


def wire_bytes(collectives: Counter[tuple[str, int]], devices: int) -> float:
    """Counts the bytes that a device sends, by the ring algorithms.

    Gathering results of n bytes over N devices sends n (N - 1) / N of them, scattering the same of
    what is reduced, which is N times the result, reducing to all twice that.

    Args:
      collectives: of `Counts`.
      devices: number of all.
    """
    total = 0.0
    for (kind, group), n in collectives.items():
        number = group or devices
        share = (number - 1) / number
        total += n * {"all-reduce": 2 * share, "reduce-scatter": number * share}.get(kind, share)
    return total


def by_operation(collectives: Counter[tuple[str, int]]) -> dict[str, int]:
    """Sums the bytes of the results of each operation."""
    total: Counter[str] = Counter()
    for (kind, _), n in collectives.items():
        total[kind] += n
    return dict(total)


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
            kind = operation.group(1) if operation else "?"
            current.append(Instruction(m.group(1), kind, m.group(2)))
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
        total += _of_instruction(computations, name, instruction)
    return total


def _of_instruction(
    computations: dict[str, list[Instruction]], name: str, one: Instruction
) -> Counts:
    kind = one.operation.removesuffix("-start")
    if one.operation in _FREE or one.operation.endswith("-done"):
        return _nothing()
    if one.operation == "while":
        body = _of_computation(computations, _called(one, "body"))
        trips = _trips(one)
        if trips is None:
            return body + Counts(1, 1, Counter(), 0, 1)  # the condition is a kernel, and is read
        return body.repeated(trips)
    if one.operation == "conditional":
        branches = [_of_computation(computations, branch) for branch in _branches(one)]
        most = max(branches, key=lambda b: b.kernels, default=_nothing())
        return most + Counts(0, 0, Counter(), 0, 0, branches=1)
    if one.operation in _CALLS:
        return _of_computation(computations, _called(one, "to_apply|calls"))
    if kind in _COLLECTIVES:
        return Counts(1, 0, Counter({(kind, _group(one)): _result_bytes(one)}), 0, 0)
    if one.operation in _BY_ITSELF or not _is_scalar(one):
        return Counts(1, 0, Counter(), _moved(computations, name, one), 0)
    return _nothing()  # a TPU's scalar core does it, a GPU has it in a fusion


def _moved(computations: dict[str, list[Instruction]], name: str, one: Instruction) -> float:
    """Counts the bytes that a kernel of the computation `name` reads and writes."""
    known = {i.name: i for i in computations[name]}
    inside = computations.get(_called(one, "calls"), []) if one.operation == "fusion" else []
    parameters = [i for i in inside if i.operation == "parameter"]
    parameters.sort(key=lambda i: int(_operands(i)[0]))
    total: float = _written(inside) if inside else _result_bytes(one)
    for index, operand in enumerate(_operands(one)):
        whole = _result_bytes(known[operand]) if operand in known else 0
        used = parameters[index] if index < len(parameters) else None
        total += whole if used is None else min(whole, _read(inside, used))
    return total


def _read(inside: list[Instruction], parameter: Instruction) -> float:
    """Counts the bytes of a fusion's parameter that are read: of slices what they take."""
    total = 0.0
    for user in (i for i in inside if parameter.name in _operands(i)):
        if user.operation in _SLICES:
            total += _result_bytes(user)
        elif user.operation == "dynamic-update-slice" and _operands(user)[0] == parameter.name:
            continue  # written in place
        else:
            return math.inf
    return total


def _written(inside: list[Instruction]) -> float:
    """Counts the bytes that a fusion writes: where it updates an array, the part that is new."""
    known = {i.name: i for i in inside}
    roots = [inside[-1]]
    if roots[0].operation == "tuple":
        roots = [known[name] for name in _operands(roots[0]) if name in known]
    total = 0.0
    for root in roots:
        while root.operation in ("bitcast", "copy") and _operands(root)[0] in known:
            root = known[_operands(root)[0]]
        if root.operation == "dynamic-update-slice":
            root = known.get(_operands(root)[1], root)
        total += _result_bytes(root)
    return total


def _operands(one: Instruction) -> list[str]:
    """Returns the names of an instruction's operands; of a parameter its number."""
    text = _without_type(one.text)
    start = text.index("(")
    depth, end = 0, start
    for end in range(start, len(text)):
        depth += (text[end] == "(") - (text[end] == ")")
        if depth == 0:
            break
    inside = text[start + 1 : end]
    return re.findall(r"%([\w.\-]+)", inside) or [inside.strip()]


def _is_scalar(one: Instruction) -> bool:
    # A TPU has keys of random numbers as arrays of one element.
    return re.match(r"\w+\[(1(,1)*)?\]", one.text) is not None


def _trips(loop: Instruction) -> int | None:
    m = _TRIPS.search(loop.text)
    return int(m.group(1)) if m else None


def _called(one: Instruction, attribute: str) -> str:
    m = re.search(rf"(?:{attribute})=%?([\w.\-]+)", one.text)
    return m.group(1) if m else ""


def _group(one: Instruction) -> int:
    """Returns how many devices take part in a collective together, 0 where all do.

    Groups are listed, `{{0,4},{1,5}}`, or their number and size are, `[2,4]<=[8]`, or the axes of a
    mesh of devices along which they lie, `mesh['a'=2,'b'=4] {'b'}`.
    """
    m = _GROUPS.search(one.text)
    if m is None:
        return 0
    listed, size, sizes, axes = m.groups()
    if size:
        return int(size)
    if listed:
        return listed.count(",") + 1
    size_of = dict(re.findall(r"'(\w+)'=(\d+)", sizes))
    return math.prod(int(size_of[axis]) for axis in re.findall(r"'(\w+)'", axes))


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
