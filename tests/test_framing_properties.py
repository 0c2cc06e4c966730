"""What holds for all bytes: pieces change nothing, and what travels on is one message to every other parser."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from corpus_rows import answer_rows, request_rows
from pieces import RequestFeed, read_answer, read_requests
from vestri.model import Limits
from wild_http import in_pieces, methods, requests, wild_answers, wild_requests

promises = pytest.importorskip("promises", exc_type=ImportError, reason="compares with h11 and httptools")


@given(requests())
def test_a_well_formed_request_is_accepted_and_travels_on_whole(sent):
    reading = read_requests([sent.data])
    assert reading.verdict == "accept"
    (request,) = reading.messages
    assert (request.method, request.target, request.body) == (sent.method, sent.target, sent.body)
    seen = promises.check_request(request)
    onward = [(name, value) for name, value in seen.fields if name.startswith(b"x-q-")]
    assert onward == [(name.lower(), value) for name, value in sent.fields]
    assert list(seen.trailers) == [(name.lower(), value) for name, value in sent.trailers]


class Client(RuleBasedStateMachine):
    """A client that sends good requests, and now and then something else, in pieces of any size."""

    def __init__(self):
        super().__init__()
        self.feed, self.sent, self.good, self.misled = RequestFeed(Limits()), b"", [], False

    @rule(sent=requests(), data=st.data())
    def send_a_request(self, sent, data):
        self.good.append(sent)
        self.send(data.draw(in_pieces(sent.data)))

    @rule(data=st.binary(max_size=10) | st.sampled_from((b"\r\n", b" ", b"0\r\n\r\n", b"GET / HT")))
    def send_something(self, data):
        self.misled = self.misled or data not in (b"", b"\r\n")
        self.send([data])

    def send(self, pieces):
        for piece in pieces:
            self.feed.receive(piece)
            self.sent += piece

    @invariant()
    def reads_the_same_in_one_piece(self):
        assert self.feed.reading() == read_requests([self.sent])

    @invariant()
    def has_read_what_was_good(self):
        read = [(each.method, each.target, each.body) for each in self.feed.reading().messages]
        good = [(each.method, each.target, each.body) for each in self.good]
        assert read == good or self.misled


TestClient = Client.TestCase
TestClient.settings = settings(stateful_step_count=8)


@given(wild_requests, st.data(), st.sampled_from((Limits(), promises.NARROW)))
def test_any_bytes_of_a_client_are_read_as_promised(sent, data, limits):
    promises.check_requests(sent, pieces=data.draw(in_pieces(sent)), limits=limits)


@given(wild_answers, st.data(), methods)
def test_any_bytes_of_a_replica_are_read_as_promised(sent, data, method):
    promises.check_answers(sent, method, pieces=data.draw(in_pieces(sent)))


@pytest.mark.parametrize("row", [row for row in request_rows() if row.messages], ids=str)
def test_the_corpus_s_requests_are_one_message_each_to_all(row):
    for request in read_requests([row.data], row.limits).messages:
        promises.check_request(request)


@pytest.mark.parametrize("row", [row for row in answer_rows() if row.answer], ids=str)
def test_the_corpus_s_answers_are_one_message_each_to_all(row):
    for answer in read_answer([row.data], row.method).messages:
        promises.check_answer(answer, row.method)
