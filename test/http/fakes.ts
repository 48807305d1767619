// fakes.ts -- An app whose dependencies are plain values: what the HTTP surface does with every outcome, without any store.

import { type App, type AppDependencies, createApp } from '../../src/app.ts';
import type { TrailEntry } from '../../src/auth/audit-trail.ts';
import type { Uploaded } from '../../src/codes/upload.ts';
import { UploadFault } from '../../src/codes/upload.ts';
import type { Coupon } from '../../src/coupon/coupon.ts';
import { changesTerms, contradictionIn, termDefaults } from '../../src/coupon/terms.ts';
import type { Readiness } from '../../src/operations/health-routes.ts';
import { type AuthorityDependencies, createAuthority, digestOf } from '../../src/auth/authority.ts';
import { Limiter } from '../../src/http/rate-limit/limiter.ts';
import { RequestObserver } from '../../src/http/request-log/request-observer.ts';
import { tokensWith } from './tokens.ts';
import { KeyRing, type Scope, type StoredKey } from '../../src/auth/api-keys.ts';
import type { Audit } from '../../src/operations/audit.ts';
import { finding, type Preflight } from '../../src/operations/preflight/findings.ts';
import { type Outcome, refusal, Unavailable } from '../../src/coupon/outcome.ts';
import type { FeedIssue } from '../../src/issues/feed.ts';
import { type ChangeResult, decideChange, type IssueChange } from '../../src/issues/changes.ts';
import { type Row, toWrittenIssue } from '../../src/issues/row.ts';
import type { IssueStatus, OwnedIssue } from '../../src/issues/status.ts';
import { urlFault } from '../../src/webhooks/target.ts';
import type { Webhook } from '../../src/webhooks/webhook-store.ts';

export const OPERATOR_KEY = 'a-key-for-operators-only';
export const BODY_BYTES_MAX = 4096;

export const fakeConfig: AppDependencies['config'] = { BODY_BYTES_MAX, RETRY_AFTER_S: 2, URL_CHARACTERS_MAX: 2048 };

/** What the fake issuer answers, by coupon id. */
export const outcomes: Readonly<Record<number, Outcome | Error>> = {
  1: { kind: 'issued', sequence: 37 },
  2: { kind: 'already issued', sequence: 12 },
  3: refusal['sold out'],
  4: refusal['not started'],
  5: refusal.ended,
  6: refusal.paused,
  7: new Unavailable('overloaded', 'internal: 20000 waiting'),
  8: new Unavailable('stopping', 'internal: draining'),
  9: new Unavailable('dependency', 'internal: redis 10.0.0.7 timed out'),
  10: new Error('internal: secret of the database', {
    cause: Object.assign(new Error('Duplicate entry'), { sql: 'INSERT' }),
  }),
};

export const coupon: Coupon = {
  id: 1,
  title: 'Winter sale',
  couponType: 'FIRST_COME_FIRST_SERVED',
  totalQuantity: 1000,
  issuedQuantity: 37,
  discountAmount: 5000,
  minAvailableAmount: 20_000,
  ...termDefaults,
  startMs: Date.UTC(2026, 11, 1),
  endMs: Date.UTC(2027, 0, 1),
  paused: false,
  listed: true,
  stockHome: 'mysql',
  epoch: 0,
  archivedMs: null,
  version: 1,
  createdMs: Date.UTC(2026, 10, 22, 8, 30),
  updatedMs: Date.UTC(2026, 10, 22, 8, 30),
};

/** The coupons of the fake catalog: 1 to 25. */
const coupons = Array.from({ length: 25 }, (_, index): Coupon => ({ ...coupon, id: index + 1 }));

export const ready: Readiness = {
  ready: true,
  checks: [{ name: 'redis', ok: true, detail: 'Redis 7.0' }],
  durability: { redis: 'appendonly yes, appendfsync always' },
};

/** Who asks too often. */
export const limitedCallers = [
  { kind: 'address', name: '203.0.113.7', refused: 65_399 },
  { kind: 'user', name: 'eager', refused: 3 },
] as const;

