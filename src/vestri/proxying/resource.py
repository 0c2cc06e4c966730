"""What a matcher path is mounted as: a twisted.web resource that balances over the replicas of a service."""

from twisted.web.proxy import ReverseProxyResource
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from vestri.proxying.rendering import WebClient
from vestri.routing import prefix_of


class BalancingResource(ReverseProxyResource):
    """Takes the requests of one matcher path, whether Vestri's own connections read them or a stock `Site` does.

    Of `ReverseProxyResource` it keeps the shape: the place in a resource tree, `getChild` and `render`.
    What that class does with a request it does better: see `relay`.

    destination: the service's `Destination`.  site: the `Site` whose limits and observers hold for `render`.
    """

    def __init__(self, destination, site):
        replica = destination.service.replicas[0]
        super().__init__(replica.host, replica.port, replica.base_path.encode("ascii"))
        self.destination, self._site = destination, site

    def relay(self, exchange):
        """Send the request of an exchange to one of the replicas, and its answer back."""
        exchange.relay(self.destination)

    def getChild(self, path, request):
        """Everything below the matcher path is its own, but for what is mounted there."""
        request.prepath += request.postpath
        request.postpath.clear()
        return self

    def render(self, request):
        """Relay a request that a stock twisted.web `Site` has read, as if it had come to a listener of ours."""
        WebClient(request, self._site).begin()
        return NOT_DONE_YET

    def __repr__(self):
        return f"<BalancingResource {self.destination.service.matcher.path} of {self.destination.service.name!r}>"


class Waypoint(Resource):
    """A segment on the way to a matcher path, where a shorter matcher path holds, or none: then 404."""

    def __init__(self, site):
        super().__init__()
        self._site = site

    getChild = BalancingResource.getChild

    def render(self, request):
        WebClient(request, self._site).begin()
        return NOT_DONE_YET


def tree(mounted, site):
    """The root of a resource tree in which each `BalancingResource` stands at its matcher path.

    mounted: matcher path as text -> resource.
    """
    by_prefix = {prefix_of(path): resource for path, resource in mounted.items()}
    root = by_prefix.get(b"") or Waypoint(site)
    for prefix in sorted(by_prefix):
        node, walked = root, b""
        for segment in prefix.split(b"/")[1:]:
            walked += b"/" + segment
            if segment not in node.children:
                node.putChild(segment, by_prefix.get(walked) or Waypoint(site))
            node = node.children[segment]
    return root
