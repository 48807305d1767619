// checks.ts -- Judges the facts of a preflight: pure, so that each verdict can be tested without a store that is in trouble.

import { poolSizes } from '../../mysql/database.ts';
import type { RedisFacts, RedisServer } from '../../redis/servers.ts';
import { replicationFault } from '../../redis/durability.ts';
import { type Drop, type Facts, NEIGHBOUR_MS, type PreflightSettings } from './facts.ts';
import {
  type CheckName,
  checkNames,
  finding,
  type FindingCode,
  type Preflight,
  type PreflightCheck,
  worstOf,
} from './findings.ts';
import { OWNER_BYTES, ROW_BYTES, WAITING_BYTES } from './sizes.ts';

/** From this share of its bound on something is near it. */
const NEAR = 0.8;
/** Clocks that differ by more let a drop begin early for some. */
const APART_MS_MAX = 100;
/** Age of the oldest entry above which the workers are behind. */
const BEHIND_MS_MAX = 10_000;
/** Of a replica. */
const LAG_S_MAX = 5;
/** What docs/proxy.md asks for. */
const SOCKET_BACKLOG_MIN = 4096;

/** Judges everything. */
export function checkDrop(facts: Facts, settings: PreflightSettings): Preflight {
  const { coupon, drop, processes, backlog } = facts;
  const checks = [
    ...checkCoupon(facts),
    ...facts.servers.flatMap((server) => checkServer(server, facts, settings)),
    checkBacklog(facts, settings),
    checkWriting(facts),
    ...checkMysql(facts, settings),
    ...checkHost(facts),
    checkLimits(settings),
    checkClocks(facts),
    checkOthers(facts),
  ];
  return {
    couponId: coupon.id,
    status: worstOf(checks),
    pieces: drop.left,
    redisBytes: drop.left === null ? null : redisBytesOf([drop], drop, settings),
    mysqlBytes: drop.left === null ? null : Math.round(drop.left * ROW_BYTES),
    processes,
    unpersisted: backlog?.unpersistedUsers ?? null,
    checks: checks.toSorted((a, b) => checkNames.indexOf(a.name) - checkNames.indexOf(b.name)),
  };
}

function checkCoupon({ coupon, isOpen, mysql: { nowMs } }: Facts): PreflightCheck[] {
  const startsS = Math.round((coupon.startMs - nowMs) / 1000);
  const isOver = nowMs >= coupon.endMs;
  const code = isOver ? 'COUPON_OVER' : coupon.paused ? 'COUPON_PAUSED' : 'OK';
  const when = startsS > 0 ? `begins in ${figure(startsS)} s` : `began ${figure(-startsS)} s ago`;
  return [
    finding('period', code, isOver ? 'it is over' : when),
    finding(
      'opening',
      isOpen ? 'OK' : 'COUPON_NOT_OPENED',
      isOpen ? 'open in Redis' : `the stock is not open in Redis`,
    ),
  ];
}

const flushCodes = {
  always: 'OK',
  everysec: 'FSYNC_LATE',
  no: 'FSYNC_LATE',
  off: 'FSYNC_OFF',
  unknown: 'FSYNC_UNKNOWN',
} as const satisfies Record<RedisFacts['appendFsync'], FindingCode>;

/** One server of Redis, a replica as what it may become. */
function checkServer(server: RedisServer, facts: Facts, settings: PreflightSettings): PreflightCheck[] {
  const { address, isReplica, facts: found } = server;
  const check = (name: CheckName, code: FindingCode, detail: string) => finding(name, code, detail, address);
  if (!found) return [check('servers', isReplica ? 'REPLICA_UNREACHABLE' : 'SERVER_SILENT', 'does not answer')];
  const { clients, clientsMax, appendFsync, isAofFailing } = found;
  const isFull = 2 * clients > clientsMax;
  const connections = clientsMax === 0 ? 'CONNECTIONS_UNKNOWN' : isFull ? 'REDIS_CONNECTIONS_SHORT' : 'OK';
  return [
    check('servers', 'OK', `${found.product}, ${isReplica ? 'replica' : 'primary'}`),
    checkMemory(server, found, facts, settings),
    check('redisConnections', connections, `${figure(clients)} of ${figure(clientsMax)} are open`),
    check(
      'fsync',
      isAofFailing ? 'FSYNC_FAILING' : flushCodes[appendFsync],
      appendFsync === 'off' ? 'no AOF' : `appendfsync ${appendFsync}`,
    ),
    ...(isReplica ? [] : [checkReplicas(address, found, settings)]),
  ];
}