/** The newest first. */
export const trail: readonly TrailEntry[] = [3, 2, 1].map((id) => ({
  id,
  atMs: Date.UTC(2026, 10, 22, 8, 30, id),
  action: 'coupon.edit',
  couponId: 1,
  keyId: null,
  name: 'ADMIN_API_KEY',
  address: '203.0.113.7',
  from: { version: id },
  to: { version: id + 1 },
}));

/** The calls that the app made of its dependencies. */
export interface Calls {
  readonly issued: unknown[];
  readonly created: unknown[];
  readonly waited: number[];
  readonly observed: unknown[];
  readonly logged: unknown[];
  readonly logging: unknown[];
}

/** An app on fakes, and the calls that it makes of them. */
export function fakeApp(change: Partial<AppDependencies> = {}): { app: App; calls: Calls } {
  const calls: Calls = { issued: [], created: [], waited: [], observed: [], logged: [], logging: [] };
  const app = createApp({
    config: fakeConfig,
    authority: fakeAuthority(),
    limiters: { user: null, address: null },
    limitedCallers: () => [...limitedCallers],
    issuance: {
      issue: async (issuer, couponId, userId) => {
        calls.issued.push({ issuer, couponId, userId });
        return resultOf(couponId, userId);
      },
    },
    issueOnce: async ({ key, issuer, couponId, userId }) => {
      if (key === 'of another request') return { kind: 'other request' };
      calls.issued.push({ key, issuer, couponId, userId });
      if (userId === 'of-many-keys') return { kind: 'too many of caller' };
      return { kind: 'decided', outcome: resultOf(couponId, userId), replayed: key === 'seen before' };
    },
    issues: {
      statusOf: async (couponId, userId, waitMs = 0) => {
        calls.waited.push(waitMs);
        return statusOf(couponId, userId);
      },
      listOf: async (userId, { after, limit }) => (userId === 'nobody' ? [] : ownedIssues(after).slice(0, limit)),
      change: async (couponId, userId, wanted) => changeOf(couponId, userId, wanted),
    },
    feed: fakeFeed,
    codes: fakeCodes,
    codeLimiters: { key: fakeCodeLimiter(1000), user: fakeCodeLimiter(100) },
    progress: fakeProgress,
    places: { take: () => ({ free: () => {}, keep: () => 'a place' }) },
    catalog: {
      create: async (created) => {
        calls.created.push(created);
        return { ...coupon, ...created, id: 26, issuedQuantity: 0 };
      },
      read: async (id) => coupons.find((one) => one.id === id) ?? null,
      list: async ({ after, limit }) => ({
        coupons: coupons.filter(({ id }) => id > after).slice(0, limit),
        total: coupons.length,
      }),
    },
    readPublic: async (id) => coupons.find((one) => one.id === id) ?? null,
    editor: fakeEditor,
    report: async ({ from, to, couponId, after, limit }) => ({
      days: [
        {
          date: from,
          couponId: couponId ?? after + 1,
          issued: limit,
          used: 1,
          revoked: 0,
          discount: 5000,
          currency: 'KRW',
        },
        {
          date: to,
          couponId: couponId ?? after + 1,
          issued: 0,
          used: 2,
          revoked: 3,
          discount: 10_000,
          currency: 'KRW',
        },
      ],
      archived: [],
      next: null,
    }),
    audit: async (couponId) => (couponId > 25 ? null : audit),
    preflight: async (couponId) => (couponId > 25 ? null : preflight),
    timeline: async (couponId) => (couponId > 25 ? null : timeline),
    deadLetters: fakeDeadLetters,
    load: async () => load,
    listTrail: async ({ after, limit }) => trail.filter(({ id }) => after === 0 || id < after).slice(0, limit),
    requests: new RequestObserver({ mode: 'off', isTimed: false, hashUser: null, write: () => {} }),
    webhooks: fakeWebhooks,
    logging: {
      current: () => ({ logLevel: 'info', requestLog: 'off', untilMs: null }),
      change: async (settings, durationMs) => {
        calls.logging.push({ ...settings, durationMs });
        return true;
      },
    },
    onLoggingChanged: (by, _, settings) => calls.logging.push({ by: by.name, ...settings }),
    pages,
    readiness: async () => ready,
    metrics: {
      contentType: 'text/plain; version=0.0.4; charset=utf-8',
      render: async () => 'up 1\n',
      observeRequest: (endpoint, result, seconds) => calls.observed.push({ endpoint, result, measured: seconds >= 0 }),
    },
    log: { error: (fields, message) => calls.logged.push({ fields, message }) },
    ...change,
  });
  return { app, calls };
}

