// Real Prometheus, against API and worker under load: every expression of every panel and rule parses, and finds data.
//
// Skipped, with a word from `bun run test`, only on a machine where Prometheus is neither installed nor can be; `bun run check`
// fails there.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMonitoringPrograms } from '../../tools/monitor/programs.ts';
import { runCommand } from '../../tools/stack/run-command.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import {
  type Asked,
  alertExpressions,
  annotationExpressions,
  metricsIn,
  panelExpressions,
  recordingRules,
} from './dashboards.ts';
import { adminApiKey, startWatchedSystem, type Undo, type WatchedSystem } from './watched-system.ts';

const programs = findMonitoringPrograms();
const waitMsMax = 20_000;
const undo: Undo = [];
let system: WatchedSystem;
let load: Load;

describe.skipIf(programs === undefined)('Prometheus', () => {
  beforeAll(async () => {
    if (programs === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), 'coupon-watched-'));
    undo.push(() => rmSync(folder, { recursive: true, force: true }));
    system = await startWatchedSystem(programs, folder, undo);
    await waitUntil('every target to be up', async () => (await value('count(up == 1)')) === 4, { waitMsMax });
    load = await startLoad(system.apiUrl);
    undo.push(() => load.stop());
    // A rate needs two scrapes, and a rule one more: whatever order the tests come in, there is something to be seen.
    const rows = 'max_over_time((sum(result:coupon_ledger_rows:irate))[1m:1s])';
    const seen = `${rows} > 10 and on () coupon:coupon_stock_left:min == 0`;
    await waitUntil('Prometheus to see the load', async () => (await ask(seen)).length > 0, {
      waitMsMax: 60_000,
    });
  }, 120_000);

  afterAll(async () => {
    for (const step of undo.splice(0).reverse()) await step();
  }, 60_000);

  test('every panel expression returns data', () => withData(panelExpressions()));

  test('start, sold out and deploy are marked at their moments', () =>
    withData(annotationExpressions().map(({ where, expr }) => ({ where, expr: `count_over_time((${expr})[5m:1s])` }))));

  test('every recording rule returns data', () =>
    withData(recordingRules().map(({ record }) => ({ where: record, expr: record }))));

  test('every alert expression evaluates, and every series that it reads exists', async () => {
    for (const { expr } of alertExpressions()) await ask(expr);
    await withData(
      alertExpressions().flatMap(({ where, expr }) => metricsIn(expr).map((name) => ({ where, expr: name }))),
    );
  });

  test('every rule is evaluated without an error', async () => {
    const { groups } = await get<{ groups: { rules: Rule[] }[] }>('/api/v1/rules');
    const rules = groups.flatMap((group) => group.rules);
    expect(rules.length).toBe(alertExpressions().length + recordingRules().length);
    expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  });

  test('no promise is broken by this load', async () => {
    expect(await ask('ALERTS{alertname=~"Never.*"}')).toEqual([]);
  });

  test('the load metrics equal what the callers observed', async () => {
    await load.stop();
    const { issued, answered } = load;
    const counted = 'sum(coupon_issue_requests_total)';
    await waitUntil('every answer to be counted', async () => (await value(counted)) === answered, { waitMsMax });
    expect(await value('sum(coupon_issue_requests_total{outcome="issued"})')).toBe(issued);
    const rows = 'sum(coupon:coupon_stock_rows:max)';
    await waitUntil('every issue to be a row', async () => (await value(rows)) === issued, { waitMsMax });
    await waitUntil('an empty backlog', async () => (await value('coupon_unpersisted_users:sum')) === 0, { waitMsMax });
  });

  test('promtool accepts what API and worker expose', async () => {
    for (const url of [system.apiUrl, system.workerUrl]) {
      const text = await (await fetch(`${url}/metrics`)).text();
      const script = 'printf %s "$1" | "$2" check metrics';
      const { ok, output } = await runCommand('/bin/sh', ['-c', script, 'sh', text, programs?.promtool ?? '']);
      expect({ ok, output }).toEqual({ ok: true, output: '' });
    }
  });
});