function checkMemory(
  { address, primary }: RedisServer,
  { usedBytes, maxBytes, machineBytes }: RedisFacts,
  { drop, others }: Facts,
  settings: PreflightSettings,
): PreflightCheck {
  const here = [drop, ...others].filter((each) => each.primary === primary);
  const needed = redisBytesOf(here, drop, settings);
  const limit = maxBytes || machineBytes;
  const room = Math.max(0, Math.floor((limit - usedBytes) / (OWNER_BYTES + WAITING_BYTES)));
  const uses = `uses ${megabytes(usedBytes)} of ${megabytes(limit)}${maxBytes > 0 ? '' : ', which is the whole machine'}`;
  const isUnlimited = here.some(({ left }) => left === null);
  const needs = `what is issued meanwhile takes ${megabytes(needed)} at most`;
  const detail = isUnlimited ? `${uses}: room for ${figure(room)} users more` : `${uses}, and ${needs}`;
  const after = usedBytes + needed;
  const code = () => {
    if (limit > 0 && after > limit) return 'MEMORY_SHORT';
    if (maxBytes === 0) return 'MEMORY_UNBOUNDED';
    if (isUnlimited) return 'MEMORY_UNKNOWN';
    return after > NEAR * limit ? 'MEMORY_NEAR' : 'OK';
  };
  return finding('memory', code(), detail, address);
}

/** What drops take in Redis at most: their owners, and those of them that wait to be written, which a partition bounds. */
function redisBytesOf(drops: readonly Drop[], own: Drop, { UNPERSISTED_USERS_MAX }: PreflightSettings): number {
  const owners = drops.reduce((sum, { newOwners }) => sum + (newOwners ?? 0), 0);
  const waiting = drops.includes(own) ? Math.min(own.left ?? 0, UNPERSISTED_USERS_MAX) : 0;
  return owners * OWNER_BYTES + waiting * WAITING_BYTES;
}

function checkReplicas(address: string, found: RedisFacts, { REPLICAS_MIN }: PreflightSettings): PreflightCheck {
  const { links } = found;
  const online = links.filter(({ isOnline }) => isOnline).length;
  const lagS = Math.max(0, ...links.map((link) => link.lagS));
  const code = () => {
    if (online < REPLICAS_MIN) return 'REPLICAS_MISSING';
    if (online < links.length || lagS > LAG_S_MAX) return 'REPLICAS_BEHIND';
    // A master of a cluster that is cut off refuses by itself.
    return found.mode !== 'cluster' && replicationFault(found, REPLICAS_MIN) ? 'REPLICAS_UNGUARDED' : 'OK';
  };
  const detail = links.length === 0 ? 'none' : `${online} of ${links.length} online, at most ${lagS} s behind`;
  return finding('replicas', code(), detail, address);
}

function checkBacklog(
  { drop, others, backlog }: Facts,
  { UNPERSISTED_USERS_MAX: most }: PreflightSettings,
): PreflightCheck {
  const beside = others.filter(({ partition }) => partition === drop.partition);
  const left = [drop, ...beside]
    .map((each) => each.left ?? Number.POSITIVE_INFINITY)
    .reduce((sum, one) => sum + one, 0);
  if (!backlog) return finding('backlog', 'SERVER_SILENT', 'Redis does not answer');
  const waits = backlog.unpersistedUsers;
  const asked = Number.isFinite(left) ? `${figure(left)} may come` : 'any number may come';
  const detail = `${figure(waits)} of ${figure(most)} wait to be written, and ${asked}`;
  return finding('backlog', waits + left > most ? 'BACKLOG_SHORT' : 'OK', detail);
}

function checkWriting({ hasWorker, rowsPerS, backlog, drop }: Facts): PreflightCheck {
  const oldestMs = backlog?.oldestMs ?? 0;
  const code = () => {
    if (hasWorker === false) return 'NO_WORKER';
    if (oldestMs > BEHIND_MS_MAX) return 'WRITING_BEHIND';
    return rowsPerS === null || hasWorker === null ? 'WRITING_UNKNOWN' : 'OK';
  };
  const rate = rowsPerS === null ? 'no row was written just now' : `${figure(rowsPerS)} rows a second`;
  const whole =
    rowsPerS === null || drop.left === null ? '' : `: this drop is written in ${figure(drop.left / rowsPerS)} s`;
  const oldest = oldestMs > 0 ? `, the oldest entry is ${figure(oldestMs / 1000)} s old` : '';
  const reads =
    hasWorker === null ? 'it is not known whether a worker reads' : hasWorker ? 'a worker reads' : 'no worker reads';
  return finding('writing', code(), `${reads}, ${rate}${whole}${oldest}`);
}

