# Issues a coupon with the client that openapi-python-client makes, and reads the code of the refusal of a second request.
import importlib
import pkgutil
import sys

import coupon_issuing_client
from coupon_issuing_client import Client
from coupon_issuing_client.api.issuing import issue_with_script
from coupon_issuing_client.models import Issue, IssueRequest, Problem

# Python compiles a module when it is imported: all of them are.
for module in pkgutil.walk_packages(coupon_issuing_client.__path__, "coupon_issuing_client."):
    importlib.import_module(module.name)

client = Client(base_url=sys.argv[1])
request = IssueRequest(coupon_id=int(sys.argv[2]), user_id="python")
issue = issue_with_script.sync(client=client, body=request)
assert isinstance(issue, Issue), issue
print(issue.status.value, issue.sequence)
problem = issue_with_script.sync(client=client, body=request)
assert isinstance(problem, Problem), problem
print(problem.code.value, problem.sequence)