/** Who may do what: by default everybody may issue, and the operators' key everything. */
export function fakeAuthority(
  change: Partial<AuthorityDependencies> = {},
  stored: readonly StoredKey[] = [storedKey(OPERATOR_KEY, 'admin')],
): AppDependencies['authority'] {
  return createAuthority({
    isOn: false,
    keys: fixedKeys(stored),
    tokens: null,
    retryAfterS: 2,
    onRefused: () => undefined,
    ...change,
  });
}

export const ADDRESS_REQUESTS_MAX = 100;

/** A request with this header meets the installation whose callers must say who they are. */
export const GUARDED = { 'x-installation': 'guarded' };

/**
 * Two installations behind one server, so that both are tried on every runtime: an open one, and one with tokens and a limit by
 * address that no test reaches.
 */
export function fakeInstallations(change: Partial<AppDependencies> = {}): App {
  const limiter = new Limiter({
    kind: 'address',
    requestsMax: ADDRESS_REQUESTS_MAX,
    windowS: 3600,
    namesMax: 10,
    sync: async ({ counts }) => counts,
    onFault: (error) => {
      throw error;
    },
    now: Date.now,
  });
  const { app: open } = fakeApp(change);
  const { app: guarded } = fakeApp({
    ...change,
    config: { ...fakeConfig, TRUSTED_PROXIES: '127.0.0.0/8' },
    authority: fakeAuthority({ isOn: true, tokens: tokensWith() }),
    limiters: { user: null, address: limiter },
  });
  const [[name, value] = ['', '']] = Object.entries(GUARDED);
  return {
    fetch: (request, peerOf) => (request.headers.get(name) === value ? guarded : open).fetch(request, peerOf),
  };
}

/** A key as the store has it. */
export function storedKey(key: string, scope: Scope): StoredKey {
  return { keyId: 3, name: `with ${scope}`, digest: digestOf(key), scopes: [scope] };
}

/** Keys that never change. */
export function fixedKeys(fixed: readonly StoredKey[]): KeyRing {
  return new KeyRing({ fixed, load: async () => [], ageMsMax: 1000, onFault: () => {} });
}
/** Pages whose texts are their names. */
export const pages = ['console.html', 'drop.html', 'console-hash.js', 'base-hash.css', 'unknown.exe'].map((name) => ({
  name,
  bytes: new TextEncoder().encode(name),
}));

const audit: Audit = {
  couponId: 1,
  stockHome: 'redis',
  totalQuantity: 1000,
  archived: false,
  issuedQuantity: 36,
  rows: 36,
  owners: 37,
  next: 38,
  unpersisted: 1,
  dead: 0,
  missing: 0,
  unknown: 0,
  unexpected: 0,
  outsidePeriod: 0,
  withheld: 0,
  lost: 0,
};

/** One check of each kind. */
export const preflight: Preflight = {
  couponId: 1,
  status: 'error',
  pieces: 1000,
  redisBytes: 245_000,
  mysqlBytes: 316_000,
  processes: null,
  unpersisted: 1,
  checks: [
    finding('memory', 'MEMORY_SHORT', 'uses 2 MB of 2 MB', '127.0.0.1:6379'),
    finding('writing', 'WRITING_UNKNOWN', 'one worker'),
    finding('limits', 'LIMITS_OFF', 'none'),
    finding('files', 'OK', 'enough'),
  ],
};

export const load = {
  process: '6f1d0c52',
  uptimeMs: 1000,
  accepted: 37,
  refused: 12,
  failed: 0,
  unpersisted: 2,
  oldestMs: 14,
  deadLetters: 1,
};

const timeline: NonNullable<Awaited<ReturnType<AppDependencies['timeline']>>> = {
  issues: [{ issuedMs: 0, sequence: 1, persistedMs: 5 }],
  refusals: { 'already issued': 1, 'not started': 2, paused: 3, ended: 4, 'sold out': 5 },
  refused: [{ atMs: 1000, count: 15 }],
  isComplete: true,
};

