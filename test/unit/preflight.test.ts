// preflight.test.ts -- Every verdict about a drop, from facts that were made up: each finding has a case, and a healthy system has none.

import { expect, test } from 'bun:test';
import type { Redis } from 'ioredis';
import { readConfig } from '../../src/config/config.ts';
import { checkDrop } from '../../src/operations/preflight/checks.ts';
import type { Facts, PreflightSettings } from '../../src/operations/preflight/facts.ts';
import { type FindingCode, findings } from '../../src/operations/preflight/findings.ts';
import type { RedisFacts, RedisServer } from '../../src/redis/servers.ts';
import { fileLimitFault } from '../../src/runtime/file-limit.ts';
import { koreanDetail } from '../../web/console/preflight/korean-details.ts';
import { coupon } from '../http/fakes.ts';

/** A connection is only compared with others. */
const primary = { name: 'primary' } as unknown as Redis;

const config = readConfig(undefined, { DATABASE_URL: 'mysql://u@h/d', REDIS_URL: 'redis://h' });
const settings: PreflightSettings = {
  UNPERSISTED_USERS_MAX: 100_000,
  MYSQL_CONNECTIONS_MAX: 10,
  CLAIM_IDLE_MS: 10_000,
  BLOCK_MS: 1000,
  OFFERING: 'on',
  REPLICAS_MIN: 1,
  USER_REQUESTS_MAX: 10,
  ADDRESS_REQUESTS_MAX: 0,
  LIMIT_WINDOW_S: 10,
};

const redis: RedisFacts = {
  product: 'Redis 7.0.15',
  version: '7.0.15',
  appendFsync: 'always',
  maxmemoryPolicy: 'noeviction',
  role: 'master',
  mode: 'standalone',
  replicas: 1,
  writeReplicasMin: 1,
  shards: 1,
  betterUrl: '',
  usedBytes: 10e6,
  maxBytes: 100e6,
  machineBytes: 8e9,
  clients: 20,
  clientsMax: 10_000,
  isAofFailing: false,
  blockedClients: 1,
  ahead: [-1, 1],
  links: [{ host: '10.0.0.2', port: 6379, isOnline: true, lagS: 0 }],
};

const server: RedisServer = { address: '10.0.0.1:6379', primary, isReplica: false, facts: redis };
const replica: RedisServer = { address: '10.0.0.2:6379', primary, isReplica: true, facts: { ...redis, links: [] } };
const drop = { left: 100_000, newOwners: 100_000, partition: 1, primary };
const backlog = { partition: 1, unpersistedUsers: 0, oldestMs: 0, deadEntries: 0 };

/** A system that holds. */
const healthy: Facts = {
  coupon: { ...coupon, startMs: 2e12, endMs: 2.1e12 },
  isOpen: true,
  drop,
  servers: [server, replica],
  others: [],
  backlog,
  hasWorker: true,
  rowsPerS: 10_000,
  processes: 3,
  mysql: { nowMs: 1.9e12, ahead: [-1, 1], flushAtCommit: 1, connectionsMax: 151, connections: 20 },
  filesFault: null,
  socketBacklog: 4096,
};

const withRedis = (change: Partial<RedisFacts>): Partial<Facts> => ({
  servers: [{ ...server, facts: { ...redis, ...change } }],
});
const withMysql = (change: Partial<Facts['mysql']>): Partial<Facts> => ({ mysql: { ...healthy.mysql, ...change } });
const other = { ...drop, partition: 2, id: 7, startMs: 2e12 + 60_000 };

test('a system that holds is green, with the figures of what the drop takes', () => {
  const { checks, ...found } = checkDrop(healthy, settings);
  expect(checks.filter(({ code }) => code !== 'OK')).toEqual([]);
  expect(found).toEqual({
    couponId: 1,
    status: 'ok',
    pieces: 100_000,
    redisBytes: 100_000 * (135 + 113),
    mysqlBytes: 31_600_000,
    processes: 3,
    unpersisted: 0,
  });
});

