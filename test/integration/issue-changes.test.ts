// issue-changes.test.ts -- Using, undoing and revoking: of any two at the same time exactly one is first, also beside the worker and after
// kill -9.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { listTrail } from '../../src/auth/audit-trail.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { type Change, changes, isExplained, type Sent, type State, stateOf, table } from '../change-histories.ts';
import { eventually } from '../eventually.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';

const OPERATOR_KEY = 'a-key-of-the-operator-of-changes';

let stores: Stores;
let apis: readonly [TestApi, TestApi];
beforeAll(async () => {
  stores = await openStores();
  apis = [await stores.createApi({ USE_WAIT_MS: 20_000 }), await stores.createApi({ USE_WAIT_MS: 20_000 })];
});
afterEach(endStarted);
afterAll(() => stores?.close());

interface Stored {
  readonly sequence: number;
  readonly state: State;
}

/** The rows of a coupon by their users. */
async function storedOf(couponId: number): Promise<ReadonlyMap<string, Stored>> {
  const rows = await withConnection(stores.database, (session) =>
    session.select().from(couponIssues).where(eq(couponIssues.couponId, couponId)),
  );
  return new Map(rows.map(({ userId, sequence, ...row }) => [userId, { sequence, state: stateOf(row) }] as const));
}

/** What the audit trail has of a coupon: how often each sequence was undone and revoked. */
async function recordedOf(couponId: number): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  for (let after = 0; ; ) {
    const page = await listTrail(stores.database, { couponId, key: null, after, limit: 100 });
    for (const { action, to } of page) {
      if (!action.startsWith('issue.')) continue;
      const name = `${action} ${String(to?.['sequence'])}`;
      found.set(name, (found.get(name) ?? 0) + 1);
    }
    const last = page.at(-1);
    if (!last) return found;
    after = last.id;
  }
}

test('the checker accuses what no order explains', () => {
  const sent = (change: Change, answer: string | null): Sent => ({ change, answer });
  const both = [sent('use A', 'done'), sent('revoke', 'done')];
  // Both won, none won, an answer was not kept, and something happened that nobody asked for.
  for (const end of ['used A', 'revoked', 'issued'] as const) expect(isExplained('issued', [both], end)).toBe(false);
  expect(isExplained('issued', [[sent('use A', 'already used'), sent('use B', 'already used')]], 'issued')).toBe(false);
  expect(isExplained('issued', [[sent('use A', 'done')]], 'issued')).toBe(false);
  expect(isExplained('issued', [[sent('use A', 'not used')]], 'issued')).toBe(false);
  expect(isExplained('issued', [[]], 'revoked')).toBe(false);
  expect(isExplained('issued', [[sent('use A', 'done')], [sent('undo A', 'not used')]], 'issued')).toBe(false);
  // Without an answer it may be made, or not, and later.
  for (const end of ['used A', 'issued'] as const)
    expect(isExplained('issued', [[sent('use A', null)]], end)).toBe(true);
  expect(isExplained('issued', [[sent('use A', null)], [sent('undo A', 'not used')]], 'used A')).toBe(true);
  expect(isExplained('issued', [[sent('revoke', null)], [sent('use A', 'done')]], 'revoked')).toBe(false);
});

const names = Object.keys(changes) as Change[];
const pairs = names.flatMap((first, i) => names.slice(i).map((second) => [first, second] as const));
const before: Readonly<Record<State, readonly Change[]>> = {
  issued: [],
  'used A': ['use A'],
  'used B': ['use B'],
  used: ['use'],
  revoked: ['revoke'],
};
const ROUNDS = 4;

/** A user for each pair, some rounds of it, who all have the coupon. */
async function usersWithIssues(couponId: number) {
  const users = Array.from({ length: ROUNDS }, (_, round) => pairs.map((pair, i) => ({ id: `u-${round}-${i}`, pair })));
  const all = users.flat();
  await apis[0].issuers.scripted.issue(
    couponId,
    all.map(({ id }) => id),
  );
  return all;
}

/** Two changes at the same time, one through each API. */
async function atOnce(couponId: number, userId: string, pair: readonly [Change, Change]): Promise<Sent[]> {
  return await Promise.all(
    pair.map(async (change, i) => {
      const api = apis[i] ?? apis[0];
      return { change, answer: (await api.issues.change(couponId, userId, changes[change])).kind };
    }),
  );
}

/** Checks that every user's answers and row have an explanation. */
async function check(couponId: number, start: State, sent: ReadonlyMap<string, readonly Sent[]>): Promise<void> {
  const stored = await storedOf(couponId);
  const wrong = [...sent].flatMap(([userId, history]) => {
    const end = stored.get(userId)?.state;
    return end && isExplained(start, [history], end) ? [] : [{ userId, start, history, end }];
  });
  expect(wrong).toEqual([]);
}

