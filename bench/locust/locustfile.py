# Locust: five classes of users that request a coupon, and the record of their answers.
#
# A refusal is an expected answer: it stands in the statistics under a name of its own and is no failure. A 503, a lost
# connection and every other status are failures. The first process makes the coupon, before any load is sent, and hands
# its id to the others; each process that sends load records its answers for `bench/verify.ts`.
#
# Environment: TARGET, ADMIN_API_KEY, STOCK (pieces of the coupon, `0` for no limit), RECORD (folder; nothing is written
# when it is not set), P99_MS_MAX, USER_ID_PREFIX (what stands before each user's id, such as `auth0|`).
import json
import os
import sys
import urllib.error
import urllib.request
from datetime import datetime, timedelta, timezone
from itertools import count

import gevent
from locust import FastHttpUser, constant_throughput, events, task
from locust.runners import MasterRunner, WorkerRunner

TARGET = os.environ.get("TARGET", "http://localhost:3000").rstrip("/")
STOCK = int(os.environ.get("STOCK", "2000"))
P99_MS_MAX = int(os.environ.get("P99_MS_MAX", "2000"))
USER_ID_PREFIX = os.environ.get("USER_ID_PREFIX", "")

# The process that read this file: the workers of `--processes` are copies of it.
IMPORTED_BY = os.getpid()

# One request in ten repeats a recent user.
REPEAT_EVERY = 10
REPEAT_AFTER = 5


class Record:
    """The answers that this process got: a line for each answer that named a sequence, and the number of answers of each kind."""

    def __init__(self, coupon_id, process_name):
        self.coupon_id = coupon_id
        self.process_name = process_name
        self.turns = count()
        self.counts = dict.fromkeys(["accepted", "duplicated", "soldOut", "indeterminate", "unexpected"], 0)
        folder = os.environ.get("RECORD")
        self.path = None if folder is None else os.path.join(folder, f"locust-{process_name}")
        self.claims = None if self.path is None else open(f"{self.path}.claims.log", "w", encoding="utf-8")

    def next_user_id(self):
        """A new user of this process, or the one of five requests ago."""
        turn = next(self.turns)
        return f"{USER_ID_PREFIX}{self.process_name}-{turn - REPEAT_AFTER if turn % REPEAT_EVERY == REPEAT_EVERY - 1 else turn}"

    def add(self, kind, line=None):
        self.counts[kind] += 1
        if line is not None and self.claims is not None:
            self.claims.write(f"{line}\n")

    def save(self):
        if self.path is None:
            return
        self.claims.flush()
        with open(f"{self.path}.counts.json", "w", encoding="utf-8") as file:
            json.dump({"couponId": self.coupon_id, "counts": self.counts}, file)


class CouponUser(FastHttpUser):
    """A user who sends ten requests a second, as long as answers come."""

    abstract = True
    host = TARGET
    network_timeout = 10.0
    connection_timeout = 10.0
    wait_time = constant_throughput(10)

    def ask_for_coupon(self, path, success):
        record = self.environment.record
        user_id = record.next_user_id()
        body = {"couponId": record.coupon_id, "userId": user_id}
        with self.client.post(path, json=body, catch_response=True) as response:
            judge(response, path, user_id, success, record)


def judge(response, path, user_id, success, record):
    """Separates expected answers from failures, and records them."""
    status = response.status_code
    answer = read_json(response.text)
    sequence = answer.get("sequence")
    code = answer.get("code")
    if status == success and isinstance(sequence, int):
        record.add("accepted", f"{status} {user_id} {sequence}")
        response.success()
    elif status == 409 and code == "DUPLICATED_COUPON_ISSUE" and isinstance(sequence, int):
        record.add("duplicated", f"409 {user_id} {sequence}")
        response.request_meta["name"] = f"{path} (refused: duplicated)"
        response.success()
    elif status == 409 and code == "INVALID_COUPON_ISSUE_QUANTITY" and STOCK > 0:
        record.add("soldOut")
        response.request_meta["name"] = f"{path} (refused: sold out)"
        response.success()
    elif status in (0, 503):
        record.add("indeterminate")
        response.failure(f"indeterminate: {status} {code or response.error}")
    else:
        record.add("unexpected", f"note {status} {' '.join((response.text or '')[:200].split())}")
        response.failure(f"unexpected: {status} {code}")


def read_json(text):
    try:
        parsed = json.loads(text or "null")
    except ValueError:
        # Not JSON, perhaps an answer of a proxy in between: the caller judges by the status.
        return {}
    return parsed if isinstance(parsed, dict) else {}


class HelloUser(CouponUser):
    """The baseline: touches no store."""

    @task
    def hello(self):
        with self.client.get("/hello", catch_response=True) as response:
            if response.status_code == 200 and response.text == "hello":
                response.success()
            else:
                response.failure(f"unexpected: {response.status_code}")