function checkMysql({ mysql, processes }: Facts, settings: PreflightSettings): PreflightCheck[] {
  const { connections, connectionsMax, flushAtCommit } = mysql;
  const each = Object.values(poolSizes(settings)).reduce((sum, size) => sum + size, 0);
  // And one more, as during a rolling restart.
  const most = Math.max(connections ?? 0, (processes ?? 0) * each) + each;
  const isKnown = connections !== null && connectionsMax !== null;
  const connectionsCode = isKnown ? (most > connectionsMax ? 'MYSQL_CONNECTIONS_SHORT' : 'OK') : 'CONNECTIONS_UNKNOWN';
  const many = `${processes ?? 'an unknown number of'} processes may take ${each} each`;
  const flushCode = flushAtCommit === null ? 'FSYNC_UNKNOWN' : flushAtCommit === 1 ? 'OK' : 'FSYNC_LATE';
  return [
    finding('mysqlConnections', connectionsCode, `${connections ?? '?'} of ${connectionsMax ?? '?'} are open; ${many}`),
    finding('fsync', flushCode, `innodb_flush_log_at_trx_commit ${flushAtCommit ?? 'unknown'}`, 'MySQL'),
  ];
}

function checkHost({ filesFault, socketBacklog }: Facts): PreflightCheck[] {
  const sockets =
    socketBacklog === null ? 'SOCKETS_UNKNOWN' : socketBacklog < SOCKET_BACKLOG_MIN ? 'SOCKETS_SHORT' : 'OK';
  return [
    finding('files', filesFault === null ? 'OK' : 'FILES_SHORT', filesFault ?? 'enough for all that callers may hold'),
    finding('sockets', sockets, `net.core.somaxconn ${socketBacklog ?? 'unknown'}`),
  ];
}

function checkLimits(settings: PreflightSettings): PreflightCheck {
  const { USER_REQUESTS_MAX: user, ADDRESS_REQUESTS_MAX: address, LIMIT_WINDOW_S, TRUSTED_PROXIES } = settings;
  const isOff = user === 0 && address === 0 && settings.CAPTCHA_VERIFY_URL === undefined;
  const isShared = address > 0 && TRUSTED_PROXIES === undefined;
  const detail = `a user ${user || 'any number of'}, an address ${address || 'any number of'} requests in ${LIMIT_WINDOW_S} s`;
  return finding('limits', isShared ? 'LIMITS_ONE_ADDRESS' : isOff ? 'LIMITS_OFF' : 'OK', detail);
}

/** By how much at least two of all clocks differ, the one of this process too. */
function checkClocks({ servers, mysql }: Facts): PreflightCheck {
  const clocks = [[0, 0] as const, mysql.ahead, ...servers.flatMap(({ facts }) => (facts ? [facts.ahead] : []))];
  const apartMs = Math.max(
    0,
    Math.max(...clocks.map(([least]) => least)) - Math.min(...clocks.map(([, most]) => most)),
  );
  return finding('clocks', apartMs > APART_MS_MAX ? 'CLOCKS_APART' : 'OK', `at least ${figure(apartMs)} ms apart`);
}

function checkOthers({ others, coupon, mysql }: Facts): PreflightCheck {
  const fromMs = Math.max(coupon.startMs, mysql.nowMs);
  const near = others.filter(({ startMs }) => Math.abs(startMs - fromMs) <= NEIGHBOUR_MS).map(({ id }) => id);
  const named = `${near.slice(0, 5).join(', ')}${near.length > 5 ? ', …' : ''}`;
  const begins = near.length > 0 ? `${near.length} begin within ten minutes of it (${named})` : 'none begins near it';
  return finding(
    'otherDrops',
    near.length > 0 ? 'OTHER_DROPS' : 'OK',
    `${others.length} are issued at that time; ${begins}`,
  );
}

const figure = (value: number): string => Math.round(value).toLocaleString('en');
const megabytes = (bytes: number): string => `${figure(bytes / 1e6)} MB`;
