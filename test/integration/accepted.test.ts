// accepted.test.ts -- All that was accepted counts, wherever it stands: every reader, for an issue in each place where one can be.

import { afterAll, beforeEach, expect, test } from 'bun:test';
import { eq } from 'drizzle-orm';
import { coupons } from '../../drizzle/schema.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { closeCoupon } from '../../src/stock/closing.ts';
import { restoreLost } from '../../src/stock/restoring.ts';
import { readEntry } from '../../src/stream/entry.ts';
import { settle } from '../../src/stream/scripts/settle.ts';
import { reconcileOnce } from '../reconcile-once.ts';
import { openStores, type TestApi } from '../stores.ts';

const stores = await openStores();
afterAll(() => stores.close());
beforeEach(() => stores.redis.flushdb());

/** Where the one issue is: user `a` of a coupon of two, with sequence 1. */
interface Place {
  readonly name: string;
  readonly waits: 'stream' | 'dead' | null;
  readonly isRow: boolean;
}

const places: readonly Place[] = [
  { name: 'only in the stream', waits: 'stream', isRow: false },
  { name: 'only among the dead letters', waits: 'dead', isRow: false },
  { name: 'only a row', waits: null, isRow: true },
  { name: 'in the stream, and a row', waits: 'stream', isRow: true },
  { name: 'among the dead letters, and a row', waits: 'dead', isRow: true },
];

type Reader = (api: TestApi, id: number, place: Place) => Promise<void>;

const statusIn = ({ isRow }: Place) => ({ kind: isRow ? 'issued' : 'accepted', sequence: 1 }) as const;

const readers: Readonly<Record<string, Reader>> = {
  async 'an opening'(api, id) {
    await api.redisStock.drop(id);
    expect(await api.issuers.scripted.issue(id, ['a', 'b', 'c'])).toEqual([
      { kind: 'already issued', sequence: 1 },
      { kind: 'issued', sequence: 2 },
      { kind: 'sold out' },
    ]);
  },
  async closing(api, id, { waits }) {
    await setCoupon(id, { dateIssueEnd: new Date(Date.now() - 1000) });
    const { epoch } = await stores.couponNow(id);
    const { redisStock, database } = api;
    const closed = await closeCoupon({ redisStock, database, settings: { CLOSE_AFTER_MS: 0 } }, id, epoch);
    expect([closed, (await stores.couponNow(id)).stockHome]).toEqual(waits ? [false, 'redis'] : [true, 'mysql']);
  },
  async 'the status'(api, id, place) {
    expect(await api.issues.statusOf(id, 'a')).toMatchObject(statusIn(place));
  },
  async 'the status of a coupon that is over and whose state is lost'(api, id, place) {
    await setCoupon(id, { dateIssueEnd: new Date(Date.now() - 1000) });
    await api.redisStock.drop(id);
    expect(await api.issues.statusOf(id, 'a')).toMatchObject(statusIn(place));
    expect(await api.issues.statusOf(id, 'b')).toEqual({ kind: 'none' });
  },
  async 'the status of a coupon whose home is MySQL'(api, id, place) {
    await moveToMysql(api, id, place);
    expect(await api.issues.statusOf(id, 'a')).toMatchObject(statusIn(place));
    expect(await api.issues.statusOf(id, 'b')).toEqual({ kind: 'none' });
  },
  async use(api, id, { isRow }) {
    const used = api.issues.change(id, 'a', { kind: 'use', reference: null });
    if (isRow) expect(await used).toMatchObject({ kind: 'done', issue: { kind: 'used', sequence: 1 } });
    else expect(await failureOf(used)).toMatchObject({ name: 'Unavailable', reason: 'unwritten' });
  },
  async 'the audit'(api, id, { waits, isRow }) {
    const counted = { unpersisted: waits === 'stream' ? 1 : 0, dead: waits === 'dead' ? 1 : 0, rows: isRow ? 1 : 0 };
    const right = { missing: 0, unknown: 0, unexpected: 0 };
    expect(await api.audit(id)).toMatchObject({ ...counted, owners: 1, ...right });
  },
  async 'the restoring of what MySQL lost'(api, id) {
    const { redisStock, database } = api;
    expect(await restoreLost({ redisStock, database, settings: stores.config }, id)).toBe(0);
  },
  async 'issuing from MySQL'(api, id, place) {
    await moveToMysql(api, id, place);
    const asked = api.issuers.synchronous.issue(id, ['b']);
    if (place.waits) expect(await failureOf(asked)).toMatchObject({ name: 'Unavailable' });
    else expect(await asked).toEqual([{ kind: 'issued', sequence: 2 }]);
    // The reconciler opens it, and all go on.
    await reconcileOnce(api, { settings: stores.config });
    await using other = await stores.createApi();
    const [owner, , late] = await other.issuers.synchronous.issue(id, ['a', 'b', 'c']);
    expect([owner, late]).toEqual([{ kind: 'already issued', sequence: 1 }, { kind: 'sold out' }]);
  },
  async 'the deletion of a coupon'(api, id, place) {
    await moveToMysql(api, id, place);
    const removal = api.editor.remove(id, null);
    if (place.isRow && !place.waits) expect(await removal).toEqual({ kind: 'issued', issued: 1 });
    else expect(await failureOf(removal)).toMatchObject({ name: 'Unavailable' });
  },
};

for (const [name, reader] of Object.entries(readers)) {
  test.each(places)(`${name} is right about an issue that is $name`, async (place) => {
    await using api = await stores.createApi({ USE_WAIT_MS: 0 });
    const { id } = await stores.coupon({ totalQuantity: 2 });
    expect(await api.issuers.scripted.issue(id, ['a'])).toEqual([{ kind: 'issued', sequence: 1 }]);
    await moveIssue(id, place);
    await reader(api, id, place);
  });
}

async function moveIssue(id: number, { waits, isRow }: Place): Promise<void> {
  const keys = stores.keys(id);
  const [[entryId, fields] = ['', []]] = await stores.redis.xrange(keys.stream, '-', '+');
  const entry = readEntry(fields);
  if ('reason' in entry) throw new Error(entry.reason);
  if (isRow) await writeEntries(stores.database, [entry]);
  const deadLetters = waits === 'dead' ? [{ entryId, reason: 'a test', fields }] : [];
  if (waits !== 'stream') await settle(stores.redis, { keys, entries: [{ id: entryId, users: 1 }], deadLetters });
}

/** As an earlier release closed it over dead letters, or a restored MySQL has it while Redis lost the state. */
async function moveToMysql(api: TestApi, id: number, { waits }: Place): Promise<void> {
  await setCoupon(id, { stockHome: 'mysql' });
  await api.redisStock.drop(id);
  if (waits === 'dead') await stores.redis.unlink(stores.keys(id).owners);
}

async function setCoupon(id: number, fields: Partial<typeof coupons.$inferInsert>): Promise<void> {
  await withConnection(stores.database, (session) => session.update(coupons).set(fields).where(eq(coupons.id, id)));
}

function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.catch((failure: unknown) => failure);
}
