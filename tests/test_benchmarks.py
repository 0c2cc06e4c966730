"""The benchmark's own arithmetic, its limits and its care for what it starts; no speed is judged here."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import attrs
import pytest
from benchmarks import chart, gate, load, machine, measure, report, results, tools
from benchmarks.machine import Cores
from benchmarks.peers import PEERS, nginx
from benchmarks.peers.job import Job, Peer, Setup, Unsupported
from benchmarks.processes import Failed, Process, end_all, free_ports, session_members, undisturbed
from benchmarks.results import Key, Results
from benchmarks.scenarios import SCENARIOS, TABLE, Metric, Scenario, asked_for

from vestri import config
from vestri.selection.registry import STRATEGIES

ROOT = Path(__file__).parent.parent
CPU = Key("small", "cpu_us", "vestri")
CPU_OF_GO = Key("small", "cpu_us", "go")
LIMIT = gate.Limit("CPU ÷ Go", CPU, CPU_OF_GO, must=0.45, reach=0.30)


def measured(samples=None, **fields):
    """`Results` with the samples given by key."""
    return Results(samples=dict(samples or {}), **fields)


# Figures


def test_a_summary_is_the_middle_and_the_ends():
    assert results.summarize([3.0, 1.0, 8.0]) == results.Summary(median=3.0, low=1.0, high=8.0, count=3)


def test_nothing_measured_has_no_summary_and_no_ratio():
    assert measured().summary(CPU) is None
    assert measured({CPU: [1.0]}).ratio(CPU, CPU_OF_GO) is None


def test_a_ratio_is_the_median_of_those_of_the_rounds():
    assert measured({CPU: [10.0, 20.0, 90.0], CPU_OF_GO: [40.0, 50.0, 180.0]}).ratio(CPU, CPU_OF_GO) == 0.4
    assert measured({CPU: [10.0, 20.0, 90.0], CPU_OF_GO: [10.0, 50.0, 90.0]}).ratio(CPU, CPU_OF_GO) == 1


def test_the_ratios_of_the_rounds_are_sorted():
    assert measured({CPU: [30.0, 20.0], CPU_OF_GO: [60.0, 80.0]}).ratios(CPU, CPU_OF_GO) == [0.25, 0.5]


def test_a_file_gives_back_what_was_written():
    run = measured(
        {CPU: [1.5, 2.5], Key("log", "cpu_us", "vestri", "on"): [3.0]},
        about={"Taken": "today"},
        machine={"CPU": "some"},
        versions={"Vestri": "1"},
    )
    run.skip("tls", "", "vestri", "not supported yet")
    again = results.from_json(results.to_json(run))
    assert attrs.asdict(again, recurse=False) == attrs.asdict(run, recurse=False)


@pytest.mark.parametrize("text", ["[]", "{}", '{"format": 99}', "no JSON"])
def test_a_file_of_another_kind_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        results.from_json(text)


def test_the_reason_is_that_of_the_setup_or_else_of_the_peer():
    run = measured()
    run.skip("workers", "2", "vestri", "not supported yet")
    run.skip("", "", "go", "go is not installed")
    assert run.reason(Key("workers", "requests_s", "vestri", "2")) == "not supported yet"
    assert run.reason(CPU_OF_GO) == "go is not installed"
    assert run.reason(CPU) == "not in this run"


# Limits


@pytest.mark.parametrize(
    ("cpu", "verdict"), [(30.0, "reached"), (31.0, "kept"), (45.0, "kept"), (46.0, "missed"), (None, "not measured")]
)
def test_a_limit_is_reached_kept_or_missed(cpu, verdict):
    run = measured({CPU_OF_GO: [100.0], **({CPU: [cpu]} if cpu else {})})
    assert LIMIT.verdict(run) == verdict


@pytest.mark.parametrize(("rate", "verdict"), [(1.3, "reached"), (0.7, "kept"), (0.6, "missed")])
def test_more_is_better_where_the_limit_says_so(rate, verdict):
    limit = gate.Limit("downloads ÷ Go", CPU, CPU_OF_GO, must=0.7, reach=1.2, more=True)
    assert limit.verdict(measured({CPU: [rate], CPU_OF_GO: [1.0]})) == verdict


@pytest.mark.parametrize("limit", gate.LIMITS, ids=lambda limit: limit.title)
def test_every_limit_looks_at_what_a_scenario_measures(limit):
    for key in filter(None, (limit.of, limit.by)):
        scenario = SCENARIOS[key.scenario]
        assert key.metric in {metric.name for metric in scenario.metrics}
        assert key.setup in scenario.setups
        assert key.peer in {peer.name for peer in PEERS.values() if scenario.takes(peer)}


@pytest.mark.parametrize("limit", gate.LIMITS, ids=lambda limit: limit.title)
def test_every_goal_lies_beyond_its_limit(limit):
    assert (limit.reach > limit.must) == limit.more


def run_of(value):
    """A run in which each limit is judged by `value` times its own number."""
    run = measured()
    for limit in gate.LIMITS:
        wanted = limit.must / value if limit.more else limit.must * value
        run.samples[limit.of] = [1.0 if limit.by else wanted]
        if limit.by:
            run.samples[limit.by] = [1 / wanted]
    return run


def gate_says(tmp_path, capsys, run, *options):
    """Exit status and output of the gate."""
    file = tmp_path / "run.json"
    file.write_text(results.to_json(run))
    return gate.main([str(file), *options]), capsys.readouterr().out


def test_the_gate_lets_a_run_pass_that_keeps_all_limits(tmp_path, capsys):
    status, out = gate_says(tmp_path, capsys, run_of(0.999))
    assert status == 0
    assert "missed" not in out


def test_the_gate_names_the_row_that_fails(tmp_path, capsys):
    run = run_of(0.999)
    run.samples[gate.LIMITS[-1].of] = [99.0]
    status, out = gate_says(tmp_path, capsys, run)
    assert status == 1
    assert [line for line in out.splitlines() if line.startswith("missed")] == [
        "missed       process start to listening, s: 99.00 (99.00–99.00), must be ≤ 0.6, reach for ≤ 0.4"
    ]


def test_the_gate_fails_for_what_was_not_measured_unless_told(tmp_path, capsys):
    run = run_of(0.999)
    del run.samples[gate.LIMITS[-1].of]
    run.skip("start", "", "vestri", "twistd is not installed")
    assert gate_says(tmp_path, capsys, run)[0] == 1
    status, out = gate_says(tmp_path, capsys, run, "--measured")
    assert status == 0
    assert "not measured process start to listening, s: vestri: twistd is not installed" in out


def test_the_gate_says_which_file_it_cannot_read(tmp_path, capsys):
    with pytest.raises(SystemExit) as stopped:
        gate.main([str(tmp_path / "none.json")])
    assert stopped.value.code == 2
    assert "none.json" in capsys.readouterr().err


# Reports


def test_a_cell_has_the_range_where_there_is_one():
    assert report.cell(results.summarize([1234.4, 1200.0, 1300.0]), 0) == "1,234 (1,200–1,300)"
    assert report.cell(results.summarize([1.256]), 2) == "1.26"
    assert report.cell(None, 2) == "–"


def test_the_page_has_a_row_for_each_metric_and_a_column_for_each_peer():
    run = measured({CPU: [50.0], Key("small", "cpu_us", "nginx"): [31.0]})
    page = report.markdown(run, PEERS).splitlines()
    assert "|  | **Vestri** | nginx |" in page
    assert "| CPU µs per request | **50** | 31 |" in page


def test_the_page_tells_the_limits_of_what_was_run_alone():
    page = report.markdown(measured({CPU: [50.0], Key("small", "cpu_us", "nginx"): [25.0]}), PEERS)
    assert "| CPU per small request ÷ nginx | 2.000 | ≤ 2.1 | ≤ 1.5 | kept |" in page
    assert "process start" not in page


def test_the_page_says_what_was_not_measured_and_why():
    run = measured({CPU: [50.0]})
    run.skip("workers", "1", "stock", "one process only")
    run.skip("workers", "2", "stock", "one process only")
    run.skip("", "", "caddy", "caddy is not installed")
    page = report.markdown(run, PEERS)
    assert "- twisted.web.proxy, workers (1 2): one process only" in page
    assert "- Caddy: caddy is not installed" in page


def test_a_bar_in_a_text_does_not_split_a_cell():
    assert report.table([["a|b"], ["c"]]) == "| a\\|b |\n| --- |\n| c |"


def test_the_chart_draws_bars_as_long_as_their_figures():
    run = measured({CPU: [50.0], Key("small", "cpu_us", "nginx"): [25.0]})
    image = ElementTree.fromstring(chart.svg(run, PEERS))
    ours, theirs = (float(bar.get("width")) for bar in image if bar.get("class") in ("ours", "peer"))
    assert ours == pytest.approx(2 * theirs, abs=0.2)


def test_the_chart_leaves_out_what_was_not_measured():
    image = ElementTree.fromstring(chart.svg(measured(), PEERS))
    assert [bar for bar in image if bar.get("class") in ("ours", "peer")] == []


# Loads

WRK = """\
Running 2s test @ http://127.0.0.1:8080/small
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     2.31ms    1.02ms  20.10ms   88.31%
    Req/Sec    27.70k     1.20k   29.80k    75.00%
  55302 requests in 2.01s, 12.30MB read
