"""The proxies that are measured side by side, one module each."""

from benchmarks.peers import caddy, envoy, golang, haproxy, nginx, stock, traefik, vestri

#: In the order of a report.
TABLE = (
    vestri.PEER,
    nginx.PEER,
    nginx.LARGE,
    haproxy.PEER,
    envoy.PEER,
    golang.PEER,
    traefik.PEER,
    caddy.PEER,
    stock.PEER,
)
PEERS = {peer.name: peer for peer in TABLE}
