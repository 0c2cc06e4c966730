"""The pages of docs/configuration.md that are not tables."""

BEFORE = """\
<!-- Made by `python -m vestri.config.manual markdown`; change src/vestri/config/schema or manual/prose.py instead. -->

# Configuration

One YAML file tells Vestri everything. This is a whole one:

```yaml
services:
  - name: web
    replicas:
      - url: "http://127.0.0.1:8081"
      - url: "http://127.0.0.1:8082"
```

    twistd -n vestri --config config.yaml --port 8080

Every key that is not in it has a default, and the defaults are the safe ones: replicas are probed, slow clients are
cut off, what a client claims about its own address is not believed.

- `vestri check config.yaml` tells whether a file can be served, and every fault that it has.
- `config/full.yaml` holds every key in one file, to copy from.
- `vestri schema` prints a JSON Schema: with it an editor completes keys and marks faults. For editors that use the
  YAML language server, save it as `vestri.schema.json` and begin the configuration with
  `# yaml-language-server: $schema=vestri.schema.json`.

## How values are written

**Text, numbers, true and false** mean what the key expects, not what YAML guesses: `version: 1.10` stays `1.10`,
`"4"` and `4` are the same weight, and `yes` is not `true`.

**Durations** are `250ms`, `5s`, `1m` or `1h`, with decimals where they help (`1.5s`). A bare number counts seconds.

**Sizes** are `64KiB`, `10MiB`, `1GiB` (powers of 1024), or a bare number of bytes.

**`off`** takes a limit or a timeout away, wherever a key says that it may be off. `false` means the same there.

**A section without keys**, as `limits:` alone on its line, is as if it were not there.

**Environment variables** stand inside values as `${NAME}`, or `${NAME:-default}` for one that may be unset or empty.
A variable that is unset and has no default is an error. Write `$${` for a plain `${`.

```yaml
services:
  - name: web
    replicas:
      - url: "http://${WEB_HOST:-127.0.0.1}:8081"
        metadata: {weight: "${WEB_WEIGHT:-1}"}
```

**Anchors and aliases** (`&same`, `*same`) repeat a value. Merge keys (`<<`) and tags (`!name`) are refused.

## Keys
"""

LATER = """\
## Keys that come later

These names are settled, and what they do is not there yet. A file that uses one is refused as "not supported yet",
rather than served without what it asks for.
"""

AFTER = """\
## Strategies

`RoundRobin` takes the replicas in turn. `WeightedRoundRobin` does so in proportion to `metadata.weight`, spread evenly
rather than in bursts. An installed package may bring others, through the entry point group `vestri.strategies`.
`LeastRequests`, `Random`, `TwoChoices`, `PeakEWMA`, `ConsistentHash` and `FirstAvailable` come later.

## Endpoints

| endpoint | listens at |
| --- | --- |
| `tcp:8080` | port 8080 of every IPv4 address; `tcp:0` is any free port |
| `tcp:8080:interface=127.0.0.1` | port 8080 of one address |
| `tcp6:8080` | port 8080 of every IPv6 address |
| `unix:/run/vestri.http:mode=660` | a UNIX socket |
| `fd:3` | a socket that the parent process opened |
| `systemd:index=0`, `systemd:name=web` | a socket that systemd opened |

`tcp`, `tcp6` and `unix` take `backlog=N` as well. A colon inside a value is written `\\:`, as in
`tcp:8080:interface=\\:\\:1`.

## Errors

All faults of a file are reported at once, one a line, with the file, line and column, the path of the key, what was
expected and what came:

```
config.yaml:7:15: services[0].strategy: unknown strategy 'WeightedRobin'; did you mean WeightedRoundRobin?
config.yaml:12:19: services[0].replicas[1].metadata.weight: expected a whole number 0..1000, got 'heavy'
```

Nothing starts from a file with a fault. `vestri check` exits with status 1 then, `twistd vestri` with status 2. Besides
unknown keys and values of the wrong kind, these are faults:

- the same key, service name or replica id twice;
- no services, or a service without replicas;
- a probe timeout above the probe interval;
- two equal listeners, or an unknown kind of endpoint;
- a replica that is Vestri's own listener.

These are warnings, which do not keep a file from being served:

- all weights of a service are 0, so that every request to it is answered 503;
- two services with the same matcher, of which the second gets no requests;
- a key under `metadata` that looks like a mistyped `weight`.
"""
