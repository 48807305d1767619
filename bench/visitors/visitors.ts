// visitors.ts -- 100,000 visitors on a drop without event streams: their requests by the pace of the page, and what of them reaches the API.
//
// Usage: bun bench/visitors/visitors.ts [visitors [seconds]] with BASE_URL and COUPON_ID; by default 100000 visitors, 60 seconds.
// The visitors read at the pace of the page (`nextReadMs`), without a network. A cache that keeps an answer as long as `Cache-Control` says stands
// between: what it has not, it asks the API for. The run fails when that is more than twice a second.

import { nextReadMs, type Situation } from '../../web/drop/pace.ts';

const [visitors = 100_000, seconds = 60] = process.argv.slice(2).map(Number);
const base = process.env['BASE_URL'] ?? 'http://127.0.0.1:3000';
const url = `${base}/v1/drops/${process.env['COUPON_ID'] ?? '1'}`;

const TICK_MS = 100;

const first = await read();
if (first.maxAgeMs === 0) throw new Error(`${url} forbids caches to keep it`);
let cached = first;
let reachedApi = 0;
let readsOfAll = 0;
let busiest = 0;
const unchanged = new Uint8Array(visitors);
const due: number[][] = [];
for (let visitor = 0; visitor < visitors; visitor += 1) plan(visitor, 0);
for (let tick = 0; tick < (seconds * 1000) / TICK_MS; tick += 1) {
  const reading = due[tick] ?? [];
  if (reading.length > 0 && performance.now() >= cached.untilMs) {
    cached = await read();
    reachedApi += 1;
  }
  readsOfAll += reading.length;
  busiest = Math.max(busiest, reading.length);
  for (const visitor of reading) plan(visitor, tick);
  await Bun.sleep(TICK_MS);
}
console.log(
  [
    `${visitors} visitors for ${seconds} s`,
    `${Math.round(readsOfAll / seconds)} reads a second in all, ${busiest * (1000 / TICK_MS)} in the busiest tenth`,
    `${(reachedApi / seconds).toFixed(2)} a second reached the API`,
  ].join('\n'),
);
process.exit(reachedApi / seconds <= 2 ? 0 : 1);

/** When a visitor reads next, as the page decides. */
function plan(visitor: number, tick: number): void {
  const seen = unchanged[visitor] ?? 0;
  const situation: Situation = { phase: phaseOf(), startInMs: cached.startInMs, failures: 0, unchanged: seen };
  unchanged[visitor] = Math.min(200, seen + 1);
  const at = tick + Math.max(1, Math.round(nextReadMs(situation, Math.random()) / TICK_MS));
  (due[at] ??= []).push(visitor);
}

function phaseOf(): Situation['phase'] {
  return cached.left === 0 ? 'over' : cached.startInMs > 0 ? 'before' : 'open';
}

async function read() {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url} answers ${answer.status}`);
  const drop = (await answer.json()) as { left: number | null; dateIssueStart: string; now: string };
  const maxAgeMs = Number(/max-age=(\d+)/.exec(answer.headers.get('cache-control') ?? '')?.[1] ?? 0) * 1000;
  const startInMs = Date.parse(drop.dateIssueStart) - Date.parse(drop.now);
  return { left: drop.left, startInMs, maxAgeMs, untilMs: performance.now() + maxAgeMs };
}
