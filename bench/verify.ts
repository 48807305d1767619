// Entry: `bun bench/verify.ts <record folder | coupon id>`, after any run, and what the suites call: do the promises hold?
//
// It reads the live stores that DATABASE_URL and REDIS_URL name. A fast wrong run is a failure: the exit code is not 0.
import { readConfig } from '../src/config/config.ts';
import { closeDatabase, openDatabase } from '../src/mysql/database.ts';
import { OperatorError } from '../src/operator-error.ts';
import { preflight, reasonOf } from '../src/runtime/preflight.ts';
import { issuingConnection } from '../src/redis/connection.ts';
import { type Evidence, NoSuchCoupon, readEvidence } from './verification/evidence.ts';
import { faultsIn } from './verification/judgement.ts';
import { type LoadRecord, readLoadRecord, RecordFault } from './verification/load-record.ts';

/** How the verification ended, for people. */
export interface Verdict {
  /** What is wrong; empty when every promise held. */
  readonly faults: readonly string[];
  /** What was looked at. */
  readonly account: string;
}

export interface VerifyOptions {
  /** `DATABASE_URL`, `REDIS_URL`, and `PARTITIONS` if it is not the default. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly couponId: number;
  /** What the callers were told; null judges the stores alone. */
  readonly record: LoadRecord | null;
  readonly waitMsMax?: number;
}

/** How long the backlog may take; a fault when it takes longer. */
const WAIT_MS_MAX = 30_000;

/** The stores cannot be asked: nothing is known. The message is one line for people. */
export class VerificationFault extends Error {
  override readonly name = 'VerificationFault';
}

/**
 * Waits until the stream is drained, then judges.
 *
 * @throws VerificationFault when a store or the coupon cannot be read; OperatorError for wrong addresses
 */
export async function verify({
  environment,
  couponId,
  record,
  waitMsMax = WAIT_MS_MAX,
}: VerifyOptions): Promise<Verdict> {
  const config = readConfig(
    [
      'DATABASE_URL',
      'REDIS_URL',
      'PARTITIONS',
      'REDIS_CONNECT_MS_MAX',
      'REDIS_COMMAND_MS_MAX',
      'MYSQL_CONNECTIONS_MAX',
      'MYSQL_QUEUE_MAX',
      'MYSQL_CONNECT_MS_MAX',
      'TRANSACTION_MS_MAX',
    ],
    environment,
  );
  const database = openDatabase(config);
  // What goes wrong with the connection is thrown by the command that needed it.
  const redis = issuingConnection(config, () => undefined);
  try {
    // What the stores lose in a crash is their business here; that they can be read is ours.
    await preflight(database, [redis], true);
    const evidence = await readEvidence({ redis, database, couponId, partitions: config.PARTITIONS, waitMsMax });
    return { faults: faultsIn(evidence, record), account: accountOf(evidence, record) };
  } catch (error) {
    if (error instanceof OperatorError) throw new VerificationFault(error.message, { cause: error });
    const reason = error instanceof NoSuchCoupon ? error.message : `the stores cannot be read (${reasonOf(error)})`;
    throw new VerificationFault(`verification: ${reason}`, { cause: error });
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
  if (record === null) return `${stores}; without a record of what callers were told`;
  const { accepted, duplicated, soldOut, indeterminate } = record.counts;
  const named = `${accepted} issued and ${duplicated} duplicated, each looked up`;
  return `${stores}; answers: ${named}; ${soldOut} sold out, ${indeterminate} indeterminate`;
}

async function main(argument: string | undefined): Promise<number> {
  if (argument === undefined) {
    console.error('Say what to verify: bun bench/verify.ts <folder of a record, or id of a coupon>');
    return 2;
  }
  try {
    const record = /^[1-9]\d*$/.test(argument) ? null : readLoadRecord(argument);
    const verdict = await verify({ environment: process.env, couponId: record?.couponId ?? Number(argument), record });
    for (const line of verdictLines(verdict)) console.log(line);
    return verdict.faults.length === 0 ? 0 : 1;
  } catch (error) {
    const isKnown = [VerificationFault, OperatorError, RecordFault].some((kind) => error instanceof kind);
    if (!(isKnown && error instanceof Error)) throw error;
    console.error(error.message);
    return 2;
  }
}

if (import.meta.main) process.exit(await main(process.argv[2]));