"""
BROKEN = "  Socket errors: connect 1, read 2, write 3, timeout 4\n"
REFUSED = "  Non-2xx or 3xx responses: 5302\n"


def test_wrk_is_read():
    assert load.read_wrk(WRK) == load.Answered(requests=55302, errors=0, seconds=2.01)


def test_errors_and_statuses_of_wrk_are_counted():
    answered = load.read_wrk(WRK + BROKEN + REFUSED)
    assert (answered.requests, answered.errors) == (50_000, 5312)


def test_a_wrk_that_could_not_run_has_failed():
    with pytest.raises(Failed, match="unable to connect"):
        load.read_wrk("unable to connect to 127.0.0.1:8080 Connection refused")


def test_goload_is_read():
    told = {"requests": 9, "errors": 1, "cause": "EOF", "seconds": 2.0, "p50_us": 100.0, "p99_us": 900.0}
    answered = load.read_goload(json.dumps(told))
    assert answered == load.Answered(9, 1, 2.0, "EOF", p50=pytest.approx(1e-4), p99=pytest.approx(9e-4))


def test_a_goload_that_could_not_run_has_failed():
    with pytest.raises(Failed, match="connection refused"):
        load.read_goload("connection refused")


@pytest.mark.parametrize(("requests", "errors"), [(0, 0), (0, 5), (1000, 2)])
def test_a_load_with_too_many_errors_is_void(requests, errors):
    with pytest.raises(Failed):
        load.Answered(requests, errors, 1.0).checked()


def test_a_load_with_an_error_in_a_thousand_counts():
    answered = load.Answered(1000, 1, 1.0)
    assert answered.checked() is answered


def test_few_and_many_routes_get_requests_on_equally_many_of_them():
    few, many = (tuple(f"/route/{number}/" for number in range(count)) for count in (10, 10_000))
    assert len(asked_for(few)) == len(asked_for(many)) == 10
    assert asked_for(many)[-1] == "/route/9000/"


# The machine


@pytest.mark.parametrize(
    ("workers", "allowed", "shares"),
    [
        (1, {0, 1}, Cores((0,), (1,))),
        (1, {2, 5, 7}, Cores((2,), (5, 7))),
        (2, {0, 1, 2, 3}, Cores((0, 1), (2, 3))),
        (2, {0, 1}, Cores((0, 1), (0, 1))),
        (1, {3}, Cores((3,), (3,))),
    ],
)
def test_cores_are_apart_where_there_are_enough(workers, allowed, shares):
    assert machine.share_out(workers, allowed) == shares


def test_pinning_ends_with_its_block():
    before = os.sched_getaffinity(0)
    with machine.pinned({min(before)}):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(("descriptors", "count"), [(20_000, 10_000), (4096, 3096), (256, 0)])
def test_idle_connections_fit_into_the_limit_of_open_files(descriptors, count):
    assert machine.idle_connections(10_000, descriptors) == count


def test_a_program_that_is_not_there_is_named():
    with pytest.raises(tools.Missing, match="no-such-proxy is not installed"):
        tools.find("no-such-proxy")


# Processes

FAMILY = """
import signal, subprocess, sys, time
stubborn = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
child = subprocess.Popen([sys.executable, "-c", stubborn])
print("ready", flush=True)
time.sleep(60)
"""
LISTENER = "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(60)"


def python(tmp_path, script, *arguments):
    """A `Process` that runs a script."""
    command = (sys.executable, "-c", script, *arguments)
    return Process(command, cores={min(os.sched_getaffinity(0))}, log=tmp_path / "output")


def until(happened):
    """Wait until `happened` says something true, 10 s at most."""
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_is_ended_with_all_that_it_started(tmp_path):
    with python(tmp_path, FAMILY) as process:
        until(lambda: len(session_members(process.pid)) == 2 and process.last_words() == "ready")
    until(lambda: not session_members(process.pid))


def test_a_process_is_ended_when_its_block_fails(tmp_path):
    with contextlib.suppress(KeyboardInterrupt), python(tmp_path, FAMILY) as process:
        raise KeyboardInterrupt
    assert session_members(process.pid) == []


def test_a_process_outside_any_block_is_ended_with_all(tmp_path):
    process = python(tmp_path, FAMILY)
    end_all()
    until(lambda: not session_members(process.pid))


def test_a_signal_waits_for_the_end_of_what_must_not_be_disturbed():
    steps = []

    def start():
        with undisturbed():
            signal.raise_signal(signal.SIGINT)
            steps.append("started")
        steps.append("not reached")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        signal.signal(signal.SIGINT, before)
    assert steps == ["started"]


def test_a_process_listens_on_the_core_that_it_was_given(tmp_path):
    (port,) = free_ports(1)
    with python(tmp_path, LISTENER, str(port)) as process:
        assert process.wait_until_listening(port, timeout=20) > 0
        assert os.sched_getaffinity(process.pid) == {min(os.sched_getaffinity(0))}
        assert process.memory() > 2**20
        assert set(process.cpu()) == {process.pid}


def test_a_process_that_ends_early_has_failed_with_its_last_words(tmp_path):
    script = f"print('cannot read {tmp_path}/x.yaml'); print(); raise SystemExit(2)"
    with python(tmp_path, script) as process, pytest.raises(Failed, match=r"^ended with status 2: cannot read x.yaml$"):
        process.wait_until_listening(free_ports(1)[0], timeout=20)


def test_a_process_that_never_listens_has_failed(tmp_path):
    with python(tmp_path, FAMILY) as process, pytest.raises(Failed, match=r"did not listen within 0.1 s"):
        process.wait_until_listening(free_ports(1)[0], timeout=0.1)


def test_cpu_is_counted_finer_than_clock_ticks(tmp_path):
    with python(tmp_path, FAMILY) as process:
        until(lambda: process.last_words() == "ready")
        (seconds, *_) = process.cpu().values()
    assert 0 < seconds < 10
    assert seconds % 0.01 != 0


def test_free_ports_are_distinct():
    assert len(set(free_ports(500))) == 500


# A run


def fake_peer(name, **fields):
    return Peer(name, name.title(), lambda folder: f"/bin/{name}", lambda program: "1.0", None, **fields)


def missing_peer(name):
    return attrs.evolve(fake_peer(name), program=lambda folder: tools.find("no-such-proxy"))


def scenario(sample, **fields):
    return Scenario("fake", "Fake", sample, (Metric("turn", "turn"),), **fields)


@attrs.define
class FakeBench:
    folder: Path
    results: Results = attrs.Factory(Results)
    descriptors: int = 1024

    def cores(self, workers=1):
        return Cores(tuple(os.sched_getaffinity(0)), tuple(os.sched_getaffinity(0)))

    def place(self):
        return self.folder


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Replicas and proxies are not started: a proxy is its contestant."""
    monkeypatch.setattr(measure.replicas, "static", lambda *args, **kwargs: contextlib.nullcontext(("127.0.0.1:1",)))
    monkeypatch.setattr(measure, "running", lambda contestant, **kwargs: contextlib.nullcontext(contestant))
    monkeypatch.setattr(measure, "warm_up", lambda proxy: None)
    return FakeBench(tmp_path)


