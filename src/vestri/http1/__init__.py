"""HTTP/1.1 without sockets: bytes in, heads and body pieces out; heads in, bytes out (RFC 9112)."""

from vestri.http1.answer import AnswerHead, AnswerReader, answer_head
from vestri.http1.framing import CHUNKED, LENGTH, NONE, UNTIL_CLOSE, chunk, last_chunk
from vestri.http1.request import RequestHead, RequestReader, request_head

__all__ = [
    "CHUNKED",
    "LENGTH",
    "NONE",
    "UNTIL_CLOSE",
    "AnswerHead",
    "AnswerReader",
    "RequestHead",
    "RequestReader",
    "answer_head",
    "chunk",
    "last_chunk",
    "request_head",
]
