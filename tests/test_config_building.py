import pickle
from ipaddress import ip_network

import attrs
import pytest

from configs import REPOSITORY, STRATEGIES, WEB, load, only_service, problems
from vestri import config
from vestri.config import building, schema
from vestri.model import (
    AccessLog,
    Configuration,
    HealthCheck,
    Limits,
    Matcher,
    Replica,
    Service,
    Shutdown,
    Strategy,
    Timeouts,
    TrustedProxies,
)


def replicas(*flow):
    return f"services: [{{name: web, replicas: [{', '.join(flow)}]}}]\n"


def only_replica(text):
    (replica,) = only_service(text).replicas
    return replica


def test_a_short_file_has_the_defaults_of_the_model():
    replica = Replica(
        url="http://127.0.0.1:8081", id="http://127.0.0.1:8081", scheme="http", host="127.0.0.1", port=8081
    )
    assert load(WEB) == Configuration(services=(Service("web", (replica,)),))


def test_a_long_file_says_all_of_it():
    configuration = load(
        """
strategy: RoundRobin
listen: ["tcp:8080:interface=127.0.0.1", "unix:/run/a"]
trusted_proxies: [10.0.0.0/8]
access_log: {format: json, path: /var/log/a}
shutdown: {pre_stop: 1s, grace: 2s}
limits: {header_size: 1KiB, header_count: 2, body_size: 3, connections: 4, requests_per_connection: 5, min_rate: off}
timeouts: {client_header: 1, client_body: 2, client_idle: 3, client_write: off, connect: 5, response: 6, total: 1m}
services:
  - name: api
    matcher: {path: /api}
    strategy: WeightedRoundRobin
    replicas:
      - url: "http://[::1]:8081/base/"
        id: a
        metadata: {weight: 7, zone: eu}
      - url: b
    host: www.example.org
    health: {path: /health, method: POST, interval: 3s, timeout: 1s, rise: 4, fall: 5, expect: 204, body: ok,
             headers: {X-A: 1, X-B: two}, port: 90}
    timeouts: {connect: 250ms, total: off, idle_connections: 0}
"""
    )
    common = {"client_header": 1.0, "client_body": 2.0, "client_idle": 3.0, "client_write": None, "response": 6.0}
    service = Service(
        name="api",
        replicas=(
            Replica(
                url="http://[::1]:8081/base/",
                id="a",
                scheme="http",
                host="::1",
                port=8081,
                base_path="/base",
                weight=7,
                metadata={"weight": 7, "zone": "eu"},
            ),
            Replica(url="b", id="b", scheme="http", host="b", port=80),
        ),
        matcher=Matcher("/api"),
        strategy=Strategy("WeightedRoundRobin"),
        host="www.example.org",
        health=HealthCheck(
            path="/health",
            method="POST",
            interval=3.0,
            timeout=1.0,
            rise=4,
            fall=5,
            expect=((204, 204),),
            body="ok",
            headers=(("X-A", "1"), ("X-B", "two")),
            port=90,
        ),
        timeouts=Timeouts(**common, connect=0.25, total=None, idle_connections=0),
    )
    assert configuration == Configuration(
        services=(service,),
        listen=("tcp:8080:interface=127.0.0.1", "unix:/run/a"),
        trusted_proxies=TrustedProxies(networks=(ip_network("10.0.0.0/8"),)),
        access_log=AccessLog("json", "/var/log/a"),
        shutdown=Shutdown(1.0, 2.0),
        limits=Limits(1024, 2, 3, 4, 5, None),
        timeouts=Timeouts(**common, connect=5.0, total=60.0),
    )


# What the first Vestri took and did.


def test_the_strategy_of_the_file_is_that_of_every_service():
    text = (
        f"strategy: WeightedRoundRobin\n{WEB}  - {{name: b, matcher: /b, strategy: RoundRobin, replicas: [url: b]}}\n"
    )
    assert [service.strategy.name for service in load(text).services] == ["WeightedRoundRobin", "RoundRobin"]


