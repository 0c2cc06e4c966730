"""twistd's signpost to `vestri.tap`."""

from twisted.application.service import ServiceMaker

vestri = ServiceMaker("vestri", "vestri.tap", "An HTTP load balancer and reverse proxy.", "vestri")