const cases: readonly (readonly [FindingCode, Partial<Facts>, Partial<PreflightSettings>?])[] = [
  ['COUPON_OVER', withMysql({ nowMs: 2.1e12 })],
  ['COUPON_PAUSED', { coupon: { ...healthy.coupon, paused: true } }],
  ['COUPON_NOT_OPENED', { isOpen: false }],
  ['SERVER_SILENT', { servers: [{ ...server, facts: null }] }],
  ['REPLICA_UNREACHABLE', { servers: [server, { ...replica, facts: null }] }],
  // 24.8 MB are needed.
  ['MEMORY_SHORT', withRedis({ usedBytes: 76.9e6 })],
  ['MEMORY_SHORT', withRedis({ maxBytes: 0, machineBytes: 30e6 })],
  ['MEMORY_SHORT', { servers: [server, { ...replica, facts: { ...redis, maxBytes: 20e6 } }] }],
  ['MEMORY_SHORT', { others: [{ ...other, newOwners: 600_000, startMs: 1e12 }] }],
  ['MEMORY_NEAR', withRedis({ usedBytes: 57e6 })],
  ['MEMORY_UNBOUNDED', withRedis({ maxBytes: 0 })],
  ['MEMORY_UNKNOWN', { others: [{ ...other, left: null, newOwners: null, startMs: 1e12 }] }],
  ['BACKLOG_SHORT', { backlog: { ...backlog, unpersistedUsers: 1 } }],
  ['BACKLOG_SHORT', { others: [{ ...other, left: 1, newOwners: 1, partition: 1, startMs: 1e12 }] }],
  ['NO_WORKER', { hasWorker: false }],
  ['WRITING_BEHIND', { backlog: { ...backlog, oldestMs: 10_001 } }],
  ['WRITING_UNKNOWN', { rowsPerS: null }],
  ['WRITING_UNKNOWN', { hasWorker: null }],
  // Three processes and one more, 28 connections each.
  ['MYSQL_CONNECTIONS_SHORT', withMysql({ connectionsMax: 111 })],
  ['MYSQL_CONNECTIONS_SHORT', { processes: null, ...withMysql({ connections: 124 }) }],
  ['CONNECTIONS_UNKNOWN', withMysql({ connectionsMax: null })],
  ['CONNECTIONS_UNKNOWN', withRedis({ clientsMax: 0 })],
  ['REDIS_CONNECTIONS_SHORT', withRedis({ clientsMax: 39 })],
  ['FILES_SHORT', { filesFault: fileLimitFault(config, 'Max open files  1024  1024  files') }],
  ['LIMITS_OFF', {}, { USER_REQUESTS_MAX: 0 }],
  ['LIMITS_ONE_ADDRESS', {}, { ADDRESS_REQUESTS_MAX: 10 }],
  ['CLOCKS_APART', withMysql({ ahead: [101, 103] })],
  ['CLOCKS_APART', { ...withMysql({ ahead: [-60, -58] }), ...withRedis({ ahead: [50, 51] }) }],
  ['REPLICAS_MISSING', withRedis({ links: [] })],
  ['REPLICAS_BEHIND', withRedis({ links: redis.links.map((link) => ({ ...link, lagS: 6 })) })],
  ['REPLICAS_BEHIND', withRedis({ links: [...redis.links, { ...redis.links[0], isOnline: false } as never] })],
  ['REPLICAS_UNGUARDED', withRedis({ writeReplicasMin: 0 })],
  ['FSYNC_OFF', withRedis({ appendFsync: 'off' })],
  ['FSYNC_LATE', withRedis({ appendFsync: 'everysec' })],
  ['FSYNC_LATE', withMysql({ flushAtCommit: 2 })],
  ['FSYNC_FAILING', withRedis({ isAofFailing: true })],
  ['FSYNC_UNKNOWN', withRedis({ appendFsync: 'unknown' })],
  ['FSYNC_UNKNOWN', withMysql({ flushAtCommit: null })],
  ['OTHER_DROPS', { others: [other] }],
  ['SOCKETS_SHORT', { socketBacklog: 511 }],
  ['SOCKETS_UNKNOWN', { socketBacklog: null }],
];

