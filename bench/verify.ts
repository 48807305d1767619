// Entry: `bun bench/verify.ts <record folder | coupon id>`, after any run, and what the suites call: do the promises hold?
//
// It reads the live stores that DATABASE_URL and REDIS_URL name. A fast wrong run is a failure: the exit code is not 0.
import { databaseSettings, readConfig, redisSettings } from '../src/config/config.ts';
import { closeDatabase, openDatabase } from '../src/mysql/database.ts';
import { markedPartitions } from '../src/installation/installation.ts';
import { OperatorError } from '../src/operator-error.ts';
import { preflight } from '../src/runtime/preflight.ts';
import { reasonOf } from '../src/runtime/store-faults.ts';
import { issuingConnection } from '../src/redis/connection.ts';
import { BenchError } from './bench-error.ts';
import { runCommand } from './command.ts';
import { type Evidence, readEvidence } from './verification/evidence.ts';
import { faultsIn } from './verification/judgement.ts';
import { type LoadRecord, readLoadRecord } from './verification/load-record.ts';

/** The result of a verification, for people. */
export interface Verdict {
  /** What is wrong; empty when every promise held. */
  readonly faults: readonly string[];
  /** What was looked at. */
  readonly account: string;
}

export interface VerifyOptions {
  /** `DATABASE_URL` and `REDIS_URL`. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly couponId: number;
  /** The answers that callers got; null judges the stores alone. */
  readonly record: LoadRecord | null;
  readonly waitMsMax?: number;
}

/** How long the backlog may take; a fault when it takes longer. */
const WAIT_MS_MAX = 30_000;

/**
 * Waits until the stream is drained, then judges.
 *
 * @throws OperatorError when a setting is wrong, or a store or the coupon cannot be read
 */
export async function verify({
  environment,
  couponId,
  record,
  waitMsMax = WAIT_MS_MAX,
}: VerifyOptions): Promise<Verdict> {
  const config = readConfig(
    [...databaseSettings, ...redisSettings, 'MYSQL_CONNECTIONS_MAX', 'PARTITIONS'],
    environment,
  );
  const database = openDatabase(config);
  // What goes wrong with the connection is thrown by the command that needed it.
  const redis = issuingConnection(config, () => undefined);
  try {
    // Whether the stores are durable does not matter here; that they can be read does.
    const settings = { ALLOW_VOLATILE_REDIS: 'on', START_WAIT_S: 0 } as const;
    await preflight({
      database,
      connections: [redis],
      settings,
      say: () => undefined,
      testRedis: () => Promise.resolve([]),
    });
    const partitions = config.PARTITIONS ?? (await markedPartitions(redis));
    const evidence = await readEvidence({ redis, database, couponId, partitions, waitMsMax });
    return { faults: faultsIn(evidence, record), account: accountOf(evidence, record) };
  } catch (error) {
    if (error instanceof OperatorError) throw error;
    throw new BenchError(`the stores cannot be read (${reasonOf(error)})`, { cause: error });
  } finally {
    redis.disconnect();
    await closeDatabase(database);
  }
}

/** The verdict as lines for people. */
export function verdictLines({ faults, account }: Verdict): string[] {
  return faults.length === 0
    ? [`  verified   ${account}`]
    : [`  verified   NOT: ${faults.length} fault(s). ${account}`, ...faults.map((fault) => `    - ${fault}`)];
}

function accountOf({ couponId, rows, total, stream, redis }: Evidence, record: LoadRecord | null): string {
  const drained =
    stream.drainedMs === null ? 'the stream never drained' : `drained after ${Math.round(stream.drainedMs)} ms`;
  const stores = `coupon ${couponId}: ${rows.length} rows of ${total ?? 'an unlimited stock'}, each read${
    redis === null ? '' : ' and compared with Redis'
  }; ${drained}`;
  if (record === null) return `${stores}; without a record of the answers`;
  const { accepted, duplicated, soldOut, indeterminate } = record.counts;
  const named = `${accepted} issued and ${duplicated} duplicated, each looked up`;
  return `${stores}; answers: ${named}; ${soldOut} sold out, ${indeterminate} indeterminate`;
}

async function verifyGiven([argument]: readonly string[]): Promise<boolean> {
  if (argument === undefined) {
    throw new BenchError('Say what to verify: bun bench/verify.ts <folder of a record, or id of a coupon>');
  }
  const record = /^[1-9]\d*$/.test(argument) ? null : readLoadRecord(argument);
  const verdict = await verify({ environment: process.env, couponId: record?.couponId ?? Number(argument), record });
  for (const line of verdictLines(verdict)) console.log(line);
  return verdict.faults.length === 0;
}

const usage = `bun bench/verify.ts <folder of a record, or id of a coupon>

Checks the promises P1 to P5 on the live stores that DATABASE_URL and REDIS_URL name.
Exit code: 0 all held; 1 a promise is broken; 2 it could not be judged. More: bench/README.md`;

if (import.meta.main) await runCommand(usage, verifyGiven);
