"""shop.py -- A backend in Python that issues coupons for its signed-in users: `POST /coupons/1`. Standard library alone.

COUPON_URL is the address of the API, COUPON_KEY a key with the scope `issue` (`bun run keys create --scope issue`).
A timeout, a broken connection and a 5xx tell nothing: the request is sent again, and the answer then tells who has the coupon.
"""

import json
import os
import random
import time
import urllib.error
import urllib.request
from wsgiref.simple_server import make_server

URL = os.environ.get("COUPON_URL", "http://localhost:3000")
KEY = os.environ.get("COUPON_KEY", "local-development-key-not-a-secret")
ATTEMPTS = 5


def issue(coupon_id: int, user_id: str) -> dict:
    """What to tell the user: `issued` with a number, or why not. Never an unconfirmed result."""
    ambiguous = False
    for attempt in range(ATTEMPTS):
        if attempt > 0:
            # With jitter: a crowd that was turned away together must not come back together.
            time.sleep(0.2 * 2**attempt * random.uniform(0.5, 1))
        try:
            status, body = send(coupon_id, user_id)
        except OSError:
            ambiguous = True
            continue
        if status >= 500 or status == 429:
            ambiguous = ambiguous or status >= 500
            continue
        if status in (201, 202):
            return {"result": "issued", "sequence": body["sequence"]}
        code = body.get("code")
        if code == "DUPLICATED_COUPON_ISSUE":
            return {"result": "issued" if ambiguous else "already issued", "sequence": body["sequence"]}
        if ambiguous and code != "INVALID_COUPON_ISSUE_QUANTITY":
            break
        return {"result": code}
    return {"result": "unknown"}


def send(coupon_id: int, user_id: str) -> tuple[int, dict]:
    request = urllib.request.Request(
        f"{URL}/v2/issue-async",
        data=json.dumps({"couponId": coupon_id, "userId": user_id}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            try:
                return error.code, json.load(error)
            except ValueError:
                # Not an answer of the API: a proxy, perhaps.
                return 502, {}


def app(environ, start_response):
    user_id = signed_in_user(environ)
    _, _, coupon_id = environ["PATH_INFO"].rpartition("/coupons/")
    if environ["REQUEST_METHOD"] != "POST" or not coupon_id.isdecimal():
        start_response("404 Not Found", [("Content-Type", "application/json")])
        return [b"{}"]
    if user_id is None:
        start_response("401 Unauthorized", [("Content-Type", "application/json")])
        return [b"{}"]
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(issue(int(coupon_id), user_id)).encode()]


def signed_in_user(environ) -> str | None:
    """Who is signed in, by your own session. Here a header stands for it: never trust one like this."""
    return environ.get("HTTP_X_DEMO_USER")


if __name__ == "__main__":
    with make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), app) as server:
        print(f"listening on {server.server_port}", flush=True)
        server.serve_forever()