// A row that is shorter than the parameters would get a callback.
test.each(cases.map(([code, change, changed = {}]) => [code, change, changed] as const))(
  '%s is found alone, and decides the status',
  (code, change, changed) => {
    const { checks, status } = checkDrop({ ...healthy, ...change }, { ...settings, ...changed });
    const found = checks.filter((check) => check.code !== 'OK');
    expect([...new Set(found.map((check) => check.code))]).toEqual([code]);
    expect([found[0]?.status, found[0]?.advice]).toEqual([...findings[code]]);
    expect(status).toBe(findings[code][0]);
  },
);

test('every finding has a case', () => {
  expect(new Set(['OK', ...cases.map(([code]) => code)])).toEqual(new Set(Object.keys(findings)));
});

test('every detail is also in Korean, with the same figures', () => {
  const facts = [
    ...cases,
    ['OK', { rowsPerS: 10_000, backlog: { ...backlog, oldestMs: 5000 }, mysql: { ...healthy.mysql, nowMs: 2.05e12 } }],
    ['OK', { drop: { ...drop, left: null, newOwners: null } }],
    ['OK', { processes: null, backlog: null }],
    ['OK', {}, { USER_REQUESTS_MAX: 0, ADDRESS_REQUESTS_MAX: 0 }],
  ] as typeof cases;
  const details = facts.flatMap(([, change, changed = {}]) =>
    checkDrop({ ...healthy, ...change }, { ...settings, ...changed }).checks.map(({ detail }) => detail),
  );
  /** Names of settings and products, which have no translation. */
  const names =
    /\bappendfsync(?: always| everysec)?|innodb_flush_log_at_trx_commit|net\.core\.somaxconn|ulimit -Hn|\bms\b/g;
  const figures = (text: string) => (text.match(/\d[\d.,]*\d|\d/g) ?? []).toSorted();
  expect(new Set(details).size).toBeGreaterThan(50);
  for (const detail of new Set(details)) {
    const korean = koreanDetail(detail);
    expect([detail, korean.replace(names, '').match(/\b[a-z]{2,}/g)]).toEqual([detail, null]);
    expect([detail, figures(korean)]).toEqual([detail, figures(detail.replace('ten minutes', '10'))]);
  }
});

test('what is not known hides nothing that is wrong', () => {
  const { status } = checkDrop(
    { ...healthy, rowsPerS: null, hasWorker: null, backlog: null, processes: null },
    settings,
  );
  expect(status).toBe('error');
});

test('of a coupon without limit it says how many users more there is room for', () => {
  const found = checkDrop({ ...healthy, drop: { ...drop, left: null, newOwners: null } }, settings);
  const faults = found.checks.filter(({ code }) => code !== 'OK').map(({ name, code, detail }) => [name, code, detail]);
  expect(faults).toEqual([
    ['memory', 'MEMORY_UNKNOWN', 'uses 10 MB of 100 MB: room for 362,903 users more'],
    ['memory', 'MEMORY_UNKNOWN', 'uses 10 MB of 100 MB: room for 362,903 users more'],
    ['backlog', 'BACKLOG_SHORT', '0 of 100,000 wait to be written, and any number may come'],
  ]);
  expect([found.pieces, found.redisBytes, found.mysqlBytes]).toEqual([null, null, null]);
});

test('drops on another primary take none of the memory here', () => {
  const elsewhere = { ...other, newOwners: 1e9, startMs: 1e12, primary: { name: 'another' } as unknown as Redis };
  expect(checkDrop({ ...healthy, others: [elsewhere] }, settings).status).toBe('ok');
});
