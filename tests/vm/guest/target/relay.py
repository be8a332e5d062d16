"""Lets the shell reach fulmard's UNIX socket: /dev/tcp/127.0.0.1/PORT to SOCKET, a thread for each direction.

A program that makes one REST call takes a second to start under emulation; the shell alone takes none.
"""

import socket
import sys
import threading


def copy(source: socket.socket, to: socket.socket) -> None:
    try:
        while piece := source.recv(65536):
            to.sendall(piece)
        to.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # one of the two has gone: the shell sees an answer that is not whole


def serve(client: socket.socket, path: str) -> None:
    with client, socket.socket(socket.AF_UNIX) as server:
        try:
            server.connect(path)
        except OSError:
            return
        there = threading.Thread(target=copy, args=(client, server), daemon=True)
        there.start()
        copy(server, client)


def main() -> None:
    port, path = int(sys.argv[1]), sys.argv[2]
    with socket.create_server(("127.0.0.1", port), backlog=64) as listener:
        while True:
            client, _ = listener.accept()
            threading.Thread(target=serve, args=(client, path), daemon=True).start()


main()
