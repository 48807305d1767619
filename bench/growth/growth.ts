// growth.ts -- How cost grows with what a long drop brings: owners, open coupons, connections, batch bounds, API processes.
//
// Each curve changes one thing and leaves the rest as the comparison has it: POST /v2/issue-async, 256 connections.

import { freePort } from '../../tools/stack/free-port.ts';
import { say } from '../../tools/progress.ts';
import type { Case } from '../compare/cases.ts';
import type { Figures } from '../compare/figures.ts';
import { type RoundOptions, runRound } from '../compare/round.ts';
import { ask, makeCoupon } from '../testbed/coupons.ts';
import type { Settings, Testbed } from '../testbed/testbed.ts';
import { addOwners, openAll, redisBytesOf } from './drops.ts';

export interface Point {
  readonly x: number;
  readonly figures: Figures;
  /** Opening a coupon with so many owners, in Redis, from MySQL. */
  readonly openingMs: number | null;
  /** Memory in Redis for each owner. */
  readonly bytesPerOwner: number | null;
}

export interface Curve {
  readonly name: string;
  /** What changes, with its unit. */
  readonly xTitle: string;
  readonly points: readonly Point[];
}

const OWNERS = [1_000, 10_000, 100_000, 1_000_000];
const COUPONS = [1, 10, 100, 1_000, 10_000];
const CONNECTIONS = [16, 64, 256, 1_024, 4_096];
const BATCH = [1, 10, 50, 100, 500, 1_000];
const IN_FLIGHT = [1, 2, 4, 8];

const usual: RoundOptions = { connections: 256, seconds: 2 };

export async function growth(testbed: Testbed): Promise<readonly Curve[]> {
  await measure(testbed, fresh(testbed), usual);
  const curves = [
    await curve('connections', 'connections', CONNECTIONS, (connections) =>
      measure(testbed, fresh(testbed), { ...usual, connections }),
    ),
    await curve('users a batch', 'users in a batch, at most', BATCH, (users) =>
      withSettings(testbed, { USERS_PER_BATCH_MAX: String(users) }),
    ),
    await curve('batches in flight', 'batches in flight, at most', IN_FLIGHT, (batches) =>
      withSettings(testbed, { BATCHES_IN_FLIGHT_MAX: String(batches) }),
    ),
  ];
  await testbed.restartApi({});
  await measure(testbed, fresh(testbed), usual);
  return [
    ...curves,
    await processes(testbed),
    await curve('open coupons', 'open coupons', COUPONS, (count) => withCoupons(testbed, count)),
    await curve('owners', 'owners of the coupon', OWNERS, (owners) => withOwners(testbed, owners)),
  ];
}

async function curve(
  name: string,
  xTitle: string,
  values: readonly number[],
  at: (x: number) => Promise<Omit<Point, 'x'>>,
): Promise<Curve> {
  const points: Point[] = [];
  for (const x of values) {
    const point = { x, ...(await at(x)) };
    const { requestsPerS, p99Ms, systemCpuUs } = point.figures;
    const rate = `${Math.round(requestsPerS).toLocaleString('en').padStart(8)}/s`;
    say(
      `  ${name.padEnd(18)} ${String(x).padStart(8)}  ${rate}  p99 ${p99Ms.toFixed(0)} ms  ${systemCpuUs.toFixed(1)} µs`,
    );
    points.push(point);
  }
  return { name, xTitle, points };
}

async function measure(testbed: Testbed, contestant: Case, options: RoundOptions): Promise<Omit<Point, 'x'>> {
  const { figures } = await runRound(testbed, contestant, options);
  return { figures, openingMs: null, bytesPerOwner: null };
}

/** A coupon without owners, and without limit. */
function fresh(testbed: Testbed, services?: Case['services']): Case {
  const open = async () => {
    const first = await makeCoupon(testbed, null);
    await ask(urlOf(testbed), first, 'opener');
    return { first, count: 1, issuedBefore: 1 };
  };
  return dropOf(testbed, open, services);
}

/** A drop of `POST /v2/issue-async` over the coupons that `open` makes ready. */
function dropOf(
  testbed: Testbed,
  open: () => Promise<{ first: number; count: number; issuedBefore: number }>,
  services: Case['services'] = [testbed.api],
): Case {
  return {
    name: 'scripted',
    title: 'POST /v2/issue-async',
    group: 'system',
    services,
    outcome: 'issued',
    later: 'by our worker',
    async prepare() {
      const coupons = await open();
      const { first, count } = coupons;
      // Processes that share a port are one address to the generator.
      const loads = [...new Set(services.map(({ url }) => url))].map((url, i) => ({
        url: `${url}/v2/issue-async`,
        script: 'issue' as const,
        // Each generator has users of its own.
        args: [first, count, 0, i],
      }));
      return { loads, coupons, finish: async () => {} };
    },
  };
}

async function withSettings(testbed: Testbed, settings: Settings): Promise<Omit<Point, 'x'>> {
  await testbed.restartApi(settings);
  // Warm, as the others are.
  await measure(testbed, fresh(testbed), usual);
  return measure(testbed, fresh(testbed), usual);
}

/** Both processes share one port, and the system spreads the connections over them. The usual one stands idle beside them. */
async function processes(testbed: Testbed): Promise<Curve> {
  const sharedPort = await freePort();
  const services = [await testbed.start('api-1', 'src/server.ts', { sharedPort })];
  const found = await curve('API processes', 'API processes', [1, 2], async (count) => {
    if (services.length < count) services.push(await testbed.start(`api-${count}`, 'src/server.ts', { sharedPort }));
    // Warm, as the others are.
    await measure(testbed, fresh(testbed, services), usual);
    return measure(testbed, fresh(testbed, services), usual);
  });
  for (const service of services) await service.stop();
  return found;
}

async function withCoupons(testbed: Testbed, count: number): Promise<Omit<Point, 'x'>> {
  const open = async () => {
    const first = await openAll(testbed, urlOf(testbed), count);
    return { first, count, issuedBefore: count };
  };
  return measure(testbed, dropOf(testbed, open), usual);
}

async function withOwners(testbed: Testbed, owners: number): Promise<Omit<Point, 'x'>> {
  const first = await makeCoupon(testbed, null);
  await addOwners(testbed, first, owners);
  const startMs = performance.now();
  // A coupon with very many owners may take longer to open than a request waits; a retry finds it open.
  while ((await ask(urlOf(testbed), first, 'opener')) === 503) await Bun.sleep(100);
  const openingMs = performance.now() - startMs;
  const bytesPerOwner = (await redisBytesOf(testbed, first)) / (owners + 1);
  const open = async () => ({ first, count: 1, issuedBefore: owners + 1 });
  return { ...(await measure(testbed, dropOf(testbed, open), usual)), openingMs, bytesPerOwner };
}

function urlOf(testbed: Testbed): string {
  return `${testbed.api.url}/v2/issue-async`;
}