def take(bench, sample, peers, rounds=2, until=float("inf"), **fields):
    """Measure a scenario; returns the progress lines."""
    said = []
    run = measure.Run(bench, {peer.name: peer for peer in peers}, until=until, say=said.append)
    run.measure(scenario(sample, **fields), rounds)
    return said


def test_peers_take_turns_and_none_is_always_the_first(bench):
    turns = []

    def sample(proxy, bench):
        turns.append((proxy.peer.name, proxy.setup_name))
        return {"turn": len(turns)}

    take(bench, sample, [fake_peer("a"), fake_peer("b")], setups={"off": Setup(), "on": Setup(access_log=True)})
    first = [("a", "off"), ("a", "on"), ("b", "off"), ("b", "on")]
    assert turns == [*first, *reversed(first)]
    assert bench.results.samples[Key("fake", "turn", "a", "off")] == [1, 8]


def test_a_peer_that_fails_is_left_out_with_its_reason(bench):
    def sample(proxy, bench):
        if proxy.peer.name == "bad":
            raise Failed("3 failed, 0 answered")
        return {"turn": 1}

    take(bench, sample, [fake_peer("bad"), fake_peer("good")])
    assert bench.results.samples == {Key("fake", "turn", "good"): [1, 1]}
    assert bench.results.skipped == [results.Skipped("fake", "", "bad", "3 failed, 0 answered")]


