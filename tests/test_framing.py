"""Where a body ends, in each framing, whatever the pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pieces import bytewise
from vestri.errors import RequestError
from vestri.http1 import chunk, last_chunk
from vestri.http1.framing import LARGEST_TRAILERS, MOST_EXTENSIONS, ChunkedBody, CloseBody, LengthBody, trailer_lines

WHOLE = b"5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nX-Sum: 1\r\n\r\n"


def read(body, *pieces):
    """What a body makes of all pieces."""
    return b"".join(body.feed(piece) for piece in pieces)


def refusal(*pieces):
    with pytest.raises(RequestError) as refused:
        read(ChunkedBody(), *pieces)
    return refused.value.status


# A length


@pytest.mark.parametrize("pieces", [[b"hello", b" world and more"], [b"hello world and more"], [b"hello world", b""]])
def test_a_length_says_where_the_body_ends(pieces):
    body = LengthBody(11)

    assert read(body, *pieces) == b"hello world"
    assert body.done
    assert body.rest in (b" and more", b"")


def test_a_body_that_wants_bytes_is_not_done():
    body = LengthBody(11)
    body.feed(b"hello")

    assert not body.done
    with pytest.raises(RequestError, match="6 bytes early"):
        body.eof()


def test_a_whole_body_may_be_followed_by_the_end():
    body = LengthBody(1)
    body.feed(b"x")

    assert body.eof() is None


# The end of the connection


def test_without_a_length_everything_is_the_body_until_the_end():
    body = CloseBody()
    assert read(body, b"hello", b" world") == b"hello world"
    assert not body.done

    body.eof()

    assert (body.done, body.rest, body.trailers) == (True, b"", b"")


# Chunks


@pytest.mark.parametrize("pieces", [[WHOLE + b"GET"], [*bytewise(WHOLE), b"GET"], [WHOLE[:12], WHOLE[12:] + b"GET"]])
def test_chunks_are_decoded_whatever_the_pieces(pieces):
    body = ChunkedBody()

    payload = b"".join(body.feed(piece) for piece in pieces if not body.done)

    assert (payload, body.trailers, body.done) == (b"hello world", b"X-Sum: 1\r\n", True)


def test_what_follows_the_last_chunk_is_somebody_else_s():
    body = ChunkedBody()

    body.feed(WHOLE + b"GET / ")

    assert body.rest == b"GET / "


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_chunks_that_end_early_are_told_apart(cut):
    body = ChunkedBody()
    body.feed(WHOLE[:cut])

    with pytest.raises(RequestError, match="ended early"):
        body.eof()


@pytest.mark.parametrize(
    "line",
    [
        b"", b" 5", b"5 ", b"+5", b"-5", b"0x5", b"5_0", b"g", b"5;", b"5; a", b"5;a=", b'5;a="', b"5;a b", b"5\x0b",
        b"10000000000000000", b"8000000000000000", b"5;\x00", b"5,5", b"\xd9\xa5",
    ],
)  # fmt: skip
def test_a_chunk_size_is_hexadecimal_digits_and_no_more(line):
    assert refusal(line + b"\r\nhello\r\n0\r\n\r\n") == 400


@pytest.mark.parametrize("line", [b"5", b"05", b"00000005", b"5;a", b"5;a=b;c", b'5;a="b; \\"c"'])
def test_a_chunk_size_may_have_zeros_and_extensions(line):
    assert read(ChunkedBody(), line + b"\r\nhello\r\n0\r\n\r\n") == b"hello"


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("a bare line feed behind the size", b"5\nhello\r\n0\r\n\r\n"),
        ("a bare carriage return behind the size", b"5\rhello\r\n0\r\n\r\n"),
        ("a bare line feed behind the data", b"5\r\nhello\n0\r\n\r\n"),
        ("data longer than the size", b"4\r\nhello\r\n0\r\n\r\n"),
        ("a bare line feed at the end", b"0\r\n\n"),
        ("a trailer without a colon", b"0\r\nX\r\n\r\n"),
        ("a folded trailer", b"0\r\nX: 1\r\n 2\r\n\r\n"),
        ("a length among the trailers", b"0\r\nContent-Length: 5\r\n\r\n"),
        ("a coding among the trailers", b"0\r\ntransfer-encoding: chunked\r\n\r\n"),
    ],
)
def test_a_chunked_body_is_refused_for(why, data):
    assert refusal(data) == 400
    assert refusal(*bytewise(data)) == 400


def test_a_line_without_end_is_refused_while_it_comes():
    body = ChunkedBody()

    with pytest.raises(RequestError):
        read(body, *[b"5;" + b"a" * 1000] * 5)


@pytest.mark.parametrize("size", [200, 3000])
def test_extensions_are_counted_over_the_whole_body(size):
    piece = b"1;" + b"a" * size + b"\r\nx\r\n"

    assert refusal(*[piece] * (MOST_EXTENSIONS // size + 1)) == 400


def test_trailers_have_a_size():
    line = b"X-Y: " + b"z" * 1000 + b"\r\n"

    assert refusal(b"0\r\n", *[line] * (LARGEST_TRAILERS // len(line) + 1)) == 431


@pytest.mark.parametrize(
    "name", [b"Cookie", b"set-cookie", b"Authorization", b"Connection", b"X-Forwarded-For", b"Via"]
)
def test_trailers_that_would_change_the_message_are_dropped(name):
    assert trailer_lines(name + b": x\r\nX-Sum:  1 ") == b"X-Sum: 1\r\n"


# Writing


def test_an_empty_piece_is_no_chunk():
    assert chunk(b"") == b""


@given(st.lists(st.binary(min_size=1, max_size=40)), st.data())
def test_what_is_written_in_chunks_is_read_again(payloads, data):
    written = b"".join(map(chunk, payloads)) + last_chunk(b"X-A: 1\r\n")
    cut = data.draw(st.integers(0, len(written) - 1))
    body = ChunkedBody()

    assert read(body, written[:cut], written[cut:]) == b"".join(payloads)
    assert (body.done, body.rest, body.trailers) == (True, b"", b"X-A: 1\r\n")