def test_without_a_strategy_the_replicas_take_turns():
    assert only_service(WEB).strategy == Strategy("RoundRobin")


@pytest.mark.parametrize("weight", ["4", '"4"', "'4'"])
def test_a_weight_may_be_a_number_or_text(weight):
    replica = only_replica(f"{WEB}        metadata: {{weight: {weight}}}\n")
    assert (replica.weight, replica.metadata) == (4, {"weight": 4})


def test_unknown_metadata_is_kept():
    replica = only_replica(f"{WEB}        metadata: {{zone: eu, rack: 7, version: 1.10, tags: [a, b], note: }}\n")
    assert replica.weight == 1
    assert replica.metadata == {"zone": "eu", "rack": 7, "version": "1.10", "tags": ["a", "b"], "note": None}


def test_a_url_without_a_scheme_means_http():
    replica = only_replica(replicas("url: localhost:8081"))
    assert (replica.scheme, replica.host, replica.port, replica.id) == ("http", "localhost", 8081, "localhost:8081")


@pytest.mark.parametrize("health", ["", "    health:\n", "    health: {}\n"])
def test_a_service_without_a_health_section_is_probed_and_any_answer_will_do(health):
    check = only_service(WEB + health).health
    assert check == HealthCheck()
    assert (check.path, check.method) == (None, "GET")


def test_a_health_path_asks_for_200_to_399():
    assert only_service(f"{WEB}    health: {{path: /health}}\n").health == HealthCheck("/health", expect=((200, 399),))


# What this one has in addition.


@pytest.mark.parametrize("off", ["off", '"off"', "false"])
def test_a_service_can_be_left_unprobed(off):
    assert only_service(f"{WEB}    health: {off}\n").health is None


def test_a_matcher_may_be_a_mapping_with_a_path():
    assert only_service(f"{WEB}    matcher: {{path: /api}}\n").matcher == Matcher("/api")
    assert only_service(f"{WEB}    matcher: {{}}\n").matcher == Matcher("/")


def test_hops_stand_in_place_of_networks():
    assert load(f"trusted_proxies: {{hops: 2}}\n{WEB}").trusted_proxies == TrustedProxies(hops=2)


def test_one_endpoint_needs_no_list():
    assert load(f"listen: tcp:8082\n{WEB}").listen == ("tcp:8082",)


def test_the_port_of_the_command_line_replaces_the_listeners():
    assert load(f'listen: ["tcp:1", "unix:/run/a"]\n{WEB}', port=8080).listen == ("tcp:8080",)


def test_a_model_holds_nothing_of_the_file_it_came_from():
    configuration = config.read(REPOSITORY / "config" / "full.yaml", strategies=STRATEGIES)
    assert b"vestri.config" not in pickle.dumps(configuration)
    assert pickle.loads(pickle.dumps(configuration)) == configuration


# What is refused, besides unknown keys and wrong types.


