// archive.test.ts -- The issues of a coupon move to a file and back: exactly, beside running processes, and whatever is interrupted where.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { couponIssues, coupons } from '../../drizzle/schema.ts';
import { SYSTEM } from '../../src/auth/audit-trail.ts';
import { issuerNames } from '../../src/issuing/issuer.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { archiveCoupon, restoreArchive } from '../../src/operations/archive.ts';
import { verifyArchive } from '../../src/operations/archive-file.ts';
import { auditCoupon } from '../../src/operations/audit.ts';
import { closeCoupon } from '../../src/stock/closing.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Stores, type TestApi } from '../stores.ts';
import { runEntry } from '../started-entry.ts';

const folder = mkdtempSync(join(tmpdir(), 'archive-'));
let stores: Stores;
let api: TestApi;
beforeAll(async () => {
  stores = await openStores();
  api = await stores.createApi({ USE_WAIT_MS: 100 });
});
afterAll(async () => {
  await stores?.close();
  rmSync(folder, { recursive: true });
});

const people = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `user-${from + i}`);
const fileOf = (id: number) => join(folder, `${id}.csv`);
const ignore = () => undefined;
const USE = { kind: 'use', reference: null } as const;
const withSay = (say: (step: string) => void = ignore) => ({
  redisStock: api.redisStock,
  database: stores.database,
  say,
});

const allOf = (id: number) =>
  withConnection(stores.database, (session) =>
    session.select().from(couponIssues).where(eq(couponIssues.couponId, id)).orderBy(couponIssues.sequence),
  );

const setPeriod = (id: number, endMs: number) =>
  withConnection(stores.database, (session) =>
    session
      .update(coupons)
      .set({ dateIssueStart: new Date(endMs - 3_600_000), dateIssueEnd: new Date(endMs) })
      .where(eq(coupons.id, id)),
  );

/** A coupon that is over, with issues of which every third is used. */
async function endedCoupon(issues: number) {
  const { id } = await stores.coupon({ totalQuantity: issues + 10 });
  for (let from = 0; from < issues; from += 500)
    await api.issuers.synchronous.issue(id, people(Math.min(500, issues - from), from));
  for (let i = 0; i < Math.min(issues, 30); i += 3)
    expect(await api.issues.change(id, `user-${i}`, USE)).toMatchObject({ kind: 'done' });
  await setPeriod(id, Date.now() - 1000);
  return { id, rows: await allOf(id) };
}

class Crash extends Error {}

/** Runs what says its steps until it has said so many, as if it were killed there. */
async function crashAfter(steps: number, work: (say: () => void) => Promise<unknown>): Promise<boolean> {
  let said = 0;
  try {
    await work(() => {
      said += 1;
      if (said > steps) throw new Crash();
    });
    return false;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return true;
  }
}