/** There are 101 dead letters: 0-1-0 can be replayed, 0-2-0 is of a later release, the others are no entries. */
const fakeDeadLetters: AppDependencies['deadLetters'] = {
  async *list() {
    const entry = { couponId: 4, epoch: 1, firstSequence: 12, acceptedMs: 0, users: ['a', 'b'] };
    yield { id: '0-1-0', entryId: '1-0', reason: 'no such coupon', entry };
    const allocation = { couponId: 5, firstSequence: 7, users: ['c'] };
    yield { id: '0-2-0', entryId: '2-0', reason: 'unknown version', entry: null, allocation };
    for (let i = 3; i <= 101; i++) yield { id: `0-${i}-0`, entryId: `${i}-0`, reason: 'unknown version', entry: null };
  },
  read: async (id) => {
    if (id !== '0-1-0') return null;
    const entry = { couponId: 4, epoch: 1, firstSequence: 12, acceptedMs: 0, users: ['a', 'b'] };
    return { id, entryId: '1-0', reason: 'no such coupon', entry, fields: [{ name: 'users', value: 'a,b' }] };
  },
  replay: async (id) => (id === '0-1-0' ? 'replayed' : id === '0-2-0' ? 'unreadable' : 'gone'),
  discard: async (id) => id === '0-1-0',
};

/** Those who have the codes of these names, all of coupon 1. */
const holders = ['issued', 'used', 'archived', 'none'] as const;

/** Coupon 1 has the code SUMMER-K7WQ-3N9X, 2 has no codes, 3 has others, and 4 would have too few. */
const fakeCodes: AppDependencies['codes'] = {
  codesOf: async (issues) => issues.map(({ couponId }) => (couponId === 1 ? 'SUMMER-K7WQ-3N9X' : null)),
  issueOf: async (code) => {
    const at = holders.findIndex((name) => name === code);
    return at === -1 ? null : { couponId: 1, sequence: at + 1 };
  },
  read: async (couponId) => {
    if (couponId > 25) return null;
    return couponId === 2 ? { kind: 'none' } : { kind: 'generated', pattern: 'SUMMER-####-####' };
  },
  generate: async (couponId, { text }) => ({
    kind: refusedCodes(couponId) ?? (text.startsWith('TAKEN') ? 'taken' : 'generated'),
  }),
  import: async (couponId, uploaded) => {
    const refused = refusedCodes(couponId);
    if (refused === 'too few') return { kind: refused, codes: 2 };
    if (refused) return { kind: refused };
    const found: Uploaded[] = [];
    try {
      for await (const page of uploaded) found.push(...page);
    } catch (fault) {
      if (fault instanceof UploadFault) return { kind: 'unreadable', fault };
      throw fault;
    }
    const wrong = found.filter(({ code }) => code === null);
    if (wrong.length === 0) return { kind: 'imported', codes: found.length };
    return { kind: 'faulty', faults: wrong.map(({ line }) => ({ in: 'body', pointer: '', line, expected: 'a code' })) };
  },
};

function refusedCodes(couponId: number) {
  if (couponId > 25) return 'not exist';
  if (couponId === 3) return 'has codes';
  if (couponId === 4) return 'too few';
  return couponId === 8 ? 'archived' : null;
}

function fakeCodeLimiter(requestsMax: number): Limiter {
  return new Limiter({
    kind: 'code',
    requestsMax,
    windowS: 3600,
    namesMax: 1000,
    now: Date.now,
    sync: async ({ counts }) => counts,
    onFault: () => undefined,
  });
}

/** Coupons 1 to 25 are at version 1 and can be changed; 12 pieces are issued of each but coupon 2, of which none is. */
const fakeEditor: AppDependencies['editor'] = {
  async edit(id, changes, versions) {
    const refused = refusalOf(id, versions);
    if (refused) return refused;
    if ((changes.totalQuantity ?? 12) < 12) return { kind: 'issued', issued: 12 };
    if (id === 8) return { kind: 'archived' };
    if (id === 9 && changesTerms(coupon, changes)) return { kind: 'terms fixed' };
    const member = contradictionIn({ ...coupon, ...changes });
    if (member !== null) return { kind: 'contradiction', member };
    return { kind: 'edited', coupon: { ...coupon, id, ...changes, version: 2 } };
  },
  remove: async (id, versions) =>
    refusalOf(id, versions) ?? (id === 2 ? { kind: 'removed' } : { kind: 'issued', issued: 12 }),
  open: async (id) => (id > 25 ? refusal['not exist'] : id === 5 ? refusal.ended : 'open'),
};

