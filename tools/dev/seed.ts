// seed.ts -- Entry that `bun run dev` runs: makes the demo coupons through the API, and says what state each is in, the open one first.
//
// A coupon whose moment is over is made again: one that is sold out is no "open now", and one that has opened does not open soon.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const idsFile = resolve(import.meta.dirname, '../../.local/demo-coupons.json');
const { API_URL: apiUrl = 'http://localhost:3000', ADMIN_API_KEY: adminApiKey = '' } = process.env;
const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;
const OPENS_SOON_MS = 2 * MINUTE_MS;

/** What of a coupon decides whether its moment is over. */
interface State {
  readonly startMs: number;
  readonly isIssuable: boolean;
  readonly total: number;
  readonly left: number;
}

interface Demo {
  readonly title: string;
  readonly totalQuantity: number;
  readonly startsInMs: number;
  isGood(state: State): boolean;
  describe(id: number, state: State): string;
}

const demos: readonly Demo[] = [
  {
    title: 'Demo: open now',
    totalQuantity: 1_000,
    startsInMs: -MINUTE_MS,
    isGood: ({ startMs, left }) => startMs <= Date.now() && left > 0,
    describe: (_, { left, total }) => `open now, ${left.toLocaleString('en')} of ${total.toLocaleString('en')} left`,
  },
  {
    title: 'Demo: sold out',
    totalQuantity: 1,
    startsInMs: -MINUTE_MS,
    isGood: ({ left }) => left === 0,
    describe: () => 'sold out',
  },
  {
    title: 'Demo: not yet started',
    totalQuantity: 1_000,
    startsInMs: 365 * DAY_MS,
    isGood: ({ startMs }) => startMs > Date.now(),
    describe: (_, { startMs }) => `opens on ${new Date(startMs).toISOString().slice(0, 10)}`,
  },
  {
    title: 'Demo: opens soon',
    totalQuantity: 300,
    startsInMs: OPENS_SOON_MS,
    // Shorter is over before the page is open.
    isGood: ({ startMs, left }) => startMs > Date.now() + OPENS_SOON_MS / 4 && left > 0,
    describe: (id, { startMs }) => {
      const seconds = Math.round((startMs - Date.now()) / 1_000);
      return `opens in ${seconds} s: watch ${apiUrl}/drop/${id}`;
    },
  },
];

const ids: unknown = existsSync(idsFile) ? JSON.parse(readFileSync(idsFile, 'utf8')) : {};
const known = new Map<string, unknown>(Object.entries(ids ?? {}));
for (const demo of demos) {
  const { id, state } = await ensure(demo, known.get(demo.title));
  known.set(demo.title, id);
  mkdirSync(dirname(idsFile), { recursive: true });
  writeFileSync(idsFile, JSON.stringify(Object.fromEntries(known)));
  console.log(`  coupon ${id}   ${demo.describe(id, state)}`);
}

async function ensure(demo: Demo, knownId: unknown): Promise<{ id: number; state: State }> {
  const before = await stateOf(knownId, demo.title);
  if (typeof knownId === 'number' && before !== null) {
    if (before.isIssuable && demo.isGood(before)) return { id: knownId, state: before };
    // One that opened without anybody coming opens again; else each start would leave a coupon.
    const isUntouched = before.isIssuable && before.left === before.total && before.total === demo.totalQuantity;
    if (isUntouched && (await call('PATCH', `/v1/coupons/${knownId}`, periodOf(demo))).ok) {
      const moved = await stateOf(knownId, demo.title);
      if (moved !== null && demo.isGood(moved)) return { id: knownId, state: moved };
    }
  }
  const id = await create(demo);
  const state = await stateOf(id, demo.title);
  if (state === null) throw new Error(`coupon ${id} was made, and is not there`);
  return { id, state };
}

/** null: there is none. The file may be older than the database, so a coupon counts only when it still has the title. */
async function stateOf(id: unknown, title: string): Promise<State | null> {
  if (typeof id !== 'number') return null;
  const response = await call('GET', `/v1/coupons/${id}`);
  if (response.status === 404) return null;
  const coupon = await bodyOf(response);
  if (coupon['title'] !== title) return null;
  const audit = await bodyOf(await call('GET', `/v1/coupons/${id}/audit`));
  // Rows lag behind what Redis has given, and a Redis that was just restarted does not say what is next.
  const written = Number(audit['rows'] ?? 0) + Number(audit['unpersisted'] ?? 0) + Number(audit['dead'] ?? 0);
  const issued = Math.max(Number(coupon['issuedQuantity']), Number(audit['next'] ?? 1) - 1, written);
  const total = coupon['totalQuantity'] === null ? Number.POSITIVE_INFINITY : Number(coupon['totalQuantity']);
  const isOver = Date.parse(String(coupon['dateIssueEnd'])) <= Date.now();
  return {
    startMs: Date.parse(String(coupon['dateIssueStart'])),
    isIssuable: !isOver && coupon['paused'] === false && coupon['dateArchived'] === null,
    total,
    left: Math.max(0, total - issued),
  };
}

function periodOf({ startsInMs }: Demo) {
  const startMs = Date.now() + startsInMs;
  return {
    dateIssueStart: new Date(startMs).toISOString(),
    dateIssueEnd: new Date(startMs + 3_650 * DAY_MS).toISOString(),
  };
}

async function create(demo: Demo): Promise<number> {
  const { title, totalQuantity } = demo;
  const draft = { title, totalQuantity, discountAmount: 1_000, minAvailableAmount: 10_000, listed: true };
  const { id } = await bodyOf(await call('POST', '/v1/coupons', { ...draft, ...periodOf(demo) }));
  if (typeof id !== 'number') throw new Error(`the API answered a coupon without an id: ${String(id)}`);
  if (totalQuantity === 1) await bodyOf(await call('POST', '/v1/issue', { couponId: id, userId: 'early-bird' }));
  return id;
}

async function call(method: string, path: string, body?: unknown): Promise<Response> {
  return await fetch(`${apiUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${adminApiKey}`, 'content-type': 'application/json' },
    body: body === undefined ? null : JSON.stringify(body),
    signal: AbortSignal.timeout(10_000),
  });
}

async function bodyOf(response: Response): Promise<Readonly<Record<string, unknown>>> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as Readonly<Record<string, unknown>>;
}
