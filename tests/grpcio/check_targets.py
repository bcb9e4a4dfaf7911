"""Calls a running server with grpcio through targets of every kind, without the option of an authority.

    PYTHONPATH=.runtime/python python3 tests/grpcio/check_targets.py ADDRESS SOCKET

gRPC's C core sends the target as the HTTP/2 authority, percent-encoded.
"""

import sys

import grpc

METHOD = "/inference.GRPCInferenceService/ServerLive"
# ServerLiveResponse { live: true }
LIVE = b"\x08\x01"


def main() -> None:
    address, socket = sys.argv[1:]
    targets = [
        address,
        f"dns:///{address}",
        f"ipv4:{address}",
        f"ipv4:{address},{address}",
        f"unix:{socket}",
        f"unix://{socket}",
    ]
    for target in targets:
        with grpc.insecure_channel(target, options=[("grpc.enable_http_proxy", 0)]) as channel:
            # The second call refers to the authority of the first in the table of HPACK.
            for _ in range(2):
                assert channel.unary_unary(METHOD)(b"", timeout=60) == LIVE, target
            # A long header moves the entries of the table, and a refused call must not disturb it.
            long = (("x-request-id", "a" * 100), ("x-padding", "b" * 3000))
            assert channel.unary_unary(METHOD)(b"", timeout=60, metadata=long) == LIVE, target
            assert channel.unary_unary(METHOD)(b"", timeout=60) == LIVE, target
    print(f"{len(targets)} targets work without an authority")


if __name__ == "__main__":
    main()
