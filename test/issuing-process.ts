// issuing-process.ts -- A process of its own for tests: an API that waits for the word, issues batches, and tells what it did.
//
// In: the environment of an API, and as arguments an issuer, a coupon id and batches of user ids joined by commas. It prints
// `ready`, waits for a line, issues one batch after another, and prints one line of JSON, a `ProcessReport`.

import { readConfig } from '../src/config/config.ts';
import { issuerNames } from '../src/issuing/issuer.ts';
import type { Outcome } from '../src/coupon/outcome.ts';
import { wireApi } from '../src/wiring/api.ts';
import { connect } from '../src/redis/connection.ts';
import { createLog } from '../src/telemetry/log.ts';
import { createApiMetrics } from '../src/wiring/metrics.ts';

/** What the process prints in the end. */
export interface ProcessReport {
  /** Of each batch. */
  readonly outcomes: readonly (readonly Outcome[])[];
  /** How many openings this process did. */
  readonly openings: number;
  /** How often it ran each script, by digest. */
  readonly scripts: Readonly<Record<string, number>>;
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const [issuer, couponId, ...batches] = process.argv.slice(2);
  const name = issuerNames.find((each) => each === issuer);
  if (!name) throw new Error(`there is no issuer ${issuer}`);
  const metrics = createApiMetrics();
  const { redis, issuers, close } = wireApi(readConfig(), metrics, createLog('api', 'silent'));
  const scripts: Record<string, number> = {};
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (command, stream) => {
    const digest = String(command.args[0]);
    if (command.name === 'evalsha') scripts[digest] = (scripts[digest] ?? 0) + 1;
    return send(command, stream);
  };
  await connect(redis);
  console.log('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve).once('end', () => process.exit(1)));
  const outcomes: (readonly Outcome[])[] = [];
  for (const batch of batches) outcomes.push(await issuers[name].issue(Number(couponId), batch.split(',')));
  const kinds = ['first', 'rebuilt', 'proven'] as const;
  const openings = kinds.reduce((sum, kind) => sum + metrics.openings.of(kind).total(), 0);
  console.log(JSON.stringify({ outcomes, openings, scripts } satisfies ProcessReport));
  await close();
  process.exit(0);
}
