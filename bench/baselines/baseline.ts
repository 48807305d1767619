// baseline.ts -- What every baseline has in common: the stores, the body, and being served exactly as our API is.
//
// A baseline is the ordinary way of one endpoint, as a careful person writes it first: on the same packages, the same
// servers and the same durability, sharing nothing between requests.

import { type AnyElysia, Elysia } from 'elysia';
import type { Redis } from 'ioredis';
import { type Config, readConfig } from '../../src/config/config.ts';
import { type Database, openDatabase } from '../../src/mysql/database.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import { serve } from '../../src/runtime/serve.ts';

/** The body that all of them take, in the way of Elysia: `{ body: IssueRequest }`. */
export { IssueRequest } from '../../src/issuing/endpoint.ts';

export interface BaselineStores {
  readonly config: Config;
  readonly redis: Redis;
  readonly database: Database;
}

/** Connects to the stores that the environment names. */
export async function openBaselineStores(): Promise<BaselineStores> {
  const config = readConfig();
  const redis = issuingConnection(config, (error) => console.error(error));
  await connect(redis);
  return { config, redis, database: openDatabase(config) };
}

/** Serves until the process is stopped: nothing of a baseline has to survive its run. */
export async function serveBaseline(routes: AnyElysia): Promise<void> {
  const { HOST: host, PORT: port } = readConfig(['HOST', 'PORT']);
  const app = new Elysia({ precompile: true, handler: { standardHostname: false } })
    .get('/livez', () => new Response('ok\n'))
    .use(routes);
  await serve((request) => app.fetch(request), { host, port, onError: (error) => console.error(error) });
}

/** The keys of the two baselines that decide in Redis; no key of our system has their prefix. Messages, one an issue, go to `stream`. */
export function baselineKeys(couponId: number) {
  const coupon = `baseline:${couponId}`;
  return { owners: `${coupon}:owners`, lock: `${coupon}:lock`, stream: `${coupon}:issues` };
}