def test_a_peer_that_is_not_installed_is_named_once(bench):
    take(bench, lambda proxy, bench: {"turn": 1}, [missing_peer("bad"), fake_peer("good")])
    assert bench.results.skipped == [results.Skipped("", "", "bad", "no-such-proxy is not installed")]
    assert bench.results.versions == {"Good": "1.0"}


def test_a_run_begins_no_round_after_its_time(bench):
    said = take(bench, lambda proxy, bench: {"turn": 1}, [fake_peer("a")], until=time.monotonic() - 1)
    assert said == []
    assert bench.results.reason(Key("fake", "turn", "a")) == "the time of the run was up after 0 of 2 rounds"


def test_a_peer_takes_part_where_it_and_the_scenario_say_so():
    only_nginx = scenario(None, peers=("nginx",))
    assert only_nginx.takes(fake_peer("nginx"))
    assert not only_nginx.takes(fake_peer("go"))
    assert not scenario(None).takes(fake_peer("nginx64k", only=("large",)))


# Peers


def job(tmp_path, setup):
    certificate, key = tmp_path / "c.pem", tmp_path / "k.pem"
    certificate.write_text("certificate\n")
    key.write_text("key\n")
    replicas = ("127.0.0.1:4001", "127.0.0.1:4002")
    pair = {"certificate": certificate, "key": key} if setup.tls else {}
    return Job("/bin/proxy", 4000, tmp_path, setup, replicas, **pair)


