"""Requests to a daemon's HTTP API, over the socket in its data folder."""
import http.client
import json
import socket

from processes import Failure

TIMEOUT_S = 60


class _Connection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def _answer(node, method, path, body):
    connection = _Connection(str(node.path / "api.sock"))
    try:
        headers = {"Content-Type": "application/json"} if body else {}
        connection.request(method, path, json.dumps(body) if body else None,
                           headers)
        answer = connection.getresponse()
        data = answer.read()
    finally:
        connection.close()
    return answer.status, data


def request(node, method, path, body=None):
    """Status, and the JSON value of the answer or None."""
    status, data = _answer(node, method, path, body)
    return status, json.loads(data) if data else None


def lines(node, method, path, body=None):
    """The JSON values of the lines of an answer that must be a success."""
    status, data = _answer(node, method, path, body)
    if status != 200:
        raise Failure(f"{method} {path}: {status}: {data}")
    return [json.loads(line) for line in data.splitlines()]


def get(node, path):
    """The JSON value of a GET that must succeed."""
    status, value = request(node, "GET", path)
    if status != 200:
        raise Failure(f"GET {path}: {status}: {value}")
    return value