describe('of any two changes at the same time, one is first and the other is answered by what it left', () => {
  test.each(Object.keys(table) as State[])(
    'of issues that are %s, while the worker writes their rows again',
    async (start) => {
      const { id } = await stores.coupon({ totalQuantity: null });
      const users = await usersWithIssues(id);
      const entry = {
        couponId: id,
        epoch: 1,
        firstSequence: 1,
        acceptedMs: Date.now(),
        users: users.map((one) => one.id),
      };
      {
        await using worker = await stores.startWorker();
        await worker.drained();
      }
      for (const change of before[start])
        await Promise.all(users.map((one) => apis[0].issues.change(id, one.id, changes[change])));
      const recorded = await recordedOf(id);
      const writing = Promise.all(Array.from({ length: 10 }, () => writeEntries(stores.database, [entry])));
      const sent = await Promise.all(users.map(async (one) => [one.id, await atOnce(id, one.id, one.pair)] as const));
      for (const { inserted } of await writing) expect(inserted).toBe(0);
      await check(id, start, new Map(sent));
      // Each change by an operator that was made is in the audit trail, once.
      const made = sent.flatMap(([, history]) =>
        history.filter(({ answer }) => answer === 'done').map(({ change }) => change),
      );
      const after = await recordedOf(id);
      const count = (action: string) =>
        [...after].reduce(
          (sum, [name, times]) => sum + (name.startsWith(action) ? times - (recorded.get(name) ?? 0) : 0),
          0,
        );
      expect([count('issue.undo-use'), count('issue.revoke')]).toEqual([
        made.filter((change) => change.startsWith('undo')).length,
        made.filter((change) => change === 'revoke').length,
      ]);
    },
  );

  test('of issues that are accepted and not yet rows: they wait for the worker', async () => {
    const { id } = await stores.coupon({ totalQuantity: null });
    const users = await usersWithIssues(id);
    const sending = users.map(async (one) => [one.id, await atOnce(id, one.id, one.pair)] as const);
    await using worker = await stores.startWorker();
    await check(id, 'issued', new Map(await Promise.all(sending)));
    await worker.drained();
  });
});

test('after kill -9 of the API each change is made whole or not at all, and what was answered is kept', async () => {
  let unanswered = 0;
  for (let round = 0; round < 3; round++) {
    const { id } = await stores.coupon({ totalQuantity: null });
    const users = await usersWithIssues(id);
    {
      await using worker = await stores.startWorker();
      await worker.drained();
    }
    const server = startEntry(stores, 'src/server.ts', { environment: { ADMIN_API_KEY: OPERATOR_KEY } });
    const url = await server.url();
    let answers = 0;
    const sending = users.map(async ({ id: userId, pair }) => {
      const history = pair.map(async (change): Promise<Sent> => {
        const answer = await answerTo(url, id, userId, change);
        answers += 1;
        return { change, answer };
      });
      return [userId, await Promise.all(history)] as const;
    });
    await eventually('some answers', () => answers >= 20 * (round + 1));
    server.child.kill('SIGKILL');
    const sent = new Map(await Promise.all(sending));
    unanswered += [...sent.values()].flat().filter(({ answer }) => answer === null).length;
    await eventually('the transactions of the process to end', () => isQuiet(id));
    await check(id, 'issued', sent);
    // What an operator did is recorded with it: both are there, or neither.
    const recorded = await recordedOf(id);
    for (const { sequence, state } of (await storedOf(id)).values())
      expect(recorded.get(`issue.revoke ${sequence}`) ?? 0).toBe(state === 'revoked' ? 1 : 0);
  }
  // Else nothing was interrupted.
  expect(unanswered).toBeGreaterThan(0);
}, 120_000);

/** Sends a change over HTTP; null without an answer. */
async function answerTo(url: string, couponId: number, userId: string, name: Change): Promise<string | null> {
  const change = changes[name];
  const path = `${url}/v1/coupons/${couponId}/issues/${userId}`;
  const headers = { authorization: `Bearer ${OPERATOR_KEY}`, 'content-type': 'application/json' };
  const reference = 'reference' in change && change.reference !== null ? { reference: change.reference } : {};
  const send = () => {
    if (change.kind === 'use')
      return fetch(`${path}/use`, { method: 'POST', headers, body: JSON.stringify(reference) });
    if (change.kind === 'revoke')
      return fetch(`${path}/revoke`, { method: 'POST', headers, body: JSON.stringify({ reason: change.reason }) });
    return fetch(`${path}/use?${new URLSearchParams(reference).toString()}`, { method: 'DELETE', headers });
  };
  try {
    const answer = await send();
    if (answer.ok) return 'done';
    const { code } = (await answer.json()) as { readonly code: string };
    return words[code] ?? code;
  } catch {
    return null;
  }
}

