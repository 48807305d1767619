#!/usr/bin/env bash
# try.sh -- Tries a system that was just started or rolled out: makes a coupon of three, issues it through the three endpoints, is
# refused when it is gone, waits for the rows, counts the promises. Ends with 1 and a line where something is not as it must be.
#
#   ADMIN_API_KEY=… deploy/try.sh http://localhost:3000
set -euo pipefail

base=${1:?usage: ADMIN_API_KEY=… deploy/try.sh ADDRESS}
key=${ADMIN_API_KEY:?ADMIN_API_KEY is not set}
body=$(mktemp)
trap 'rm -f "$body"' EXIT

# call STATUS METHOD PATH [BODY]: calls, expects the status, leaves the answer in $body.
call() {
  local status
  status=$(curl --silent --max-time 30 --output "$body" --write-out '%{http_code}' --request "$2" "$base$3" \
    --header "authorization: Bearer $key" --header 'content-type: application/json' ${4:+--data "$4"}) || true
  [ "$status" = "$1" ] && return
  echo "$2 $3 was answered ${status:-nothing} and not $1: $(cat "$body")" >&2
  exit 1
}

# holds TEXT: expects the text in the last answer.
holds() {
  grep --quiet --fixed-strings -- "$1" "$body" && return
  echo "$1 is not in $(cat "$body")" >&2
  exit 1
}

call 200 GET /readyz
call 201 POST /v1/coupons '{"title":"Trial","totalQuantity":3,"discountAmount":0,"minAvailableAmount":0,
  "dateIssueStart":"2026-01-01T00:00:00Z","dateIssueEnd":"2100-01-01T00:00:00Z"}'
id=$(sed 's/.*"id":\([0-9]*\).*/\1/' "$body")
call 201 POST /v1/issue "{\"couponId\":$id,\"userId\":\"trial-1\"}"
call 202 POST /v1/issue-async "{\"couponId\":$id,\"userId\":\"trial-2\"}"
call 202 POST /v2/issue-async "{\"couponId\":$id,\"userId\":\"trial-3\"}"
call 409 POST /v2/issue-async "{\"couponId\":$id,\"userId\":\"trial-4\"}"
holds INVALID_COUPON_ISSUE_QUANTITY
for user in trial-1 trial-2 trial-3; do
  call 200 GET "/v1/coupons/$id/issues/$user?waitMs=10000"
  holds '"status":"ISSUED"'
done
call 200 GET "/v1/coupons/$id/audit"
for count in '"rows":3' '"unpersisted":0' '"missing":0' '"unexpected":0'; do holds "$count"; done
# Nobody meets the trial coupon again: it is over.
call 200 PATCH "/v1/coupons/$id" '{"paused":true}'
echo "All is well: coupon $id was issued three times, refused once, and is paused."
