"""Header blocks, compared with another's encoder and decoder."""

from __future__ import annotations

import contextlib

import hpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apiserver.http2 import hpack as ours
from apiserver.http2 import huffman
from apiserver.http2.hpack import Decoder, HpackError, TooLarge

NAMES = st.sampled_from([b":path", b"accept", b"x-remote-user", b"x-remote-group", b"audit-id"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=300)), max_size=20)


def decoder() -> Decoder:
    return Decoder(most_bytes=1 << 20, most_fields=2000)


@given(blocks=st.lists(st.tuples(FIELDS, st.booleans(), st.integers(0, 4096)), max_size=8))
def test_blocks_are_read_with_all_that_came_before(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool, int]],
) -> None:
    encoder, mine = hpack.Encoder(), decoder()
    for fields, coded, size in blocks:
        encoder.header_table_size = size
        assert mine.decode(encoder.encode(fields, huffman=coded)) == fields
        assert mine.forgets == (not size)


@given(fields=FIELDS)
def test_what_is_written_needs_no_memory(fields: list[tuple[bytes, bytes]]) -> None:
    block = ours.encode(fields)
    for reader in (hpack.Decoder(), hpack.Decoder()):
        assert [(bytes(name), bytes(value)) for name, value in reader.decode(block, raw=True)] == fields
    assert decoder().decode(block) == fields


@given(text=st.binary(max_size=200))
def test_the_static_code_goes_both_ways(text: bytes) -> None:
    assert huffman.decode(huffman.encode(text)) == text


@given(data=st.binary(max_size=100))
def test_garbage_is_an_error_of_its_own(data: bytes) -> None:
    with contextlib.suppress(HpackError, TooLarge):
        decoder().decode(data)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x80", id="field 0"),
        pytest.param(b"\xff\xff\xff\xff\xff\xff\xff\xff", id="a number without end"),
        pytest.param(b"\xbe", id="a field that nobody remembers"),
        pytest.param(b"\x00\x05ab", id="a text that is cut off"),
        pytest.param(b"\x00\x01a\x81\x00", id="padding of zeros"),
        pytest.param(b"\x00\x01a\x82\xff\xff", id="padding of more than seven bits"),
        pytest.param(b"\x00\x01a\x84\xff\xff\xff\xff", id="the end inside of a text"),
        pytest.param(b"\x82\x20", id="the size of the table after a field"),
        pytest.param(b"\x3f\xe2\x1f", id="a table larger than anybody allowed"),
    ],
)
def test_what_cannot_be_read(block: bytes) -> None:
    with pytest.raises(HpackError):
        decoder().decode(block)


def test_a_table_that_is_not_allowed_any_more() -> None:
    mine = decoder()
    mine.decode(b"\x40\x01a\x01b")
    mine.allow(0)
    with pytest.raises(HpackError):
        mine.decode(b"\x82")
    mine = decoder()
    mine.allow(0)
    assert mine.decode(b"\x20\x82") == [(b":method", b"GET")]
    assert mine.forgets


def test_too_many_fields_are_read_and_not_kept() -> None:
    mine = Decoder(most_bytes=200, most_fields=5)
    with pytest.raises(TooLarge):
        mine.decode(ours.encode([(b"a", b"x" * 300)]) + b"\x40\x01b\x01c")
    with pytest.raises(TooLarge):
        mine.decode(ours.encode([(b"a", b"")] * 6))
    assert mine.decode(b"\xbe") == [(b"b", b"c")]


def test_a_secret_is_not_remembered_after_its_request() -> None:
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    ours._decoded.cache_clear()
    fields = [(b"x-remote-user", b"somebody"), (b"authorization", b"Bearer 0123"), (b"cookie", b"a=b")]
    for _ in range(2):
        assert decoder().decode(encoder.encode(fields, huffman=True)) == fields
    names_and_user = 2  # of the secrets neither: their names have numbers
    assert ours._decoded.cache_info().currsize == names_and_user
