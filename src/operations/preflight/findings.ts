// findings.ts -- Everything that a preflight may find, by a stable code: how bad it is, and the one line of what to do.

import { type Static, Type } from '@sinclair/typebox';
import { CouponId } from '../../coupon/ids.ts';
import { countOrNull } from '../audit.ts';

/** From good to bad. */
const statuses = ['ok', 'unknown', 'warning', 'error'] as const;
type PreflightStatus = (typeof statuses)[number];

/** What is checked, in the order of the answer. */
export const checkNames = [
  'period',
  'opening',
  'servers',
  'memory',
  'backlog',
  'writing',
  'mysqlConnections',
  'redisConnections',
  'files',
  'limits',
  'clocks',
  'replicas',
  'fsync',
  'otherDrops',
  'sockets',
] as const;
export type CheckName = (typeof checkNames)[number];

export const findings = {
  OK: ['ok', 'Nothing.'],
  COUPON_OVER: ['error', 'Change the end of the period: this coupon has ended.'],
  COUPON_PAUSED: ['warning', 'Resume it before the drop.'],
  COUPON_NOT_OPENED: [
    'warning',
    'Open it (POST /v1/coupons/:couponId/open, or "Warm up"); otherwise its first request waits.',
  ],
  SERVER_SILENT: ['error', 'Start it, or find out why this process cannot reach it.'],
  REPLICA_UNREACHABLE: [
    'unknown',
    'Check it manually: this process cannot reach the address that the primary reports.',
  ],
  MEMORY_SHORT: [
    'error',
    'Raise maxmemory of Redis above the required memory; otherwise Redis refuses writes during the drop.',
  ],
  MEMORY_NEAR: ['warning', 'Raise maxmemory of Redis: an AOF rewrite and other drops need room.'],
  MEMORY_UNBOUNDED: [
    'warning',
    'Set maxmemory of Redis, with noeviction: without it the system kills Redis when memory is exhausted.',
  ],
  MEMORY_UNKNOWN: [
    'unknown',
    'Check the memory manually: the number of issues or the memory limit of Redis is unknown.',
  ],
  BACKLOG_SHORT: [
    'warning',
    'Raise UNPERSISTED_USERS_MAX, or make sure that the workers keep up: beyond it requests get 503.',
  ],
  NO_WORKER: ['error', 'Start a worker: accepted issues are not written as rows.'],
  WRITING_BEHIND: ['warning', 'Wait until the backlog is written, or start another worker. See the log of the worker.'],
  WRITING_UNKNOWN: ['unknown', 'Rehearse to measure the write rate of the workers: nothing is being written now.'],
  MYSQL_CONNECTIONS_SHORT: ['error', 'Raise max_connections of MySQL, or lower MYSQL_CONNECTIONS_MAX.'],
  REDIS_CONNECTIONS_SHORT: [
    'warning',
    'Raise maxclients of Redis: a rolling restart needs room for one more of each process.',
  ],
  CONNECTIONS_UNKNOWN: [
    'unknown',
    'Check the limit manually: the server does not report its maximum number of connections.',
  ],
  FILES_SHORT: ['warning', 'Raise the limit of open files of the APIs.'],
  LIMITS_OFF: ['warning', 'Set USER_REQUESTS_MAX (or a CAPTCHA): without a limit, one caller can starve the others.'],
  LIMITS_ONE_ADDRESS: ['warning', 'Set TRUSTED_PROXIES: behind a proxy all callers count as one address.'],
  CLOCKS_APART: [
    'warning',
    'Synchronize the clocks of MySQL, Redis and the APIs (NTP): they decide when the drop begins.',
  ],
  REPLICAS_MISSING: [
    'error',
    'Restore the replicas, or lower REPLICAS_MIN: with too few replicas every answer is 503.',
  ],
  REPLICAS_BEHIND: [
    'warning',
    'Wait until every replica is online and up to date: missing data is lost when it is promoted.',
  ],
  REPLICAS_UNGUARDED: [
    'warning',
    'Set min-replicas-to-write 1: without it, a replaced primary may continue to accept.',
  ],
  FSYNC_OFF: ['error', 'Set appendonly yes and appendfsync always: a crash loses every issue that is not yet a row.'],
  FSYNC_LATE: [
    'warning',
    'Flush every write (appendfsync always, innodb_flush_log_at_trx_commit=1); otherwise a power loss loses the last writes.',
  ],
  FSYNC_FAILING: ['error', 'Free disk space for Redis: it cannot write its AOF.'],
  FSYNC_UNKNOWN: ['unknown', 'Check it manually: the server does not report its flush settings.'],
  OTHER_DROPS: ['warning', 'Start them at different times, or plan for the sum of their loads.'],
  SOCKETS_SHORT: [
    'warning',
    'Set net.core.somaxconn to 4096 (deploy/sysctl.conf): connections of the opening second are lost.',
  ],
  SOCKETS_UNKNOWN: ['unknown', 'Check it manually: this system does not report its limit of waiting connections.'],
} as const satisfies Record<string, readonly [PreflightStatus, string]>;
export type FindingCode = keyof typeof findings;

const textOf = <Text extends string>(allowed: readonly Text[], description: string) =>
  Type.Unsafe<Text>(Type.String({ enum: [...allowed], description }));

const CheckAnswer = Type.Object({
  name: textOf(checkNames, 'what was checked'),
  status: textOf(statuses, 'the result'),
  code: textOf(Object.keys(findings) as FindingCode[], 'the finding; stable'),
  detail: Type.String({ description: 'the figures' }),
  advice: Type.String({ description: 'what to do' }),
  server: Type.Union([Type.String(), Type.Null()], { description: 'the server, if there are several' }),
});

export const PreflightAnswer = Type.Object(
  {
    couponId: CouponId,
    status: textOf(statuses, 'the worst of the checks'),
    pieces: countOrNull('what can still be issued; null without limit'),
    redisBytes: countOrNull('what that takes in Redis at most, with its backlog; null without limit'),
    mysqlBytes: countOrNull('what its rows take in MySQL; null without limit'),
    processes: countOrNull('APIs and workers that live, as far as they offer; null where they do not'),
    unpersisted: countOrNull(
      'users in the partition of the coupon who are not yet rows; null where Redis does not answer',
    ),
    checks: Type.Array(CheckAnswer),
  },
  { $id: 'Preflight' },
);

export type Preflight = Readonly<Static<typeof PreflightAnswer>>;
export type PreflightCheck = Preflight['checks'][number];

/** A check as it is answered. */
export function finding(
  name: CheckName,
  code: FindingCode,
  detail: string,
  server: string | null = null,
): PreflightCheck {
  const [status, advice] = findings[code];
  return { name, status, code, detail, advice, server };
}

/** The worst of the checks. */
export function worstOf(checks: readonly PreflightCheck[]): PreflightStatus {
  return statuses.findLast((status) => checks.some((check) => check.status === status)) ?? 'ok';
}
