// Entry: makes the three demo coupons through the API, once: open now, sold out, not yet started. Says them, the open one first.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const idsFile = resolve(import.meta.dirname, '../.local/demo-coupons.json');
const { API_URL: apiUrl = 'http://localhost:3000', ADMIN_API_KEY: adminApiKey = '' } = process.env;
const dayMs = 86_400_000;

const demoCoupons = [
  { about: 'open now, 1,000 pieces', title: 'Demo: open now', totalQuantity: 1_000, startsInDays: 0, soldOut: false },
  { about: 'sold out', title: 'Demo: sold out', totalQuantity: 1, startsInDays: 0, soldOut: true },
  { about: 'not yet started', title: 'Demo: not yet started', totalQuantity: 1_000, startsInDays: 365, soldOut: false },
];

const ids: unknown = existsSync(idsFile) ? JSON.parse(readFileSync(idsFile, 'utf8')) : {};
const known = new Map<string, unknown>(Object.entries(ids ?? {}));
for (const demo of demoCoupons) {
  if (!(await isThere(known.get(demo.title), demo.title))) {
    known.set(demo.title, await create(demo));
    mkdirSync(dirname(idsFile), { recursive: true });
    writeFileSync(idsFile, JSON.stringify(Object.fromEntries(known)));
  }
  console.log(`  coupon ${String(known.get(demo.title))}   ${demo.about}`);
}

/** The file may be older than the database: a coupon counts only when it still has the title. */
async function isThere(id: unknown, title: string): Promise<boolean> {
  if (typeof id !== 'number') return false;
  const response = await call('GET', `/v1/coupons/${id}`);
  if (response.status === 404) return false;
  return field(await bodyOf(response), 'title') === title;
}

async function create(demo: (typeof demoCoupons)[number]): Promise<number> {
  const startMs = Date.now() + demo.startsInDays * dayMs - 60_000;
  const response = await call('POST', '/v1/coupons', {
    title: demo.title,
    totalQuantity: demo.totalQuantity,
    discountAmount: 1_000,
    minAvailableAmount: 10_000,
    listed: true,
    dateIssueStart: new Date(startMs).toISOString(),
    dateIssueEnd: new Date(startMs + 10 * 365 * dayMs).toISOString(),
  });
  const id = field(await bodyOf(response), 'id');
  if (typeof id !== 'number') throw new Error(`the API answered a coupon without an id: ${String(id)}`);
  if (demo.soldOut) await bodyOf(await call('POST', '/v1/issue', { couponId: id, userId: 'early-bird' }));
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

async function bodyOf(response: Response): Promise<unknown> {
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? new Map(Object.entries(value)).get(name) : undefined;
}
