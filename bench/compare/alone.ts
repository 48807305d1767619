// alone.ts -- One request with no load, beside the round trips that it cannot do without, measured on the same servers.

import { withConnection } from '../../src/mysql/database.ts';
import { median } from '../testbed/statistics.ts';
import type { Testbed } from '../testbed/testbed.ts';
import { allCases, type Case } from './cases.ts';
import { runRound } from './round.ts';

const SECONDS = 2;
const TRIPS = 400;

export interface Alone {
  /** Medians, in milliseconds. */
  readonly trips: {
    readonly hello: number;
    readonly ping: number;
    readonly set: number;
    readonly select: number;
    readonly commit: number;
  };
  readonly endpoints: readonly {
    readonly name: string;
    readonly title: string;
    readonly p50Ms: number;
    readonly unavoidableMs: number;
    readonly unavoidable: string;
  }[];
}

/** Measures with one connection that sends the next request as soon as the last is answered. The worker runs beside it, as in production. */
export async function alone(testbed: Testbed): Promise<Alone> {
  const cases = await allCases(testbed);
  const p50 = async (name: string): Promise<{ title: string; p50Ms: number }> => {
    const found = cases.find((each) => each.name === name);
    if (found === undefined) throw new Error(`there is no case ${name}`);
    return { title: found.title, p50Ms: await p50Of(testbed, found) };
  };
  const trips = { hello: (await p50('hello')).p50Ms, ...(await roundTrips(testbed)) };
  const needs = [
    { name: 'scripted', unavoidable: 'hello + one flushed write', ms: trips.hello + trips.set },
    {
      name: 'locked',
      unavoidable: 'hello + lock + read + flushed write',
      ms: trips.hello + 2 * trips.set + trips.ping,
    },
    {
      name: 'synchronous',
      unavoidable: 'hello + lock, look, insert, count + commit',
      ms: trips.hello + 4 * trips.select + trips.commit,
    },
  ];
  const endpoints: Alone['endpoints'][number][] = [];
  for (const { name, unavoidable, ms } of needs) {
    endpoints.push({ name, unavoidable, unavoidableMs: ms, ...(await p50(name)) });
  }
  return { trips, endpoints };
}

async function p50Of(testbed: Testbed, contestant: Case): Promise<number> {
  const options = { connections: 1, seconds: SECONDS };
  await runRound(testbed, contestant, options);
  return (await runRound(testbed, contestant, options)).figures.p50Ms;
}

async function roundTrips({ redis, database }: Testbed) {
  const ping = await medianMs(() => redis.ping());
  const set = await medianMs((i) => redis.set('bench:trip', i));
  await redis.unlink('bench:trip');
  const mysql = await withConnection(database, async (_, connection) => {
    await connection.query('CREATE TABLE bench_trips (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE=InnoDB');
    const select = await medianMs(() => connection.query('SELECT 1'));
    const commit = await medianMs(() => connection.query('INSERT INTO bench_trips VALUES ()'));
    await connection.query('DROP TABLE bench_trips');
    return { select, commit };
  });
  return { ping, set, ...mysql };
}

async function medianMs(trip: (i: number) => Promise<unknown>): Promise<number> {
  const tookMs: number[] = [];
  for (let i = 0; i < TRIPS; i += 1) {
    const startMs = performance.now();
    await trip(i);
    tookMs.push(performance.now() - startMs);
  }
  return median(tookMs) ?? Number.NaN;
}