@pytest.mark.parametrize(
    ("reason", "text", "expected"),
    [
        ("no services", "limits: {}\n", ["1:1: expected a key 'services', which is missing"]),
        ("empty services", "services: []\n", ["1:11: services: expected a list of services, got an empty one"]),
        ("no replicas", "services: [{name: a}]\n", ["1:12: services[0]: expected a key 'replicas', which is missing"]),
        ("no name", "services: [{replicas: [url: a]}]", ["1:12: services[0]: expected a key 'name', which is missing"]),
        ("no url", replicas("{id: a}"), ["1:35: services[0].replicas[0]: expected a key 'url', which is missing"]),
        (
            "empty replicas",
            "services: [{name: a, replicas: []}]\n",
            ["1:32: services[0].replicas: expected a list of replicas, got an empty one"],
        ),
        (
            "two services of one name",
            f"{WEB}  - {{name: web, matcher: /b, replicas: [url: b]}}\n",
            ["5:12: services[1].name: duplicate service name 'web', first given on line 2"],
        ),
        (
            "two replicas of one id",
            replicas("{url: a, id: x}", "{url: b, id: x}"),
            ["1:65: services[0].replicas[1].id: duplicate replica id 'x', first given on line 1"],
        ),
        (
            "two replicas of one url",
            replicas("url: a", "url: a"),
            ["1:48: services[0].replicas[1].url: duplicate replica id 'a', first given on line 1"],
        ),
        (
            "the id of one is the url of another",
            replicas("url: a", "{url: b, id: a}"),
            ["1:56: services[0].replicas[1].id: duplicate replica id 'a', first given on line 1"],
        ),
        (
            "a probe that outlasts its interval",
            f"{WEB}    health: {{interval: 500ms, timeout: 2s}}\n",
            ["5:40: services[0].health.timeout: expected at most the interval, 0.5s, got 2s"],
        ),
        (
            "text looked for where there is none",
            f"{WEB}    health: {{method: HEAD, body: ok}}\n",
            ["5:34: services[0].health.body: expected nothing with method HEAD, of which the answer has no body"],
        ),
        (
            "two equal listeners",
            f'listen: ["tcp:80", "tcp:80:interface=0.0.0.0"]\n{WEB}',
            ["1:20: listen[1]: 'tcp:80:interface=0.0.0.0' listens where 'tcp:80' does already"],
        ),
        (
            "a replica that is our own listener",
            f"listen: tcp:8081\n{WEB}",
            ["5:14: services[0].replicas[0].url: expected a replica, got Vestri's own listener 'tcp:8081'"],
        ),
        (
            "a replica that is our own default listener",
            replicas("url: localhost:8080"),
            ["1:40: services[0].replicas[0].url: expected a replica, got Vestri's own listener 'tcp:8080'"],
        ),
    ],
)
def test_what_is_refused(reason, text, expected):
    assert problems(text) == expected


def test_the_port_of_the_command_line_is_our_own_listener():
    assert problems(WEB, port=8080) == []
    assert problems(WEB, port=8081) == [
        "4:14: services[0].replicas[0].url: expected a replica, got Vestri's own listener 'tcp:8081'"
    ]


def test_any_free_port_may_be_listened_at_twice():
    assert load(f"listen: [tcp:0, tcp:0]\n{WEB}").listen == ("tcp:0", "tcp:0")


def test_a_short_interval_shortens_the_timeout_that_nobody_wrote():
    assert only_service(f"{WEB}    health: {{interval: 1s}}\n").health.timeout == 1.0


def test_all_problems_are_told_at_once_and_in_file_order():
    text = """\
stratgy: RoundRobin
limits: {connections: 0}
services:
  - name: a
    replicas: [{url: "ftp://a"}]
  - name: a
    matcher: api
    replicas: [{url: b}, {url: b, weight: 2}]
"""
    assert problems(text) == [
        "1:1: stratgy: unknown key 'stratgy'; did you mean strategy?",
        "2:23: limits.connections: expected a whole number of at least 1, got '0'",
        "5:22: services[0].replicas[0].url: unknown scheme 'ftp'; expected http:// or https://",
        "6:11: services[1].name: duplicate service name 'a', first given on line 4",
        "7:14: services[1].matcher: expected a path such as /api/v1, got 'api'; did you mean /api?",
        "8:32: services[1].replicas[1].url: duplicate replica id 'b', first given on line 8",
        "8:35: services[1].replicas[1].weight: unknown key 'weight'; did you mean metadata.weight?",
    ]


