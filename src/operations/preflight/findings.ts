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
  COUPON_OVER: ['error', 'Set another end: this coupon is not issued any more.'],
  COUPON_PAUSED: ['warning', 'Resume it before the drop.'],
  COUPON_NOT_OPENED: [
    'warning',
    'Open it (POST /v1/coupons/:couponId/open, or "Warm up"), or its first request waits.',
  ],
  SERVER_SILENT: ['error', 'Start it, or see why this process cannot reach it.'],
  REPLICA_UNREACHABLE: [
    'unknown',
    'Look at it by hand: its primary knows it by an address that leads nowhere from here.',
  ],
  MEMORY_SHORT: [
    'error',
    'Raise maxmemory of Redis above what is needed, or it refuses to accept in the middle of the drop.',
  ],
  MEMORY_NEAR: ['warning', 'Raise maxmemory of Redis: rewriting the AOF and more drops want room.'],
  MEMORY_UNBOUNDED: [
    'warning',
    'Set maxmemory of Redis, with noeviction: without it the system kills Redis when memory runs out.',
  ],
  MEMORY_UNKNOWN: [
    'unknown',
    'Compare the memory by hand: how many will be issued, or what Redis may take, is not known.',
  ],
  BACKLOG_SHORT: [
    'warning',
    'Raise UNPERSISTED_USERS_MAX, or make sure that the workers keep up: beyond it requests are answered 503.',
  ],
  NO_WORKER: ['error', 'Start a worker: what is accepted does not become rows.'],
  WRITING_BEHIND: ['warning', 'Wait until the backlog is written, or start another worker; see its log.'],
  WRITING_UNKNOWN: ['unknown', 'Rehearse to learn how fast the workers write: nothing is being written now.'],
  MYSQL_CONNECTIONS_SHORT: ['error', 'Raise max_connections of MySQL, or lower MYSQL_CONNECTIONS_MAX.'],
  REDIS_CONNECTIONS_SHORT: [
    'warning',
    'Raise maxclients of Redis: a rolling restart needs room for one more of each process.',
  ],
  CONNECTIONS_UNKNOWN: ['unknown', 'Compare by hand: the server does not say how many connections it takes.'],
  FILES_SHORT: ['warning', 'Raise the limit of open files of the APIs.'],
  LIMITS_OFF: ['warning', 'Set USER_REQUESTS_MAX (or a CAPTCHA): one caller may take what the others need.'],
  LIMITS_ONE_ADDRESS: ['warning', 'Set TRUSTED_PROXIES: behind a proxy all callers count as one address.'],
  CLOCKS_APART: ['warning', 'Synchronize the clocks of MySQL, Redis and the APIs (NTP): the drop begins by them.'],
  REPLICAS_MISSING: ['error', 'Bring the replicas back, or lower REPLICAS_MIN: with fewer every answer is 503.'],
  REPLICAS_BEHIND: [
    'warning',
    'Wait until every replica is online and keeps up: what it lacks is lost when it is promoted.',
  ],
  REPLICAS_UNGUARDED: [
    'warning',
    'Set min-replicas-to-write 1: a primary that was replaced unnoticed goes on accepting.',
  ],
  FSYNC_OFF: ['error', 'Set appendonly yes and appendfsync always: a crash loses every issue that is not yet a row.'],
  FSYNC_LATE: [
    'warning',
    'Flush every write (appendfsync always, innodb_flush_log_at_trx_commit=1), or a power cut loses the last ones.',
  ],
  FSYNC_FAILING: ['error', 'Free the disk of Redis: it cannot write its AOF.'],
  FSYNC_UNKNOWN: ['unknown', 'Look at it by hand: the server does not say how it flushes.'],
  OTHER_DROPS: ['warning', 'Begin them at different times, or plan for their sum.'],
  SOCKETS_SHORT: [
    'warning',
    'Set net.core.somaxconn to 4096 (deploy/sysctl.conf): connections of the opening second are lost.',
  ],
  SOCKETS_UNKNOWN: ['unknown', 'Look at it by hand: this system does not say how many connections may wait.'],
} as const satisfies Record<string, readonly [PreflightStatus, string]>;
export type FindingCode = keyof typeof findings;

const textOf = <Text extends string>(allowed: readonly Text[], description: string) =>
  Type.Unsafe<Text>(Type.String({ enum: [...allowed], description }));

const CheckAnswer = Type.Object({
  name: textOf(checkNames, 'what was checked'),
  status: textOf(statuses, 'how it is'),
  code: textOf(Object.keys(findings) as FindingCode[], 'what was found; stable'),
  detail: Type.String({ description: 'the figures' }),
  advice: Type.String({ description: 'what to do' }),
  server: Type.Union([Type.String(), Type.Null()], { description: 'of which server, where there may be several' }),
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
