"""checkout.py -- A shop's checkout in Python: an order uses a coupon by its code or its customer, and gives it back when it is cancelled.

  python3 examples/python/checkout.py use order-7 SUMMER-K7WQ-3N9X     by its code; says which coupon of whom it was
  python3 examples/python/checkout.py use order-7 1 42                 coupon 1 of user 42
  python3 examples/python/checkout.py cancel order-7 1 42              gives it back

COUPON_URL is the address of the API, COUPON_KEY a key with the scope `issue` (`bun run keys create --scope issue`). Standard library alone.
All may be repeated after any interruption, since the id of the order is the reference of the use.
"""

import json
import os
import random
import sys
import time
import urllib.error
import urllib.request
from urllib.parse import quote

URL = os.environ.get("COUPON_URL", "http://localhost:3000")
KEY = os.environ.get("COUPON_KEY", "local-development-key-not-a-secret")
ATTEMPTS = 5

# What the customer reads.
WORDS = {
    "CODE_NOT_EXIST": "There is no such code.",
    "ISSUE_NOT_EXIST": "You do not have this coupon.",
    "ISSUE_ALREADY_USED": "This coupon was used for another order.",
    "ISSUE_NOT_USABLE": "This coupon cannot be used today.",
    "ISSUE_REVOKED": "This coupon is not valid any more.",
    "TOO_MANY_REQUESTS": "Please try again in a minute.",
}


class Unknown(Exception):
    """Neither done nor refused was confirmed: repeat it before the order goes on."""


def use_code(order_id: str, code: str) -> tuple[int, dict]:
    """Uses a coupon by its code. Keep `couponId` and `userId` of the answer with the order: giving it back needs them."""
    return send("POST", f"/v1/codes/{quote(code, safe='')}/use", {"reference": order_id})


def use_issue(order_id: str, coupon_id: int, user_id: str) -> tuple[int, dict]:
    """Uses the coupon of a customer. Call it last before the order is paid, and again if the process died meanwhile."""
    return send("POST", f"{path_of(coupon_id, user_id)}/use", {"reference": order_id})


def give_back(order_id: str, coupon_id: int, user_id: str) -> str:
    """Gives the coupon back. An order that has not used it, or has given it back before, changes nothing."""
    status, answer = send("DELETE", f"{path_of(coupon_id, user_id)}/use?reference={quote(order_id, safe='')}")
    # Another order uses it by now, or none does: in both cases this order has nothing to give back.
    if status == 200 or answer["code"] in ("ISSUE_NOT_USED", "ISSUE_ALREADY_USED"):
        return "given back"
    return answer["detail"]


def path_of(coupon_id: int, user_id: str) -> str:
    return f"/v1/coupons/{coupon_id}/issues/{quote(user_id, safe='')}"


def send(method: str, path: str, body: dict | None = None) -> tuple[int, dict]:
    """Status and body of the answer. A timeout, a broken connection and a 5xx tell nothing: the request is sent again."""
    for attempt in range(ATTEMPTS):
        if attempt > 0:
            # With jitter: callers that failed together must not come back together.
            time.sleep(0.2 * 2**attempt * random.uniform(0.5, 1))
        try:
            status, answer = send_once(method, path, body)
        except (OSError, ValueError):
            # Also what is no answer of the API: of a proxy, perhaps.
            continue
        # A limit that is reached after an attempt without an answer says nothing of that attempt.
        if status < 500 and (status != 429 or attempt == 0):
            return status, answer
    raise Unknown


def send_once(method: str, path: str, body: dict | None) -> tuple[int, dict]:
    request = urllib.request.Request(
        URL + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def main(what: str, order_id: str, code_or_coupon: str, user_id: str | None = None) -> str:
    try:
        if what == "cancel":
            return give_back(order_id, int(code_or_coupon), user_id or "")
        if user_id is None:
            status, answer = use_code(order_id, code_or_coupon)
        else:
            status, answer = use_issue(order_id, int(code_or_coupon), user_id)
    except Unknown:
        return "unknown"
    if status == 200:
        return f"used coupon {answer['couponId']} of {answer['userId']}"
    return WORDS.get(answer["code"], answer["detail"])


if __name__ == "__main__":
    print(main(*sys.argv[1:]))