function refusalOf(id: number, versions: readonly number[] | null) {
  if (id > 25) return { kind: 'not exist' } as const;
  return versions && !versions.includes(1) ? ({ kind: 'other version' } as const) : null;
}

/** An issuer that answers like the fake one, but for coupon 12, which it issues only after `wait`. */
export function issueWithin(wait: () => Promise<void>): AppDependencies['issuance']['issue'] {
  return async (_, couponId, userId) => {
    if (couponId !== 12) return resultOf(couponId, userId);
    await wait();
    return { kind: 'issued', sequence: 9 };
  };
}

/** A user's issues of the coupons 1 to 25; those of even ones are used. */
function ownedIssues(after: number): readonly OwnedIssue[] {
  return coupons
    .filter(({ id }) => id > after)
    .map(({ id, title, discountAmount, minAvailableAmount, currency }) => ({
      couponId: id,
      ...toWrittenIssue({ ...rowOf('issued'), usedMs: id % 2 ? null : coupon.startMs + 1 }, coupon),
      writtenMs: coupon.startMs + 64,
      endpoint: id % 2 ? null : 'POST /v1/issue-async',
      title,
      discountAmount,
      minAvailableAmount,
      currency,
    }));
}

/**
 * Coupons 1 to 6 have 3 issues, the second of which is used; 7 has more, which cannot be read; of 8 they are archived, and Redis does not
 * answer about 9.
 */
export const fakeFeed: AppDependencies['feed'] = {
  async read(couponId, { after, limit }) {
    if (couponId === 8) return 'archived';
    if (couponId === 9 || (couponId === 7 && after >= 3))
      throw new Unavailable('dependency', 'internal: redis 10.0.0.7 timed out');
    if (couponId > 9) return 'not exist';
    const rest = issuesInOrder.filter(({ sequence }) => sequence > after);
    return { issues: rest.slice(0, limit), more: rest.length > limit, settledBelow: 0, holdMs: 0 };
  },
  async find(couponId, userId) {
    if (couponId > 7) return couponId === 8 ? 'archived' : 'not exist';
    return issuesInOrder.find((issue) => issue.userId === userId) ?? null;
  },
  async at(couponId, sequence) {
    const name = holders[sequence - 1] ?? 'none';
    if (name === 'archived') return 'archived';
    if (couponId !== 1 || name === 'none') return null;
    const issue = toWrittenIssue({ ...rowOf(name), sequence }, coupon);
    return { ...issue, userId: name, writtenMs: coupon.startMs + 64, endpoint: null };
  },
  highest: async (couponId) => (couponId === 7 ? 9 : issuesInOrder.length),
};

const issuesInOrder: readonly FeedIssue[] = ['kim', 'lee', 'auth0|park'].map((userId, i) => ({
  ...toWrittenIssue(
    {
      ...rowOf('issued'),
      sequence: i + 1,
      issuedMs: coupon.startMs + i,
      usedMs: i === 1 ? coupon.startMs + 100 : null,
      reference: i === 1 ? 'order 1, "gift"' : null,
    },
    coupon,
  ),
  userId,
  writtenMs: coupon.startMs + 64,
  endpoint: i === 2 ? null : ('POST /v2/issue-async' as const),
}));

/** When an issue of the user `expired` could no longer be used. */
export const EXPIRED_MS = coupon.startMs - 1000;

/** The row of a user who is called as their issue is. */
function rowOf(userId: string): Row {
  return {
    sequence: 37,
    issuedMs: coupon.startMs,
    usedMs: userId === 'used' ? coupon.startMs : null,
    reference: userId === 'used' ? 'order-1' : null,
    revokedMs: userId === 'revoked' ? coupon.startMs : null,
    nowMs: coupon.startMs,
  };
}

function termsOf(userId: string) {
  return { ...coupon, usableUntilMs: userId === 'expired' ? EXPIRED_MS : null };
}

