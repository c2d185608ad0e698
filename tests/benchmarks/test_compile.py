"""What is counted in compiled programs, on texts that were written by hand."""

import pytest

from benchmarks.compile import graphs, hlo

PROGRAM = """HloModule jit_chunk

%inner (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p = (s32[], f32[8]) parameter(0)
  %i = s32[] get-tuple-element(%p), index=0
  %x = f32[8]{0} get-tuple-element(%p), index=1
  %next = s32[] add(%i, %i)
  %key = u32[1]{0:T(128)S(6)} xor(%i, %i)
  %y = f32[8]{0} fusion(%x), kind=kLoop, calls=%tanh
  ROOT %out = (s32[], f32[8]{0}) tuple(%next, %y)
}

%short (a: f32[8]) -> f32[8] {
  %a = f32[8]{0} parameter(0)
  ROOT %b = f32[8]{0} fusion(%a), kind=kLoop, calls=%tanh
}

%long (c: f32[8]) -> f32[8] {
  %c = f32[8]{0} parameter(0)
  %d = f32[8]{0} fusion(%c), kind=kLoop, calls=%tanh
  ROOT %e = f32[8]{0} copy(%d)
}

%body (q: (s32[], f32[8])) -> (s32[], f32[8]) {
  %q = (s32[], f32[8]) parameter(0)
  %n = s32[] get-tuple-element(%q), index=0
  %counter = s32[] fusion(%n), kind=kLoop, calls=%count
  %loop = (s32[], f32[8]) while(%q), condition=%less, body=%inner, backend_config={"known_trip_count":{"n":"5"}}
  %v = f32[8]{0} get-tuple-element(%loop), index=1
  %w = f32[8]{0} conditional(%n, %v, %v), branch_computations={%short, %long}
  %sum = (f32[8]{0}, f32[8]{0}) all-reduce-start(%w), to_apply=%add
  %summed = f32[8]{0} all-reduce-done(%sum)
  ROOT %r = (s32[], f32[8]{0}) tuple(%counter, %summed)
}

ENTRY %main (z: (s32[], f32[8])) -> (s32[], f32[8]) {
  %z = (s32[], f32[8]) parameter(0)
  ROOT %steps = (s32[], f32[8]{0}) while(%z), condition=%less, body=%body
}
"""  # noqa: E501
THUNKS = """001: kCopy  [source | sink] kCopy
002: kWhile [prev=001 (1) | sink        ]
condition:
    003: kCustomKernel [source | sink] less
  body:
    000: kCommandBuffer [source | sink]
        004: kCustomKernel [source       | next=005 (1)] tanh
        005: kConditional  [prev=004 (1) | sink        ]
          branch_0:
            006: kCustomKernel [source | sink] tanh
    007: kWhile [prev=005 (1) | sink        ]
      body:
        008: kConditional [source | sink]
"""


def test_kernels_are_counted_as_often_as_they_run_and_branches_apart_from_waits():
    counts, trips = hlo.step(PROGRAM)
    assert trips is None
    # A counter of its own, five rounds of a kernel, the longer branch, a collective.
    assert counts.kernels == 1 + 5 + 2 + 1
    assert (counts.waits, counts.unknown, counts.branches) == (0, 0, 1)
    endless = hlo.step(PROGRAM.replace('{"n":"5"}', "{}"))
    assert (endless.counts.waits, endless.counts.unknown, endless.counts.kernels) == (1, 1, 6)


@pytest.mark.parametrize(
    ("groups", "together"),
    [
        ("{}", 8),
        ("{{0,4},{1,5},{2,6},{3,7}}", 2),
        ("[2,4]<=[8]", 4),
        ("mesh['a'=2,'b'=2,'c'=2], device_ids=([2,4]T(1,0)) {'a','c'}", 4),
    ],
)
def test_bytes_are_sent_within_a_group(groups, together):
    """Of 64 bytes that are summed over N devices each sends 2 (N - 1) / N."""
    given = f"to_apply=%add, replica_groups={groups}"
    counts, _ = hlo.step(PROGRAM.replace("to_apply=%add", given))
    assert hlo.wire_bytes(counts.collectives, 8) == 2 * 64 * (together - 1) / together
    assert hlo.by_operation(counts.collectives) == {"all-reduce": 64}


def test_branches_in_a_graph_are_not_waited_for(tmp_path):
    (tmp_path / "module_1.jit.thunk_sequence_after_thunk_passes.txt").write_text(THUNKS)
    assert graphs.thunks(str(tmp_path)) == THUNKS
    assert graphs.outside(THUNKS, "kConditional") == 1
    assert graphs.outside(THUNKS, "kCustomKernel") == 1
    assert graphs.outside(THUNKS, "kWhile") == 2