interface Rule {
  readonly health: string;
}

interface Sample {
  readonly metric: Record<string, string>;
  readonly value: [number, string];
}

async function get<Data>(path: string): Promise<Data> {
  const response = await fetch(`${system.prometheusUrl}${path}`);
  const answer = (await response.json()) as { status: string; error?: string; data: Data };
  if (answer.status !== 'success') throw new Error(`${decodeURIComponent(path)}: ${answer.error}`);
  return answer.data;
}

/** The samples of an expression now. Throws when it does not parse. */
async function ask(expr: string): Promise<Sample[]> {
  return (await get<{ result: Sample[] }>(`/api/v1/query?query=${encodeURIComponent(expr)}`)).result;
}

async function value(expr: string): Promise<number | undefined> {
  const [sample] = await ask(expr);
  return sample && Number(sample.value[1]);
}

/** Waits until each finds at least one number; those that never do are named. */
async function withData(asked: readonly Asked[]): Promise<void> {
  expect(asked.length).toBeGreaterThan(9);
  let empty = asked;
  const allFound = async (): Promise<boolean> => {
    const found = await Promise.all(
      empty.map(async ({ expr }) => (await ask(expr)).some((sample) => isFinite(Number(sample.value[1])))),
    );
    empty = empty.filter((_, i) => !found[i]);
    return empty.length === 0;
  };
  await waitUntil('data', allFound, { waitMsMax, pauseMs: 250 }).catch((error: unknown) => {
    // What does not parse speaks for itself; what was waited for in vain is named below.
    if (!/in vain/.test(String(error))) throw error;
  });
  expect(empty).toEqual([]);
}

interface Load {
  /** 2xx answers so far. */
  issued: number;
  answered: number;
  /** Sends no more, and resolves when everything is answered. */
  stop(): Promise<void>;
}

/** A few callers without pause, on a coupon that runs out and one that does not, through all three endpoints. */
async function startLoad(apiUrl: string): Promise<Load> {
  const couponIds = [await createCoupon(apiUrl, 500), await createCoupon(apiUrl, null)];
  // As in life: a coupon is there before its first issue.
  const untouched = 'count(coupon:coupon_stock_issued:max == 0)';
  await waitUntil('Prometheus to see both coupons', async () => (await value(untouched)) === 2, { waitMsMax });
  const paths = ['/v1/issue', '/v1/issue-async', '/v2/issue-async'];
  let stopping = false;
  let next = 0;
  const running: Load = {
    issued: 0,
    answered: 0,
    async stop() {
      stopping = true;
      await Promise.all(callers);
    },
  };
  const call = async (): Promise<void> => {
    while (!stopping) {
      const n = next++;
      // Every seventh comes from a user who has been here.
      const body = JSON.stringify({ couponId: couponIds[n % 2], userId: n % 7 === 0 ? n % 70 : n });
      const response = await fetch(apiUrl + paths[n % 3], {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      });
      await response.arrayBuffer();
      running.answered += 1;
      if (response.ok) running.issued += 1;
    }
  };
  const callers = Array.from({ length: 12 }, call);
  return running;
}

async function createCoupon(apiUrl: string, totalQuantity: number | null): Promise<number> {
  const hourMs = 3_600_000;
  const response = await fetch(`${apiUrl}/v1/coupons`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${adminApiKey}` },
    body: JSON.stringify({
      title: 'A coupon that is watched',
      totalQuantity,
      discountAmount: 1000,
      minAvailableAmount: 0,
      dateIssueStart: new Date(Date.now() - hourMs).toISOString(),
      dateIssueEnd: new Date(Date.now() + hourMs).toISOString(),
    }),
  });
  if (response.status !== 201) throw new Error(`the coupon was not made: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { id: number }).id;
}
