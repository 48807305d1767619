// installation.ts -- What must be the same everywhere is compared: the installation, its partitions, and which Redis counts.
//
// MySQL keeps the truth in one row; every Redis carries a mark. A Redis without one becomes that of the installation, which raises
// the generation, so that a replaced Redis is known as such, and the processes that still use it accept nothing more.

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import type { Redis } from 'ioredis';
import { coupons, installation } from '../../drizzle/schema.ts';
import { type Database, type Session, readFromPrimary, withTransaction } from '../mysql/database.ts';
import { OperatorError } from '../operator-error.ts';
import { INSTALLATION_KEY } from '../stream/keys.ts';
import { errorNumber } from '../mysql/faults.ts';
import { refuseServer } from '../redis/connection.ts';
import { defineScript } from '../redis/script.ts';
import { dropStates } from './repartition.ts';
import { explainMysql, explainRedis, explainStoreFailure } from '../runtime/store-faults.ts';

export interface InstallationDependencies {
  readonly database: Database;
  readonly redis: Redis;
  /** Without a number, whatever the installation has is right. */
  readonly settings: { readonly PARTITIONS?: number | undefined };
}

/** The layout of keys in Redis that this release reads and writes. Another number is another layout. */
const LAYOUT = 1;

/** Of a new installation: enough to spread over the nodes of a cluster. */
const PARTITIONS_NEW = 64;
/** Of one that was begun by a release that did not note the number, and had this default. */
const PARTITIONS_UNNOTED = 4;

/** Pause between two comparisons of a running process. */
export const COMPARE_MS = 1000;
/** After another Redis took over, processes that use the former one have noticed by then. */
const TAKEOVER_MS = 3 * COMPARE_MS;

/** The one row. */
const ROW = 1;

type Row = typeof installation.$inferSelect;

/** The mark in a Redis. */
interface Mark {
  readonly name: string;
  readonly partitions: number;
  readonly layout: number;
  readonly id: string;
  readonly generation: number;
  /** Whether it is new, and MySQL does not know it yet: the states there are older than the rows. */
  readonly isNew: boolean;
}

const claimScript = defineScript({
  source: new URL('./scripts/claim-installation.lua', import.meta.url),
  keys: () => [INSTALLATION_KEY],
  args: ({ name, partitions, layout, id, generation, isNew }: Mark) => {
    return [name, partitions, layout, id, generation, isNew ? 1 : 0];
  },
  read: (reply): Mark => ({
    name: reply.text(0),
    partitions: reply.whole(1),
    layout: reply.whole(2),
    id: reply.text(3),
    generation: reply.whole(4),
    isNew: reply.whole(5) === 1,
  }),
});

/**
 * Compares both stores with each other and with the settings, before the process does anything else. The first process of all
 * gives the installation its name; a Redis without a mark is taken over, which waits until all others have noticed.
 *
 * @returns the number of partitions that it has
 * @throws OperatorError with one line that names the setting and the cure
 */
export function claimInstallation(dependencies: InstallationDependencies): Promise<number> {
  return claim(dependencies).catch((error: unknown) => {
    const ofMysql = (failure: unknown) => explainMysql(failure, dependencies.database);
    throw explainStoreFailure(error, errorNumber(error) === null ? explainRedis : ofMysql);
  });
}

/**
 * The number of partitions by the mark in Redis, for a command that does not ask MySQL.
 *
 * @throws OperatorError when there is no mark; what ioredis throws
 */
export async function markedPartitions(redis: Redis): Promise<number> {
  const partitions = Number(await redis.hget(INSTALLATION_KEY, 'partitions'));
  if (partitions > 0) return partitions;
  throw new OperatorError(
    partitions < 0
      ? 'REDIS_URL: the number of partitions is being changed, or that was interrupted; run `bun run partitions` again'
      : 'REDIS_URL: no process of an installation has used this Redis yet; set PARTITIONS if one has',
  );
}

async function claim({ database, redis, settings }: InstallationDependencies): Promise<number> {
  const row = await withTransaction(database, (session) => readOrMake(session, settings.PARTITIONS));
  const fault = rowFault(row, settings.PARTITIONS);
  if (fault) throw new OperatorError(fault);
  const { name, partitions } = row;
  // The generation that this Redis begins, should it be one that nobody has marked yet.
  const generation = row.redisId === null ? row.generation : row.generation + 1;
  const isNew = row.redisId !== null;
  const mark = await claimScript(redis, { name, partitions, layout: LAYOUT, id: randomUUID(), generation, isNew });
  const wrong = markFault(mark, row);
  if (wrong) throw new OperatorError(wrong);
  if (mark.id === row.redisId) {
    if (mark.isNew) await redis.hdel(INSTALLATION_KEY, 'new');
    return partitions;
  }
  // It may have counted before: its states are then older than the rows, and name this very server. A mark that is not new was known to
  // MySQL, which then went back to before that: what those states have is all that is left of some issues.
  if (mark.isNew) await dropStates(redis);
  const former = row.redisId === null ? isNull(installation.redisId) : eq(installation.redisId, row.redisId);
  const [now] = await withTransaction(database, async (session) => {
    await session
      .update(installation)
      .set({ redisId: mark.id, generation: mark.generation })
      .where(and(eq(installation.id, ROW), former));
    return selectRow(session);
  });
  // Another one was faster.
  if (now?.redisId !== mark.id) throw new OperatorError(replaced(now ?? row));
  await redis.hdel(INSTALLATION_KEY, 'new');
  if (row.redisId !== null) await pause(TAKEOVER_MS);
  return partitions;
}