def test_the_two_messages_that_were_promised():
    text = """\
# A file with two faults.

listen: ["tcp:8080"]

services:
  - name: web
    strategy: WeightedRobin
    replicas:
      - url: "http://127.0.0.1:8081"
      - url: "http://127.0.0.1:8082"
        metadata:
          weight: heavy
"""
    assert [f"config.yaml:{line}" for line in problems(text)] == [
        "config.yaml:7:15: services[0].strategy: unknown strategy 'WeightedRobin'; did you mean WeightedRoundRobin?",
        "config.yaml:12:19: services[0].replicas[1].metadata.weight: expected a whole number 0..1000, got 'heavy'",
    ]


# What is warned about.


@pytest.mark.parametrize(
    ("reason", "text", "warning"),
    [
        (
            "all weights are 0",
            replicas("{url: a, metadata: {weight: 0}}", "{url: b, metadata: {weight: 0}}"),
            "1:34: services[0].replicas: all weights are 0: every request is answered 503",
        ),
        (
            "two services with one path",
            f"{WEB}  - {{name: b, matcher: /, replicas: [url: b]}}\n",
            "5:24: services[1].matcher: the same path '/' as services[0] on line 2, which takes its requests",
        ),
        (
            "two ways to write one path",
            "services:\n- {name: a, matcher: /a, replicas: [url: a]}\n- {name: b, matcher: /a/, replicas: [url: b]}\n",
            "3:22: services[1].matcher: the same path '/a/' as services[0] on line 2, which takes its requests",
        ),
        (
            "fewer connections than workers",
            f"workers: 4\nlimits: {{connections: 3}}\n{WEB}",
            "1:10: workers: 4 workers share 3 connections, and each takes one all the same",
        ),
        (
            "a mistyped weight",
            f"{WEB}        metadata: {{wieght: 2}}\n",
            "5:28: services[0].replicas[0].metadata.wieght: 'wieght' is a key of your own; did you mean weight?",
        ),
    ],
)
def test_what_is_warned_about(reason, text, warning):
    assert load(text, file="").warnings == (f":{warning}",)


@pytest.mark.parametrize(
    ("reason", "text"),
    [
        ("one weight is not 0", replicas("{url: a, metadata: {weight: 0}}", "url: b")),
        ("keys of one's own", replicas("{url: a, metadata: {zone: eu, weight: 2, height: 3}}")),
        ("two paths", f"{WEB}  - {{name: b, matcher: /b, replicas: [url: b]}}\n"),
    ],
)
def test_what_is_not_warned_about(reason, text):
    assert load(text).warnings == ()


# What waits for one switch.


@pytest.fixture
def switched(monkeypatch):
    """switch(whether): workers and replicas over TLS are there, or are not."""
    given = schema.FILE.keys["workers"]

    def switch(there):
        monkeypatch.setitem(schema.FILE.keys, "workers", attrs.evolve(given, supported=there))
        monkeypatch.setattr(schema, "HTTPS_REPLICAS", there)

    return switch


def test_replicas_over_tls_are_reached_at_their_own_port(switched):
    switched(True)
    replica = only_replica(replicas('url: "https://web"'))
    assert (replica.scheme, replica.port) == ("https", 443)


def test_replicas_over_tls_are_refused_before_they_can_be_reached(switched):
    switched(False)
    assert problems(replicas('url: "https://web"')) == [
        "1:40: services[0].replicas[0].url: not supported yet: https://"
    ]


@pytest.mark.parametrize(("workers", "count"), [("3", 3), ("auto", 16), ("1", 1)])
def test_workers_are_a_number_or_one_for_each_core(monkeypatch, switched, workers, count):
    switched(True)
    monkeypatch.setattr(building.os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    assert load(f"workers: {workers}\n{WEB}").workers == count


@pytest.mark.parametrize("workers", ["2", "auto"])
def test_more_than_one_worker_is_refused_before_there_can_be_more(switched, workers):
    switched(False)
    assert problems(f"workers: {workers}\n{WEB}") == ["1:1: workers: not supported yet"]
    assert load(f"workers: 1\n{WEB}").workers == 1