def everything(start, folder):
    """All that a proxy is told: its command line and its files."""
    files = [path.read_text() for path in sorted(folder.iterdir())]
    return "\n".join([*map(str, start.arguments), *files])


@pytest.mark.parametrize("peer", PEERS.values(), ids=PEERS)
def test_every_peer_is_a_plain_balancer_on_loopback(peer, tmp_path):
    told = everything(peer.start(job(tmp_path, Setup())), tmp_path)
    assert "4000" in told
    assert "4001" in told
    assert "0.0.0.0" not in told


@pytest.mark.parametrize("peer", [peer for peer in PEERS.values() if peer.name != "stock"], ids=lambda peer: peer.name)
def test_the_routes_that_are_asked_for_are_in_what_a_peer_is_told(peer, tmp_path):
    told = everything(peer.start(job(tmp_path, Setup(routes=10))), tmp_path)
    assert "/route/00000/" in told
    assert "/route/00009/" in told


@pytest.mark.parametrize(
    ("name", "setup", "told"),
    [
        ("vestri", Setup(workers=2), '"workers": 2'),
        ("nginx", Setup(workers=2), "worker_processes 2;"),
        ("haproxy", Setup(workers=2), "nbthread 2"),
        ("envoy", Setup(workers=2), "--concurrency\n2"),
        ("nginx", Setup(access_log=True), "access.log;"),
        ("haproxy", Setup(access_log=True), "option httplog"),
        ("envoy", Setup(access_log=True), "/access.log"),
        ("vestri", Setup(tls=True), "certKey="),
        ("nginx", Setup(tls=True), "ssl_certificate "),
        ("haproxy", Setup(tls=True), "ssl crt"),
        ("nginx", Setup(websocket=True), "Upgrade $http_upgrade"),
    ],
)
def test_what_a_setup_asks_for_is_in_what_a_peer_is_told(name, setup, told, tmp_path):
    assert told in everything(PEERS[name].start(job(tmp_path, setup)), tmp_path)