test('the rows are in the file and nowhere else, and come back with the same numbers and times', async () => {
  const { id, rows } = await endedCoupon(1500);
  expect(await archiveCoupon(withSay(), id, fileOf(id))).toBe(1500);
  expect(await allOf(id)).toEqual([]);
  const { archivedMs, issuedQuantity } = await stores.couponNow(id);
  expect([typeof archivedMs, issuedQuantity]).toEqual(['number', 1500]);
  const lines = readFileSync(fileOf(id), 'utf8').split('\n');
  expect(lines.slice(0, 2)).toEqual([
    `#coupon=${id},archived=${new Date(archivedMs ?? 0).toISOString()},format=2`,
    'sequence,user_id,date_issued,date_used,date_created,date_updated,reference,date_revoked,endpoint',
  ]);
  expect(lines[2]).toStartWith(`1,user-0,${rows[0]?.dateIssued.toISOString()},${rows[0]?.dateUsed?.toISOString()},`);
  expect(lines[2]).toEndWith(',POST /v1/issue');
  expect(lines.at(-2)).toMatch(/^#rows=1500,sha256=[0-9a-f]{64}$/);
  expect(await auditCoupon({ redisStock: api.redisStock, database: stores.database }, id)).toMatchObject({
    archived: true,
    rows: 0,
    issuedQuantity: 1500,
    missing: 0,
    unexpected: 0,
  });
  expect(await api.issues.statusOf(id, 'user-0')).toEqual({ kind: 'archived' });
  expect(await api.issues.change(id, 'user-1', USE)).toEqual({ kind: 'archived' });
  // A repetition finds all done.
  expect(await archiveCoupon(withSay(), id, fileOf(id))).toBe(1500);
  expect(await restoreArchive(withSay(), fileOf(id))).toBe(1500);
  expect(await allOf(id)).toEqual(rows);
  expect((await stores.couponNow(id)).archivedMs).toBeNull();
  expect(await api.issues.statusOf(id, 'user-1')).toMatchObject({ kind: 'issued', sequence: 2 });
  expect(await api.issues.change(id, 'user-1', USE)).toMatchObject({ kind: 'done', issue: { sequence: 2 } });
});

test('what an issue was used for, and that it was revoked, comes back with it', async () => {
  const { id } = await stores.coupon({ totalQuantity: 10 });
  await api.issuers.synchronous.issue(id, people(4));
  const references = ['order,1 "quoted"\\', '#주문 100% 🎁', '%2C'];
  for (const [i, reference] of references.entries())
    expect(await api.issues.change(id, `user-${i}`, { kind: 'use', reference })).toMatchObject({ kind: 'done' });
  await api.issues.change(id, 'user-3', { kind: 'revoke', reason: 'of a test', by: SYSTEM });
  await setPeriod(id, Date.now() - 1000);
  const rows = await allOf(id);
  expect(rows.map(({ reference, dateRevoked }) => [reference, dateRevoked !== null])).toEqual([
    ...references.map((reference) => [reference, false]),
    [null, true],
  ]);
  await archiveCoupon(withSay(), id, fileOf(id));
  await restoreArchive(withSay(), fileOf(id));
  expect(await allOf(id)).toEqual(rows);
});

test('a file of a release that knew neither is restored', async () => {
  const { id, rows } = await endedCoupon(5);
  await archiveCoupon(withSay(), id, fileOf(id));
  const [head = '', columns = '', ...lines] = readFileSync(fileOf(id), 'utf8').trimEnd().split('\n');
  const old = [head.replace('format=2', 'format=1'), columns.replace(',reference,date_revoked,endpoint', '')];
  for (const line of lines.slice(0, -1)) old.push(line.replace(/,,,[^,]*$/, ''));
  const text = `${old.join('\n')}\n`;
  const sum = createHash('sha256').update(text).digest('hex');
  writeFileSync(fileOf(id), `${text}#rows=5,sha256=${sum}\n`);
  expect(await restoreArchive(withSay(), fileOf(id))).toBe(5);
  expect(await allOf(id)).toEqual(rows.map((row) => ({ ...row, endpoint: null })));
});

test('a file of the format before is taken up again, and restored without the endpoint', async () => {
  const { id, rows } = await endedCoupon(30);
  expect(await crashAfter(3, (say) => archiveCoupon(withSay(say), id, fileOf(id)))).toBe(true);
  expect((await allOf(id)).length).toBe(30);
  const [head = '', , ...lines] = readFileSync(fileOf(id), 'utf8').split('\n').slice(0, -2);
  const columns = 'sequence,user_id,date_issued,date_used,date_created,date_updated';
  const before = [head.replace('format=2', 'format=1'), columns, ...lines.map((line) => line.replace(/,,,[^,]*$/, ''))];
  const text = before.map((line) => `${line}\n`).join('');
  const sum = new Bun.CryptoHasher('sha256').update(text).digest('hex');
  writeFileSync(fileOf(id), `${text}#rows=30,sha256=${sum}\n`);
  expect(await archiveCoupon(withSay(), id, fileOf(id))).toBe(30);
  expect(await allOf(id)).toEqual([]);
  expect(await restoreArchive(withSay(), fileOf(id))).toBe(30);
  expect(await allOf(id)).toEqual(rows.map((row) => ({ ...row, endpoint: null })));
});

test('whatever step it is interrupted after, a repetition ends it, and the same back', async () => {
  const used = new Set<number>();
  for (let steps = 0, crashes = true; crashes; steps++) {
    const { id, rows } = await endedCoupon(1200);
    const path = fileOf(id);
    crashes = await crashAfter(steps, (say) => archiveCoupon(withSay(say), id, path));
    if (crashes) {
      used.add(steps);
      const left = await allOf(id);
      if (left.length < rows.length) expect((await verifyArchive(path)).rows).toBe(rows.length);
      if ((await stores.couponNow(id)).archivedMs !== null)
        expect(await api.issuers.synchronous.issue(id, ['late'])).toEqual([{ kind: 'ended' }]);
      expect(await archiveCoupon(withSay(), id, path)).toBe(rows.length);
    }
    expect(await allOf(id)).toEqual([]);
    await crashAfter(steps, (say) => restoreArchive(withSay(say), path));
    if ((await stores.couponNow(id)).archivedMs !== null) await restoreArchive(withSay(), path);
    expect(await allOf(id)).toEqual(rows);
  }
  // Marked, two pages written, read back, named, two pages removed.
  expect([...used]).toEqual([0, 1, 2, 3, 4, 5, 6]);
});

test('a command that is killed again and again ends with all rows in one place', async () => {
  const { id, rows } = await endedCoupon(3000);
  const path = fileOf(id);
  const run = async (words: readonly string[], killAfterMs?: number) => {
    const { out, code } = await runEntry(stores.config, 'src/commands/archive.ts', words, { cwd: folder, killAfterMs });
    return { out, code };
  };
  const archiving = ['--coupon', String(id), '--file', path];
  for (const ms of [0, 5, 20]) {
    await run(archiving, ms);
    const left = await allOf(id);
    if (left.length < rows.length) expect((await verifyArchive(path)).rows).toBe(rows.length);
  }
  expect(await run(archiving)).toEqual({ code: 0, out: `3000 issue(s) of coupon ${id} are in ${path}.\n` });
  expect(await allOf(id)).toEqual([]);
  for (const ms of [0, 20]) await run(['--restore', path], ms);
  if ((await stores.couponNow(id)).archivedMs !== null)
    expect(await run(['--restore', path])).toMatchObject({ code: 0 });
  expect(await allOf(id)).toEqual(rows);
  expect(await run(['--restore', path])).toMatchObject({ code: 1 });
  expect(await run(['--restore', path, '--coupon', '1'])).toMatchObject({ code: 2 });
});

test('an archived coupon is prolonged, opened and issued by no endpoint, not even after its period was changed by SQL', async () => {
  const { id } = await endedCoupon(5);
  await archiveCoupon(withSay(), id, fileOf(id));
  for (const changes of [{ endMs: Date.now() + 60_000 }, { paused: true }, { totalQuantity: 100 }])
    expect(await api.editor.edit(id, changes, null)).toEqual({ kind: 'archived' });
  expect(await api.editor.remove(id, null)).toEqual({ kind: 'archived' });
  // Also where a MySQL that went back knows an earlier epoch than Redis.
  await stores.redis.hset(stores.keys(id).state, { run: 'a former server', form: 1, epoch: 99 });
  expect(await api.editor.edit(id, { paused: true }, null)).toEqual({ kind: 'archived' });
  await stores.redis.del(stores.keys(id).state);
  await setPeriod(id, Date.now() + 60_000);
  expect(await api.editor.open(id)).toEqual({ kind: 'ended' });
  expect(await api.stock.open(id, true)).toEqual({ kind: 'ended' });
  for (const name of issuerNames)
    expect(await api.issuers[name].issue(id, ['user-1', 'new'])).toEqual([{ kind: 'ended' }, { kind: 'ended' }]);
  // An entry of before, as from a Redis that went back.
  const entry = { couponId: id, epoch: 0, firstSequence: 1, acceptedMs: Date.now(), users: ['user-0'] };
  expect((await writeEntries(stores.database, [entry])).dead).toMatchObject([{ reason: 'coupon is archived' }]);
  expect(await allOf(id)).toEqual([]);
  await restoreArchive(withSay(), fileOf(id));
  expect(await api.issuers.scripted.issue(id, ['user-1', 'new'])).toEqual([
    { kind: 'already issued', sequence: 2 },
    { kind: 'issued', sequence: 6 },
  ]);
  await using worker = await stores.startWorker();
  await worker.drained();
});

test('what is used while it is archived is used in the file, or was refused', async () => {
  const { id } = await endedCoupon(1500);
  const answers = new Map<string, string>();
  let next = 100;
  let ended = false;
  const caller = async () => {
    while (!ended && next < 1500) {
      const userId = `user-${next++}`;
      const answer = await api.issues.change(id, userId, USE);
      answers.set(userId, answer.kind);
    }
  };
  const calling = Promise.all(Array.from({ length: 8 }, caller));
  await eventually('some to be used', () => answers.size > 50);
  await archiveCoupon(withSay(), id, fileOf(id));
  await eventually('some to be refused', () => [...answers.values()].includes('archived') || next >= 1500);
  ended = true;
  await calling;
  expect([...new Set(answers.values())].sort()).toEqual(['archived', 'done']);
  await restoreArchive(withSay(), fileOf(id));
  const rows = new Map((await allOf(id)).map(({ userId, dateUsed }) => [userId, dateUsed]));
  const wrong = [...answers].filter(([userId, kind]) => (kind === 'done') !== (rows.get(userId) !== null));
  expect(wrong).toEqual([]);
});

test('a coupon that was issued in Redis is archived once it is closed', async () => {
  const { id } = await stores.coupon({ totalQuantity: 20 });
  await api.issuers.scripted.issue(id, people(7));
  await using worker = await stores.startWorker();
  await worker.drained();
  await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/has not ended/);
  await setPeriod(id, Date.now() - 1000);
  await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/still open in Redis/);
  const { epoch } = await stores.couponNow(id);
  const closing = { redisStock: api.redisStock, database: stores.database, settings: { CLOSE_AFTER_MS: 0 } };
  expect(await closeCoupon(closing, id, epoch)).toBe(true);
  const rows = await allOf(id);
  expect(await archiveCoupon(withSay(), id, fileOf(id))).toBe(7);
  expect(await restoreArchive(withSay(), fileOf(id))).toBe(7);
  expect(await allOf(id)).toEqual(rows);
});

