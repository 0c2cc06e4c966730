"""Real HTTP servers for the live matrix, all of which serve the same things.

| target | answer |
|---|---|
| /hello | `HELLO`, with an ETag, or 304 |
| /empty | 204 |
| /moved | 302 to `MOVED_TO` |
| /cookies | a Set-Cookie for each of `COOKIES` |
| /gzip | `HELLO`, as `GZIP`, with Content-Encoding |
| /file | `FILE`, or a range of it |
| /chunked, /until-close | `HELLO`, without a length |
| /echo/… | the request's target as it came |
| /port | the port that the connection comes from |
| /upload/… | takes a body and says its `digest`, or keeps it (nginx) |
| /events | three server-sent events; before each but the first it waits for a GET of /next |
| /endless | 1 GiB of zeros; /sending says how many of those are under way |
| /ws | a WebSocket that says everything again |
"""

import gzip
import hashlib
import random

HELLO = b"Hello from a replica.\n" * 20
GZIP = gzip.compress(HELLO, mtime=0)
FILE = random.Random(3).randbytes(10 * 1024 * 1024)
MOVED_TO = "/hello?from=%2Fmoved%20there&x=1#part"
COOKIES = ("a=1; Path=/; HttpOnly", "b=2; Expires=Wed, 09 Jun 2100 10:18:14 GMT", "a=3; Path=/x", 'c="4,5"')
ENDLESS = 1024 * 1024 * 1024


def digest(body):
    """What a server says of an upload."""
    return b"%d %b" % (len(body), hashlib.sha256(body).hexdigest().encode())
