// fakes.ts -- An app whose dependencies are plain values: what the HTTP surface does with every outcome, without any store.

import { type App, type AppDependencies, createApp } from '../../src/app.ts';
import type { TrailEntry } from '../../src/auth/audit-trail.ts';
import { changesTerms, type Coupon } from '../../src/coupon/coupon.ts';
import type { Readiness } from '../../src/operations/health-routes.ts';
import { type AuthorityDependencies, createAuthority, digestOf } from '../../src/auth/authority.ts';
import { Limiter } from '../../src/http/rate-limit/limiter.ts';
import { RequestObserver } from '../../src/http/request-log/request-observer.ts';
import { tokensWith } from './tokens.ts';
import { KeyRing, type Scope, type StoredKey } from '../../src/auth/api-keys.ts';
import type { Audit } from '../../src/operations/audit.ts';
import { finding, type Preflight } from '../../src/operations/preflight/findings.ts';
import { type Outcome, refusal, Unavailable } from '../../src/coupon/outcome.ts';
import type { IssueStatus, OwnedIssue, Use } from '../../src/issues/status.ts';

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
        return resultOf(couponId);
      },
    },
    issueOnce: async ({ key, issuer, couponId, userId }) => {
      if (key === 'of another request') return { kind: 'other request' };
      calls.issued.push({ key, issuer, couponId, userId });
      return { kind: 'decided', outcome: resultOf(couponId), replayed: key === 'seen before' };
    },
    issues: {
      statusOf: async (couponId, userId, waitMs = 0) => {
        calls.waited.push(waitMs);
        return statusOf(couponId, userId);
      },
      listOf: async (userId, { after, limit }) => (userId === 'nobody' ? [] : ownedIssues(after).slice(0, limit)),
      use: async (couponId, userId) => useOf(couponId, userId),
    },
    progress: fakeProgress,
    places: { take: () => ({ free: () => {}, keep: () => 'a place' }) },
    catalog: {
      create: async (created) => {
        calls.created.push(created);
        return { ...coupon, ...created, id: 26, issuedQuantity: 0 };
      },
      read: async (id) => coupons.find((one) => one.id === id) ?? null,
      list: async ({ after, limit }) => coupons.filter(({ id }) => id > after).slice(0, limit),
    },
    readPublic: async (id) => coupons.find((one) => one.id === id) ?? null,
    editor: fakeEditor,
    report: async ({ from, to, couponId, after, limit }) => ({
      days: [
        { date: from, couponId: couponId ?? after + 1, issued: limit, used: 1, discount: 5000 },
        { date: to, couponId: couponId ?? after + 1, issued: 0, used: 2, discount: 10_000 },
      ],
      archived: [],
      next: null,
    }),
    audit: async (couponId) => (couponId > 25 ? null : audit),
    preflight: async (couponId) => (couponId > 25 ? null : preflight),
    deadLetters: fakeDeadLetters,
    load: async () => load,
    listTrail: async ({ after, limit }) => trail.filter(({ id }) => after === 0 || id < after).slice(0, limit),
    requests: new RequestObserver({ mode: 'off', isTimed: false, hashUser: null, write: () => {} }),
    logging: {
      current: () => ({ logLevel: 'info', requestLog: 'off', untilMs: null }),
      change: async (settings, durationMs) => {
        calls.logging.push({ ...settings, durationMs });
        return true;
      },
    },
    onLoggingChanged: (by, settings) => calls.logging.push({ by: by.name, ...settings }),
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

/** There are 101 dead letters: 0-1-0 can be replayed, 0-2-0 is of a later release, the others are no entries. */
const fakeDeadLetters: AppDependencies['deadLetters'] = {
  async *list() {
    const entry = { couponId: 4, epoch: 1, firstSequence: 12, acceptedMs: 0, users: ['a', 'b'] };
    yield { id: '0-1-0', entryId: '1-0', reason: 'no such coupon', entry };
    const allocation = { couponId: 5, firstSequence: 7, users: ['c'] };
    yield { id: '0-2-0', entryId: '2-0', reason: 'unknown version', entry: null, allocation };
    for (let i = 3; i <= 101; i++) yield { id: `0-${i}-0`, entryId: `${i}-0`, reason: 'unknown version', entry: null };
  },
  replay: async (id) => (id === '0-1-0' ? 'replayed' : id === '0-2-0' ? 'unreadable' : 'gone'),
  discard: async (id) => id === '0-1-0',
};

/** Coupons 1 to 25 are at version 1 and can be changed; 12 pieces are issued of each but coupon 2, of which none is. */
const fakeEditor: AppDependencies['editor'] = {
  async edit(id, changes, versions) {
    const refused = refusalOf(id, versions);
    if (refused) return refused;
    if ((changes.totalQuantity ?? 12) < 12) return { kind: 'issued', issued: 12 };
    if (id === 8) return { kind: 'archived' };
    if (id === 9 && changesTerms(coupon, changes)) return { kind: 'terms fixed' };
    if ((changes.startMs ?? coupon.startMs) >= (changes.endMs ?? coupon.endMs)) return { kind: 'no period' };
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
  return async (_, couponId) => {
    if (couponId !== 12) return resultOf(couponId);
    await wait();
    return { kind: 'issued', sequence: 9 };
  };
}

/** A user's issues of the coupons 1 to 25; those of even ones are used. */
function ownedIssues(after: number): readonly OwnedIssue[] {
  return coupons
    .filter(({ id }) => id > after)
    .map(({ id, title, discountAmount, minAvailableAmount }) => ({
      couponId: id,
      sequence: 37,
      issuedMs: coupon.startMs,
      writtenMs: coupon.startMs + 64,
      usedMs: id % 2 ? null : coupon.startMs + 1,
      title,
      discountAmount,
      minAvailableAmount,
    }));
}

function useOf(couponId: number, userId: string): Use {
  if (couponId > 25) return { kind: 'not exist' };
  if (userId === 'none') return { kind: 'not issued' };
  if (userId === 'archived') return { kind: 'archived' };
  if (userId === 'accepted') throw new Unavailable('unwritten', 'internal: not yet a row');
  return { kind: userId === 'used' ? 'already used' : 'used', sequence: 37, usedMs: coupon.startMs };
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
};

function resultOf(couponId: number): Outcome {
  const outcome = outcomes[couponId] ?? refusal['not exist'];
  if (outcome instanceof Error) throw outcome;
  return outcome;
}

function statusOf(couponId: number, userId: string): IssueStatus | null {
  if (couponId === 10) throw new Error('internal: secret of the database');
  if (couponId > 10) return null;
  if (userId === 'archived') return { kind: 'archived' };
  if (userId === 'accepted' || userId === 'issued' || userId === 'used') return { kind: userId, sequence: 37 };
  return { kind: 'none' };
}