const words: Readonly<Record<string, string>> = {
  ISSUE_ALREADY_USED: 'already used',
  ISSUE_NOT_USED: 'not used',
  ISSUE_REVOKED: 'revoked',
};

/** Whether nobody holds a lock on a row of the coupon, as a transaction does that the server has not yet rolled back. */
async function isQuiet(couponId: number): Promise<boolean> {
  return await withConnection(stores.database, async (session, connection) => {
    await connection.query('BEGIN');
    const query = session
      .select()
      .from(couponIssues)
      .where(eq(couponIssues.couponId, couponId))
      .for('update', { noWait: true });
    const free = await query.then(
      () => true,
      () => false,
    );
    await connection.query('ROLLBACK');
    return free;
  });
}

test('a user who had the coupon revoked does not get it again, and the stock stays as it is', async () => {
  const { id } = await stores.coupon({ totalQuantity: 2 });
  const [api] = apis;
  await api.issuers.synchronous.issue(id, ['a', 'b']);
  expect(await api.issues.change(id, 'a', changes.revoke)).toMatchObject({ kind: 'done', issue: { kind: 'revoked' } });
  expect(await api.issuers.synchronous.issue(id, ['a', 'c'])).toEqual([
    { kind: 'already issued', sequence: 1 },
    { kind: 'sold out' },
  ]);
  await api.editor.open(id);
  expect(await api.issuers.scripted.issue(id, ['a', 'c'])).toEqual([
    { kind: 'already issued', sequence: 1 },
    { kind: 'sold out' },
  ]);
  // An operator raises the total.
  await api.editor.edit(id, { totalQuantity: 3 }, null);
  expect(await api.issuers.scripted.issue(id, ['c'])).toEqual([{ kind: 'issued', sequence: 3 }]);
  const [entry] = await listTrail(stores.database, { couponId: id, key: null, after: 0, limit: 100 }).then((trail) =>
    trail.filter(({ action }) => action === 'issue.revoke'),
  );
  expect(entry).toMatchObject({
    name: 'a test',
    from: { sequence: 1, status: 'ISSUED' },
    to: { sequence: 1, status: 'REVOKED', reason: 'of a test' },
  });
});

test('outside its period an issue cannot be used, and is expired after it; a use in time is kept', async () => {
  const nowMs = Date.now();
  const [api] = apis;
  const later = await stores.coupon({ usableFromMs: nowMs + 3_600_000, usableUntilMs: nowMs + 7_200_000 });
  await api.issuers.synchronous.issue(later.id, ['a']);
  expect(await api.issues.change(later.id, 'a', changes.use)).toMatchObject({
    kind: 'not usable',
    issue: { kind: 'issued', usableFromMs: nowMs + 3_600_000, usableUntilMs: nowMs + 7_200_000 },
  });
  const soon = await stores.coupon({ usableUntilMs: Date.now() + 1500 });
  await api.issuers.synchronous.issue(soon.id, ['a', 'b']);
  expect(await api.issues.change(soon.id, 'a', changes['use A'])).toMatchObject({ kind: 'done' });
  await eventually('the end', async () => (await api.issues.statusOf(soon.id, 'b'))?.kind === 'expired');
  expect(await api.issues.change(soon.id, 'b', changes['use A'])).toMatchObject({ kind: 'not usable' });
  expect(await api.issues.change(soon.id, 'a', changes['use A'])).toMatchObject({ kind: 'done' });
  // Given back, it is as it would be had it not been used.
  expect(await api.issues.change(soon.id, 'a', changes['undo A'])).toMatchObject({
    kind: 'done',
    issue: { kind: 'expired' },
  });
  expect((await api.issues.listOf('b', { after: soon.id - 1, limit: 1 }))[0]).toMatchObject({ kind: 'expired' });
});

test('days count from the instant at which the coupon was issued, whoever wrote the row and when', async () => {
  const { id } = await stores.coupon({ usableDays: 7, timeZone: 'Asia/Seoul' });
  const issuedMs = Date.parse('2026-12-01T15:30:00Z');
  const entry = { couponId: id, epoch: 0, firstSequence: 1, acceptedMs: issuedMs, users: ['a'] };
  await writeEntries(stores.database, [entry]);
  expect(await apis[0].issues.statusOf(id, 'a')).toMatchObject({
    issuedMs,
    usableFromMs: null,
    usableUntilMs: Date.parse('2026-12-09T15:00:00Z'),
  });
});
