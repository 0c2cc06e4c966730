"""Become another command that ends when its parent does, however that ends.

``python -m vestri.commands.demo.tethered PARENT COMMAND…``, PARENT being the process id of the parent.
"""

import ctypes
import os
import signal
import sys

#: prctl(2)
PR_SET_PDEATHSIG = 1


def main(parent, *command):
    """In a session of its own, so that a Ctrl-C reaches the parent alone, which then ends things in order."""
    os.setsid()
    if sys.platform == "linux":  # elsewhere only a parent that is killed outright leaves us behind
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() == int(parent):
        os.execv(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
