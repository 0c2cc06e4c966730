"""A pytest plugin: `-p on_uvloop --reactor=asyncio` runs tests on the reactor that Vestri prefers."""

from vestri.transport import install_reactor

install_reactor()