/** As the rules decide, of rows that stay as they are. */
function changeOf(couponId: number, userId: string, change: IssueChange): ChangeResult {
  if (couponId > 25) return { kind: 'not exist' };
  if (userId === 'none') return { kind: 'not issued' };
  if (userId === 'archived') return { kind: 'archived' };
  if (userId === 'accepted') throw new Unavailable('unwritten', 'internal: not yet a row');
  const row = rowOf(userId);
  const kind = decideChange(row, termsOf(userId), change);
  const usedMs = change.kind === 'use' ? coupon.startMs : null;
  const revokedMs = change.kind === 'revoke' ? coupon.startMs : row.revokedMs;
  const after =
    kind === 'done' ? { ...row, usedMs, revokedMs, reference: usedMs === null ? null : row.reference } : row;
  return { kind, issue: toWrittenIssue(after, termsOf(userId)) };
}

/** Two samples and the end, for every coupon from 1 to 25. */
const fakeProgress: AppDependencies['progress'] = {
  async listen(couponId, listener) {
    if (couponId > 25) return null;
    if (couponId === 8) throw new Unavailable('stopping', 'internal: stopping');
    const one = { couponId, version: 1, totalQuantity: 1000, left: 963, unpersisted: 2, paused: false };
    listener.next({ ...one, issued: 36, issuedPerSecond: 0 });
    listener.next({ ...one, issued: 37, issuedPerSecond: 1 });
    listener.end();
    return () => {};
  },
  async recent(couponId) {
    const one = { couponId, version: 1, totalQuantity: 1000, left: 963, unpersisted: 2, paused: false };
    return { ...one, issued: 37, issuedPerSecond: 1 };
  },
};

/** Webhooks 1 to 3, of which the third has failed. */
const fakeWebhooks: AppDependencies['webhooks'] = {
  create: async ({ url, kinds }) => {
    if (url.includes('full')) return { kind: 'full' };
    const expected = urlFault(url, false);
    if (expected !== null) return { kind: 'wrong url', expected };
    return { kind: 'created', webhook: { ...webhookOf(4), url, kinds }, secret: 'whsec_c2VjcmV0' };
  },
  list: async () => [webhookOf(1), webhookOf(2), failedWebhook],
  setPaused: async (id, paused) => (id > 3 ? null : { ...webhookOf(id), state: paused ? 'paused' : 'active' }),
  remove: async (id) => id <= 3,
  replay: async (id) => id <= 3,
  deliveries: async (id, { after, limit }) =>
    id > 3
      ? null
      : [3, 2, 1]
          .filter((each) => after === 0 || each < after)
          .slice(0, limit)
          .map((each) => ({ ...delivery, id: each })),
};

function webhookOf(id: number): Webhook {
  return {
    id,
    url: `https://shop.example/${id}`,
    kinds: ['issue.created', 'issue.used'],
    state: 'active',
    failures: 0,
    failingSinceMs: null,
    nextTryMs: null,
    lastError: null,
    createdMs: coupon.createdMs,
  };
}

const failedWebhook: Webhook = {
  ...webhookOf(3),
  state: 'failed',
  failures: 80,
  failingSinceMs: coupon.createdMs,
  nextTryMs: coupon.createdMs + 1000,
  lastError: 'answered 503',
};

const delivery = {
  atMs: coupon.createdMs,
  couponId: 1,
  messageId: 'msg_Qn2xZ3c8YQm0VdS1rJb6Pw',
  events: 2,
  firstEvent: '1:issue:36',
  lastEvent: '1:issue:37',
  status: 204,
  error: null,
  durationMs: 31,
};

/** A user such as `as-3` is answered as coupon 3 is. */
function resultOf(couponId: number, userId = ''): Outcome {
  const outcome = outcomes[Number(/^as-(\d+)$/.exec(userId)?.[1] ?? couponId)] ?? refusal['not exist'];
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

function statusOf(couponId: number, userId: string): IssueStatus | null {
  if (couponId === 10) throw new Error('internal: secret of the database');
  if (couponId > 10) return null;
  if (userId === 'archived') return { kind: 'archived' };
  if (userId === 'accepted') return { kind: 'accepted', sequence: 37 };
  if (/^(issued|used|expired|revoked)$/.test(userId)) return toWrittenIssue(rowOf(userId), termsOf(userId));
  return { kind: 'none' };
}
