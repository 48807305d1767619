// webhooks.test.ts -- Webhooks while API and workers are killed at any instant, between a use and its event too, and while the receiver is
// away: every event at least once, in order of each coupon, none invented. TEST_WEBHOOK_DOWN_S=60 keeps it away for a minute.

import { afterAll, expect, test } from 'bun:test';
import { isNotNull } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { withConnection } from '../../src/mysql/database.ts';
import type { WebhookEvent } from '../../src/webhooks/events.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { endStarted, startEntry } from '../started-entry.ts';
import { openStores } from '../stores.ts';
import { startReceiver } from '../webhook-receiver.ts';

const downMs = Number(process.env['TEST_WEBHOOK_DOWN_S'] ?? 6) * 1000;
/** Events before the receiver goes away, and after. */
const EVENTS_MIN = 60;
/** Uses between two kills. */
const USES_MIN = 10;

const stores = await openStores();
afterAll(async () => {
  await endStarted();
  await stores.close();
});

const ADMIN_API_KEY = 'the-key-of-the-operators';
const environment = {
  ADMIN_API_KEY,
  WEBHOOK_PRIVATE: 'on',
  WEBHOOK_POLL_MS: '100',
  WEBHOOK_MS_MAX: '1000',
  WEBHOOK_RETRY_S_MAX: '2',
  CLAIM_IDLE_MS: '1000',
  BLOCK_MS: '100',
};
const json = { 'content-type': 'application/json', authorization: `Bearer ${ADMIN_API_KEY}` };

/** A process that is started again whenever it is killed. `line`: it is up once it has logged this. */
function kept(entry: string, line: string, more: Readonly<Record<string, string>>) {
  const start = () => startEntry(stores, entry, { environment: { ...environment, ...more } });
  let process = start();
  return {
    isUp: () => process.logOf().includes(line),
    async kill() {
      process.child.kill('SIGKILL');
      await process.child.exited;
      process = start();
    },
  };
}

const patient = { waitMsMax: 120_000, pauseMs: 50 };

test(
  'what happened arrives, whatever is killed and however long the receiver is away',
  async () => {
    const apiPort = await freePort();
    const url = `http://127.0.0.1:${apiPort}`;
    const processes = [
      kept('src/server.ts', 'listening', { PORT: String(apiPort) }),
      kept('workers/worker.ts', 'draining', { WORKER_NAME: 'one' }),
      kept('workers/worker.ts', 'draining', { WORKER_NAME: 'two' }),
    ];
    await waitUntil('all to be up', () => processes.every(({ isUp }) => isUp()), patient);
    let receiver = startReceiver();
    const port = Number(new URL(receiver.url).port);
    const created = await fetch(`${url}/v1/webhooks`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify({ url: receiver.url, kinds: ['issue.created', 'issue.used'] }),
    });
    const { secret } = (await created.json()) as { readonly secret: string };
    receiver.trust(secret);
    const coupons = await Promise.all([1, 2, 3].map(() => stores.coupon({ totalQuantity: null })));
    const events: WebhookEvent[] = [];
    const until: Until = { stop: false, kills: 0, uses: 0 };
    const crowd = coupons.flatMap(({ id }) =>
      Array.from({ length: 4 }, (_, i) => issueAndUse(url, id, `of-${i}`, until)),
    );
    const killing = killAtRandom(processes, until);
    const received = () => [...events, ...receiver.events];
    await waitUntil('the first events', () => received().length > EVENTS_MIN && until.kills > 2, patient);
    events.push(...receiver.events);
    const forged = [...receiver.forged];
    await receiver[Symbol.asyncDispose]();
    await Bun.sleep(downMs);
    receiver = startReceiver(port);
    receiver.trust(secret);
    await waitUntil('more events', () => receiver.events.length > EVENTS_MIN && until.kills > 5, patient);
    until.stop = true;
    await Promise.all([...crowd, killing]);
    // What was accepted becomes rows, and what happened is sent.
    const expected = async () => {
      const rows = await withConnection(stores.database, async (session) => [
        await session.$count(couponIssues),
        await session.$count(couponIssues, isNotNull(couponIssues.dateUsed)),
      ]);
      return rows[0] === undefined || rows[1] === undefined ? 0 : rows[0] + rows[1];
    };
    await waitUntil(
      'every event to arrive',
      async () => (await isDrained()) && new Set(received().map(({ id }) => id)).size >= (await expected()),
      patient,
    );
    const rows = await withConnection(stores.database, (session) => session.select().from(couponIssues));
    expect(rows.length).toBeGreaterThan(EVENTS_MIN / 2);
    expect(rows.filter(({ dateUsed }) => dateUsed !== null).length).toBeGreaterThan(EVENTS_MIN / 4);
    for (const { id } of coupons) checkCoupon(id, rows, received());
    expect([...forged, ...receiver.forged]).toEqual([]);
    await receiver[Symbol.asyncDispose]();
  },
  downMs + 600_000,
);

