"""webhook_receiver.py -- Receives webhooks in Python: verifies their signature, and handles each event once and in order.

  WEBHOOK_SECRET=whsec_… python3 examples/python/webhook_receiver.py     listens on PORT, by default 4000

Standard library alone; the package `standardwebhooks` of PyPI verifies the same. A shop keeps what it has handled in its database, in the
transaction of what it does: here it is kept in memory.
"""

import base64
import hashlib
import hmac
import json
import os
import time
from wsgiref.simple_server import make_server

KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))
TOLERANCE_S = 300
BODY_BYTES_MAX = 1_000_000

handled: set[str] = set()


def handle(event: dict) -> None:
    """Does what the shop has to do; raising makes the request be sent again."""
    print(event["timestamp"], event["type"], json.dumps(event["data"]), flush=True)


def is_signed(message_id: str, timestamp: str, signatures: str, body: bytes) -> bool:
    """Whether the coupon system has sent these very bytes, and within five minutes."""
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE_S:
        return False
    signed = f"{message_id}.{timestamp}.".encode() + body
    expected = "v1," + base64.b64encode(hmac.digest(KEY, signed, hashlib.sha256)).decode()
    # Several while a secret is changed. Compared as bytes, in the same time wherever they differ.
    return any(hmac.compare_digest(expected.encode(), given.encode()) for given in signatures.split(" "))


def receive(environ) -> str:
    length = environ.get("CONTENT_LENGTH") or "0"
    if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
        return "413 Content Too Large"
    # The signature is of these very bytes: they are verified before anything reads them.
    body = environ["wsgi.input"].read(int(length))
    headers = [environ.get(f"HTTP_WEBHOOK_{name}", "") for name in ("ID", "TIMESTAMP", "SIGNATURE")]
    if not is_signed(*headers, body):
        return "401 Unauthorized"
    for event in json.loads(body)["data"]["events"]:
        # Sent again after an answer that was lost.
        if event["id"] in handled:
            continue
        handle(event)
        handled.add(event["id"])
    return "204 No Content"


def app(environ, start_response):
    start_response(receive(environ), [])
    return []


if __name__ == "__main__":
    with make_server("127.0.0.1", int(os.environ.get("PORT", "4000")), app) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
