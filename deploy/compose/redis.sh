#!/bin/sh
# redis.sh -- Starts Redis, durable, with the users of redis-users.acl: their passwords come from the environment, letters and digits alone,
# and stand in no argument that others could read. Further arguments go to Redis.
set -eu
umask 077
sed -e "s/>REDIS_PASSWORD /#$(printf %s "$REDIS_PASSWORD" | sha256sum | cut -c 1-64) /" \
  -e "s/>REDIS_EXPORTER_PASSWORD /#$(printf %s "$REDIS_EXPORTER_PASSWORD" | sha256sum | cut -c 1-64) /" \
  "$(dirname "$0")/redis-users.acl" > "${TMPDIR:-/tmp}/users.acl"
# The most durable setting: see the durability matrix in docs/durability.md.
exec redis-server --aclfile "${TMPDIR:-/tmp}/users.acl" --appendonly yes --appendfsync always \
  --maxmemory "${REDIS_MAXMEMORY:-1gb}" --maxmemory-policy noeviction --save '' "$@"