async function isDrained(): Promise<boolean> {
  const keys = Array.from({ length: stores.config.PARTITIONS }, (_, partition) => stores.keys(partition));
  const lengths = await Promise.all(keys.map(({ stream }) => stores.redis.xlen(stream)));
  return lengths.every((length) => length === 0);
}

/** How far the run is, and whether it is over. */
interface Until {
  stop: boolean;
  kills: number;
  /** Uses that were answered. */
  uses: number;
}

/** A user after the other gets the coupon and uses it; what is not answered may have happened. */
async function issueAndUse(url: string, couponId: number, prefix: string, until: Until): Promise<void> {
  for (let i = 0; !until.stop; i += 1) {
    const userId = `${prefix}-${couponId}-${i}`;
    const ask = (path: string, body?: object) =>
      fetch(url + path, { method: 'POST', headers: json, ...(body && { body: JSON.stringify(body) }) }).catch(
        () => null,
      );
    const issued = await ask(i % 3 === 0 ? '/v1/issue' : '/v2/issue-async', { couponId, userId });
    const used = issued?.ok ? await ask(`/v1/coupons/${couponId}/issues/${userId}/use`) : null;
    if (used?.ok) until.uses += 1;
    else await Bun.sleep(50);
    await Promise.all([issued?.body?.cancel(), used?.body?.cancel()]);
  }
}

/** One after the other, each a moment after it is up again and some issues were used. */
async function killAtRandom(processes: readonly ReturnType<typeof kept>[], until: Until): Promise<void> {
  for (let i = 0; !until.stop; i += 1) {
    const process = processes[i % processes.length];
    const { uses } = until;
    const isTime = () => until.stop || (process?.isUp() === true && until.uses >= uses + USES_MIN);
    await waitUntil('a process to be up', isTime, patient);
    await Bun.sleep(1000 * Math.random());
    await process?.kill();
    until.kills += 1;
  }
}

type Rows = readonly (typeof couponIssues.$inferSelect)[];

/** Judges by when each event came first: an event that is sent again comes after others, and is known by its id. */
function checkCoupon(couponId: number, rows: Rows, received: readonly WebhookEvent[]): void {
  const mine = received.filter(({ data }) => data.couponId === couponId);
  const first = [...new Map(mine.toReversed().map((event) => [event.id, event])).values()].toReversed();
  const ofKind = (kind: string) => first.filter(({ type }) => type === kind);
  const issues = rows.filter((row) => row.couponId === couponId).sort((a, b) => a.sequence - b.sequence);
  const facts = ({ sequence, userId }: { readonly sequence?: unknown; readonly userId?: unknown }) => [
    sequence,
    userId,
  ];
  // All, none invented, in order.
  expect(ofKind('issue.created').map(({ data }) => facts(data))).toEqual(issues.map(facts));
  const used = issues.filter(({ dateUsed }) => dateUsed !== null);
  const bySequence = (a: WebhookEvent, b: WebhookEvent) => Number(a.data['sequence']) - Number(b.data['sequence']);
  expect(
    ofKind('issue.used')
      .sort(bySequence)
      .map(({ data }) => facts(data)),
  ).toEqual(used.map(facts));
  const seen = new Set<unknown>();
  for (const { type, data } of first) {
    if (type === 'issue.created') seen.add(data['sequence']);
    else expect(seen.has(data['sequence'])).toBe(true);
  }
}
