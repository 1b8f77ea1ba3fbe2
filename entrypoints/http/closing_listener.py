"""How a listening socket is closed so that nobody who reached it is reset.

Linux resets whatever connections wait to be accepted at the moment a listener closes, and on a busy machine there are
some. So it takes no new ones first, while those under way are accepted as ever.
"""

import contextlib
import ctypes
import socket
import struct
import sys

_ATTACH_FILTER = 26
"""SO_ATTACH_FILTER of Linux's `asm-generic/socket.h`; Python does not name it."""
_PROGRAM = b"".join(
    struct.pack("=HBBI", *instruction)
    for instruction in (
        (0x30, 0, 0, 13),  # load the byte of TCP's flags
        (0x45, 0, 1, 0x02),  # SYN, as only a connection's first segment comes to a listener
        (0x06, 0, 0, 0),  # drop it
        (0x06, 0, 0, 0xFFFFFFFF),  # keep anything else, such as the end of a handshake
    )
)
"""A classic BPF program, which sees a segment from its TCP header on; see `filter.rst` of the kernel."""


def take_no_more(listener: socket.socket) -> None:
    """Let `listener` drop the first segments of connections: their senders try again in a second, and find nobody.

    Where the system cannot do that it changes nothing.
    """
    if sys.platform != "linux" or listener.family not in {socket.AF_INET, socket.AF_INET6}:
        return
    program = ctypes.create_string_buffer(_PROGRAM, len(_PROGRAM))
    count = len(_PROGRAM) // 8
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HL", count, ctypes.addressof(program)))