describe('it is refused, and nothing is changed', () => {
  const unchanged = async (id: number, rows: number) => {
    expect((await allOf(id)).length).toBe(rows);
    expect((await stores.couponNow(id)).archivedMs).toBeNull();
  };

  test('while an entry or a dead letter waits', async () => {
    const { id } = await endedCoupon(3);
    const { stream, dead } = stores.keys(id);
    const fields = ['v', '1', 'c', String(id), 'e', '1', 's', '4', 't', String(Date.now()), 'u', 'late'];
    for (const key of [stream, dead]) {
      const entry = await stores.redis.xadd(key, '*', ...fields);
      await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(key === dead ? /dead letter/ : /waits/);
      await stores.redis.xdel(key, entry ?? '');
    }
    await unchanged(id, 3);
  });

  test('for a coupon of which Redis knows more than MySQL', async () => {
    const { id } = await endedCoupon(3);
    const { state } = stores.keys(id);
    await stores.redis.hset(state, 'epoch', 1);
    await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/older than Redis/);
    await stores.redis.del(state);
    await unchanged(id, 3);
  });

  test('for a coupon that is not there, one with missing rows, and a file that is there', async () => {
    await expect(archiveCoupon(withSay(), 1, fileOf(1))).rejects.toThrow(/no coupon 1/);
    const { id } = await endedCoupon(3);
    writeFileSync(fileOf(id), 'something else');
    await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/already exists/);
    expect(readFileSync(fileOf(id), 'utf8')).toBe('something else');
    rmSync(fileOf(id));
    await withConnection(stores.database, (session) =>
      session.update(coupons).set({ issuedQuantity: 4 }).where(eq(coupons.id, id)),
    );
    await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/3 rows of 4/);
    await unchanged(id, 3);
  });

  test.each([
    ['a changed letter', (text: string) => text.replace('user-1', 'user-9')],
    ['a row less', (text: string) => text.replace(/^2,.*\n/m, '')],
    ['a row more', (text: string) => text.replace(/^(2,.*\n)/m, '$1$1')],
    ['half of it', (text: string) => text.slice(0, text.length / 2)],
    ['other ends of lines', (text: string) => text.replaceAll('\n', '\r\n')],
    ['another coupon', (text: string) => text.replace(/coupon=\d+/, 'coupon=1')],
    ['something behind the end', (text: string) => `${text}4,user-4,,,,\n`],
    ['nothing', () => ''],
  ])('for a file that has %s', async (_, change) => {
    const { id } = await endedCoupon(3);
    await archiveCoupon(withSay(), id, fileOf(id));
    const text = readFileSync(fileOf(id), 'utf8');
    writeFileSync(fileOf(id), change(text));
    await expect(restoreArchive(withSay(), fileOf(id))).rejects.toThrow(/changed|no coupon 1|not the file/);
    expect(await allOf(id)).toEqual([]);
    writeFileSync(fileOf(id), text);
    expect(await restoreArchive(withSay(), fileOf(id))).toBe(3);
  });

  test('for the file of an earlier archiving', async () => {
    const { id } = await endedCoupon(3);
    await archiveCoupon(withSay(), id, fileOf(id));
    await restoreArchive(withSay(), fileOf(id));
    await archiveCoupon(withSay(), id, `${fileOf(id)}.2`);
    await expect(restoreArchive(withSay(), fileOf(id))).rejects.toThrow(/another archiving/);
    // Nor is it taken for the file that a repetition goes on with.
    await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/another archiving/);
    await expect(archiveCoupon(withSay(), id, `${fileOf(id)}.3`)).rejects.toThrow(/0 rows of 3/);
    expect(await restoreArchive(withSay(), `${fileOf(id)}.2`)).toBe(3);
  });

  test('to remove a row that is not as it is in the file', async () => {
    const { id, rows } = await endedCoupon(3);
    const isNamed = await crashAfter(3, (say) => archiveCoupon(withSay(say), id, fileOf(id)));
    expect(isNamed).toBe(true);
    const change = (dateUsed: Date | null) =>
      withConnection(stores.database, (session) =>
        session.update(couponIssues).set({ dateUsed }).where(eq(couponIssues.userId, 'user-2')),
      );
    await change(new Date(0));
    await expect(archiveCoupon(withSay(), id, fileOf(id))).rejects.toThrow(/at sequence 3/);
    expect(await allOf(id)).toHaveLength(3);
    await change(null);
    expect(await archiveCoupon(withSay(), id, fileOf(id))).toBe(3);
    await restoreArchive(withSay(), fileOf(id));
    expect(await allOf(id)).toEqual(rows);
  });
});