@pytest.mark.parametrize("name", ["go", "caddy", "traefik"])
def test_programs_in_go_have_as_many_threads_as_workers_are_asked_for(name, tmp_path):
    start = PEERS[name].start(job(tmp_path, Setup(workers=2)))
    assert start.environment["GOMAXPROCS"] == "2"


def test_a_peer_that_cannot_do_a_job_says_why(tmp_path):
    with pytest.raises(Unsupported, match="it cannot upgrade"):
        PEERS["stock"].start(job(tmp_path, Setup(websocket=True)))


def test_the_files_of_vestri_are_files_of_vestri(tmp_path):
    PEERS["vestri"].start(job(tmp_path, Setup(access_log=True, routes=10)))
    made = config.load((tmp_path / "vestri.yaml").read_text(), strategies=STRATEGIES)
    assert made.listen == ("tcp:4000:interface=127.0.0.1",)
    assert len(made.services) == 10
    assert made.access_log.path == str(tmp_path / "access.log")


def test_the_access_log_of_vestri_is_off_unless_asked_for(tmp_path):
    PEERS["vestri"].start(job(tmp_path, Setup()))
    made = config.load((tmp_path / "vestri.yaml").read_text(), strategies=STRATEGIES)
    assert made.access_log.format == "off"
    assert made.services[0].matcher.path == "/"


def test_nginx_has_large_buffers_for_large_bodies_alone(tmp_path):
    nginx.PEER.start(job(tmp_path, Setup()))
    assert "proxy_buffers" not in (tmp_path / "nginx.conf").read_text()
    nginx.LARGE.start(job(tmp_path, Setup()))
    assert "proxy_buffers 16 64k" in (tmp_path / "nginx.conf").read_text()


def test_names_of_scenarios_and_their_metrics_are_distinct():
    assert len(SCENARIOS) == len(TABLE)
    for each in TABLE:
        assert len({metric.name for metric in each.metrics}) == len(each.metrics)


# The command


def benchmark(tmp_path, *arguments):
    """A started `python -m benchmarks`, whose temporary files lie in a folder of their own."""
    (tmp_path / "temporary").mkdir()
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path / "temporary")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def commands_with(text):
    """Command lines of running processes that contain a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            command = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.extend([command] if text in command else [])
    return found


def nothing_is_left(tmp_path):
    return not list((tmp_path / "temporary").iterdir()) and not commands_with(str(tmp_path))


needs_tools = pytest.mark.skipif(
    not shutil.which("wrk") or not shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:{tools.SYSTEM}"),
    reason="wrk or nginx is not installed",
)


def test_an_unknown_name_is_refused(tmp_path):
    with benchmark(tmp_path, "--only", "smal") as run:
        _, said = run.communicate(timeout=30)
    assert run.returncode == 2
    assert "unknown name 'smal'" in said


@pytest.mark.live
@needs_tools
def test_a_short_run_writes_its_three_files_and_leaves_nothing_behind(tmp_path):
    options = ("--quick", "--rounds", "1", "--seconds", "1", "--output", str(tmp_path / "out"))
    with benchmark(tmp_path, *options) as run:
        page, said = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert (tmp_path / "out" / "benchmark.md").read_text() in page
    kept = results.from_json((tmp_path / "out" / "benchmark.json").read_text())
    assert {key.peer for key in kept.samples} == {"vestri", "nginx"}
    assert ElementTree.parse(tmp_path / "out" / "benchmark.svg").getroot().tag.endswith("svg")
    assert nothing_is_left(tmp_path)


@pytest.mark.live
@needs_tools
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_stopped_ends_all_that_it_started(tmp_path, number):
    with benchmark(tmp_path, "--quick") as run:
        until(lambda: any("nginx" in command for command in commands_with(str(tmp_path))))
        run.send_signal(number)
        _, said = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert nothing_is_left(tmp_path)