class IssueUser(CouponUser):
    """`POST /v1/issue`, which answers once the row is in MySQL."""

    @task
    def issue(self):
        self.ask_for_coupon("/v1/issue", 201)


class IssueAsyncV1User(CouponUser):
    """`POST /v1/issue-async`, which decides under a distributed lock."""

    @task
    def issue(self):
        self.ask_for_coupon("/v1/issue-async", 202)


class IssueAsyncV2User(CouponUser):
    """`POST /v2/issue-async`, which decides in one script."""

    @task
    def issue(self):
        self.ask_for_coupon("/v2/issue-async", 202)


class MixedUser(CouponUser):
    """All three endpoints on one coupon, which must stay exact through any mix of them."""

    @task
    def issue(self):
        self.ask_for_coupon("/v1/issue", 201)

    @task
    def issue_async_v1(self):
        self.ask_for_coupon("/v1/issue-async", 202)

    @task
    def issue_async_v2(self):
        self.ask_for_coupon("/v2/issue-async", 202)


@events.init_command_line_parser.add_listener
def add_options(parser):
    # A custom option of the master is handed to its workers: so they learn of the coupon.
    parser.add_argument("--coupon-id", type=int, default=0, help="made by the first process; not for people")


@events.init.add_listener
def prepare(environment, **_):
    """Ends the run before any load is sent when the target is not ready or the coupon cannot be made."""
    if isinstance(environment.runner, WorkerRunner):
        gevent.spawn(leave_with_parent, environment.runner)
        return
    refuse_unhealthy()
    only_hello = all(user_class is HelloUser for user_class in environment.user_classes)
    if not only_hello:
        environment.parsed_options.coupon_id = create_coupon()


def leave_with_parent(runner):
    """A worker that `--processes` made would wait a minute for a master that ended immediately, and call that an error."""
    if os.getpid() == IMPORTED_BY:
        return
    while os.getppid() == IMPORTED_BY:
        gevent.sleep(0.2)
    runner.quit()


def refuse_unhealthy():
    status, text = ask("/readyz", {})
    if status != 200:
        sys.exit(f"TARGET is not ready: {TARGET}/readyz answers {status} {text}")


def create_coupon():
    now = datetime.now(timezone.utc)
    coupon = {
        "title": "Locust",
        "totalQuantity": STOCK if STOCK > 0 else None,
        "discountAmount": 1000,
        "minAvailableAmount": 10000,
        "dateIssueStart": instant(now - timedelta(minutes=1)),
        "dateIssueEnd": instant(now + timedelta(days=1)),
    }
    headers = {"content-type": "application/json", "authorization": f"Bearer {os.environ.get('ADMIN_API_KEY', '')}"}
    status, text = ask("/v1/coupons", headers, json.dumps(coupon).encode())
    coupon_id = read_json(text).get("id")
    if status != 201 or not isinstance(coupon_id, int):
        sys.exit(f"a coupon cannot be created: {TARGET}/v1/coupons answers {status} {text}; see ADMIN_API_KEY")
    return coupon_id


def instant(when):
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ask(path, headers, body=None):
    """The status and the text of an answer, on one line; status 0 and the reason when there is none."""
    try:
        with urllib.request.urlopen(urllib.request.Request(TARGET + path, body, headers), timeout=5) as response:
            return response.status, one_line(response.read())
    except urllib.error.HTTPError as error:
        return error.code, one_line(error.read())
    except (OSError, ValueError) as error:
        return 0, str(error)


def one_line(body):
    return " ".join(body.decode("utf-8", "replace").split())[:1000]


@events.test_start.add_listener
def open_record(environment, **_):
    # The master sends no load.
    if not isinstance(environment.runner, MasterRunner):
        index = getattr(environment.runner, "worker_index", 0)
        environment.record = Record(environment.parsed_options.coupon_id, f"process{index}")


@events.test_stop.add_listener
def save_record(environment, **_):
    record = getattr(environment, "record", None)
    if record is not None and record.coupon_id > 0:
        record.save()


@events.quitting.add_listener
def judge_run(environment, **_):
    """A run without requests or with late answers is a failure; one with failed requests is one to Locust itself."""
    if isinstance(environment.runner, WorkerRunner):
        return
    total = environment.stats.total
    if total.num_requests == 0:
        print("FAILED: no request was sent", file=sys.stderr)
        environment.process_exit_code = 1
    elif total.get_response_time_percentile(0.99) > P99_MS_MAX:
        print(f"FAILED: p99 is above {P99_MS_MAX} ms", file=sys.stderr)
        environment.process_exit_code = 1