/**
 * Goes on comparing. While the stores do not belong together, nothing is accepted in Redis, and requests get 503. A store that does
 * not answer is not compared.
 *
 * @param onChange is given the fault when there is one, and null when it is over
 */
export async function keepComparing(
  { database, redis, settings }: InstallationDependencies,
  onChange: (fault: string | null) => void,
  stop: AbortSignal,
): Promise<void> {
  let reported: string | null = null;
  while (!stop.aborted) {
    await pause(COMPARE_MS, undefined, { signal: stop }).catch(() => undefined);
    const fault = await compare({ database, redis, settings }).catch(() => undefined);
    if (fault === undefined || stop.aborted) continue;
    refuseServer(redis, fault !== null);
    if (fault !== reported) onChange(fault);
    reported = fault;
  }
}

/** What is wrong, or null. */
async function compare({ database, redis, settings }: InstallationDependencies): Promise<string | null> {
  const [row] = await readFromPrimary(database, selectRow);
  if (!row) return 'DATABASE_URL: the row of the installation is gone from MySQL; restart the process';
  const { name, partitions, redisId, generation } = row;
  // An emptied Redis that counted before still counts.
  const seen = { name, partitions, layout: LAYOUT, id: redisId ?? '', generation, isNew: false };
  const mark = await claimScript(redis, seen);
  const fault = rowFault(row, settings.PARTITIONS) ?? markFault(mark, row);
  if (fault !== null || mark.id === redisId) return fault;
  return mark.generation > generation
    ? 'REDIS_URL: this Redis took over after the backup from which MySQL was restored; restart one process to record it in MySQL'
    : replaced(row);
}

/** By its id, so that Vitess asks the one shard that has it. */
const selectRow = (session: Session) => session.select().from(installation).where(eq(installation.id, ROW));

async function readOrMake(session: Session, wanted: number | undefined): Promise<Row> {
  const [found] = await selectRow(session);
  if (found) return found;
  const partitions = wanted ?? (await partitionsUnnoted(session));
  // Two processes may be the first.
  await session
    .insert(installation)
    .values({ id: ROW, name: randomUUID(), partitions, layout: LAYOUT, dateCreated: sql`UTC_TIMESTAMP(3)` })
    .onDuplicateKeyUpdate({ set: { partitions: sql`partitions` } });
  const [made] = await selectRow(session);
  if (!made) throw new OperatorError('DATABASE_URL: the row of the installation cannot be written');
  return made;
}

/** Where a coupon was opened, Redis has keys of it, whose names have its partition. */
async function partitionsUnnoted(session: Session): Promise<number> {
  const opened = await session.select({ id: coupons.id }).from(coupons).where(gt(coupons.epoch, 0)).limit(1);
  return opened.length > 0 ? PARTITIONS_UNNOTED : PARTITIONS_NEW;
}

function rowFault({ partitions, layout }: Row, wanted = partitions): string | null {
  if (layout !== LAYOUT)
    return `DATABASE_URL: this installation has the key layout ${layout} in Redis, but this release needs ${LAYOUT}; run the release that created it`;
  if (partitions === wanted) return null;
  const cure = `set PARTITIONS=${partitions}, or stop all processes and run \`bun run partitions ${wanted}\``;
  return `PARTITIONS: this installation has ${partitions} partitions, not ${wanted}; ${cure}`;
}

function markFault(mark: Mark, row: Row): string | null {
  if (mark.name !== row.name)
    return 'REDIS_URL: this Redis belongs to another installation; use another Redis, another database number, or a KEY_PREFIX';
  if (mark.partitions < 0)
    return `REDIS_URL: the number of partitions is being changed, or that was interrupted; run \`bun run partitions ${row.partitions}\` again`;
  if (mark.partitions !== row.partitions || mark.layout !== row.layout)
    return `REDIS_URL: this Redis has ${mark.partitions} partitions, and MySQL says ${row.partitions}; run \`bun run partitions ${row.partitions}\` again`;
  return row.redisId !== null && mark.id !== row.redisId && mark.generation <= row.generation ? replaced(row) : null;
}

function replaced({ generation }: Row): string {
  const back = `To come back, let a worker write what it has, stop all processes, and delete its key \`${INSTALLATION_KEY}\``;
  return `REDIS_URL: another Redis has replaced this one (generation ${generation}); set REDIS_URL to that one. ${back}`;
}
