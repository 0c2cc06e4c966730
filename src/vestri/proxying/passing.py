"""When bytes pass from one transport to the other without being read here."""

#: Bytes read at once from which it is worth while to let more pass unread, and those of a body that are still to come.
LARGE, LONG = 16 * 1024, 128 * 1024
#: Of bytes to pass unread: all that are there.
ANY = 2**30


def worth_passing(data, body):
    """Whether more of a body than was read just now may lie ready, and much of it is still to come."""
    return len(data) >= LARGE and body.unread >= LONG
