"""A proxy between clients and a broker that can keep back what some clients send, beyond their death.

    with LateProxy() as proxy, Broker(jars, advertised=proxy.port) as broker:
        proxy.forward_to(broker.port)
        proxy.keep_back()                    # what clients send that are connected now
        proxy.kept_bytes(PRODUCE)
        proxy.release_behind(2, LIST_OFFSETS)    # as soon as so many answers to such requests of other clients have passed

It knows of Kafka's protocol that requests begin with their length, the number of what is asked and their own number, and answers
with their length and the number of the request.
"""

import queue
import socket
import struct
import threading

PRODUCE, LIST_OFFSETS = 0, 2


def read_frame(from_):
    """With its length; None at the end."""
    frame = b""
    wanted = 4
    while len(frame) < wanted:
        piece = from_.recv(wanted - len(frame))
        if not piece:
            return None
        frame += piece
        if len(frame) == 4:
            wanted = 4 + struct.unpack(">i", frame)[0]
    return frame


class Connection:
    def __init__(self, proxy, client, broker):
        self.proxy, self.client, self.broker = proxy, client, broker
        self.is_kept = False
        self.requests = queue.Queue()
        self.waiting = []  # requests that have not gone to the broker yet
        self.asked = {}  # the kind of each request that is not answered
        for work in (self.read_requests, self.pass_requests, self.pass_answers):
            threading.Thread(target=self.run, args=(work,), daemon=True).start()

    def run(self, work):
        try:
            work()
        except OSError:
            pass  # one of both ends has gone

    def read_requests(self):
        try:
            while frame := read_frame(self.client):
                self.waiting.append(frame)
                self.requests.put(frame)
        finally:
            self.requests.put(None)

    def pass_requests(self):
        while frame := self.requests.get():
            if self.is_kept:
                self.proxy.released.wait()
            kind, _, number = struct.unpack(">hhi", frame[4:12])
            self.asked[number] = kind
            self.broker.sendall(frame)
            self.waiting.remove(frame)
        self.broker.shutdown(socket.SHUT_WR)

    def pass_answers(self):
        try:
            while frame := read_frame(self.broker):
                kind = self.asked.pop(struct.unpack(">i", frame[4:8])[0], None)
                try:
                    self.client.sendall(frame)
                except OSError:
                    continue  # the client is dead; the broker is not to notice
                if not self.is_kept:
                    self.proxy.answered(kind)
        finally:
            self.client.close()


class LateProxy:
    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.target = None
        self.connections = []
        self.released = threading.Event()
        self.released.set()
        self.awaited = None  # the kind of answers, and how many, behind which what is kept goes on

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.released.set()
        self.listener.close()
        for c in self.connections:
            c.client.close()
            c.broker.close()

    def forward_to(self, port):
        self.target = port
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(Connection(self, client, socket.create_connection(("127.0.0.1", self.target))))

    def keep_back(self):
        self.released.clear()
        for c in self.connections:
            c.is_kept = True

    def kept_bytes(self, kind):
        return sum(len(frame) for c in self.connections if c.is_kept for frame in list(c.waiting)
                   if struct.unpack(">h", frame[4:6])[0] == kind)

    def release_behind(self, count, kind):
        self.awaited = [kind, count]

    def answered(self, kind):
        if self.awaited is None or self.awaited[0] != kind:
            return
        self.awaited[1] -= 1
        if self.awaited[1] == 0:
            self.awaited = None
            self.released.set()
