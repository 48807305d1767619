// worker-steps.ts -- The workers of a story: `workers/inbox.ts` and `workers/drain.ts`, one step of the model at a time.

import { sql } from 'drizzle-orm';
import { readAllocation } from '../../../src/stream/entry.ts';
import { GROUP } from '../../../src/stream/keys.ts';
import { type Database, withConnection } from '../../../src/mysql/database.ts';
import { removeConsumers } from '../../../src/stream/scripts/remove-consumers.ts';
import { drain } from '../../../workers/drain.ts';
import { Inbox, type Message } from '../../../workers/inbox.ts';
import type { RealWorld } from '../real-world.ts';
import { userName } from '../picture.ts';
import type { Drive, Step } from '../steps.ts';

/** What a worker is about to send, by where the model says that it stands. */
export const workerWaits: Readonly<Record<number, string>> = {
  1: 'begin',
  2: 'settle',
  3: 'look',
  4: 'unlink',
  5: 'unlink',
};

/** Has what no worker of the story has. */
const SPARE = 'spare';
const consumerOf = (w: number): string => `worker-${w + 1}`;

const go =
  (...until: readonly string[]): Drive =>
  async (world, { who, after }) => {
    await world.workers[who]?.process.advance({ until });
    if (after.workers[who]?.at === 0) endWorker(world, who, true);
  };

function endWorker(world: RealWorld, w: number, hasFinished: boolean): void {
  const command = world.workers[w]?.process.kill();
  // Its other entries are read again.
  if (hasFinished && command && command.name !== 'begin') throw new Error(`the worker goes on with ${command.name}`);
  world.workers[w] = null;
}

/** The group hands exactly those entries to the worker that the model has in its hand. */
async function read(world: RealWorld, { name, after }: Step): Promise<void> {
  const w = workerOf(name, after);
  const messages = await handOver(world, w, { name, after } as Step);
  const stop = new AbortController();
  const observer = { written: () => {}, retrying: () => {}, deadLetter: () => {} };
  const worker = await world.start(({ redisStock, database, settings }) =>
    drain({ redisStock, database, keys: world.keys, settings, observer, stop: stop.signal }, messages),
  );
  worker.gate.onKill(() => stop.abort());
  world.workers[w] = worker;
  await worker.gate.next(() => worker.process.ended !== null);
}

function workerOf(name: string, after: Step['after']): number {
  const [, number] = /^worker (\d+) /.exec(name) ?? [];
  return number === undefined ? after.workers.findIndex(({ at }) => at === 1) : Number(number) - 1;
}

async function handOver(world: RealWorld, w: number, { after }: Step): Promise<readonly Message[]> {
  const { redis, keys } = world;
  const { stream } = keys;
  const worker = consumerOf(w);
  const asked = redis.pipeline().xgroup('CREATE', stream, GROUP, '0', 'MKSTREAM');
  asked.xreadgroup('GROUP', GROUP, SPARE, 'COUNT', 100, 'STREAMS', stream, '>').xrange(stream, '-', '+');
  const [, , [, entries] = []] = (await asked.exec()) ?? [];
  const wanted: string[] = [];
  const others: string[] = [];
  for (const [id, fields] of entries as [id: string, fields: string[]][]) {
    const entry = readAllocation(fields);
    const isWanted = after.users.some(
      (user, u) => (user.hand[w] ?? 0) > 0 && entry && !('undecodable' in entry) && entry.users.includes(userName(u)),
    );
    (isWanted ? wanted : others).push(id);
  }
  const handed = redis.pipeline();
  // In a world with a consumer group it stays pending for who had it.
  if (others.length > 0 && after.groups.length === 0) handed.xclaim(stream, GROUP, SPARE, 0, ...others);
  if (wanted.length > 0) handed.xclaim(stream, GROUP, worker, 0, ...wanted);
  await handed.exec();
  const settings = { ...world.settings, WORKER_NAME: worker };
  return new Inbox(redis, keys, settings).next();
}

export const workerSteps: Readonly<Record<string, Drive>> = {
  'worker reads the entry from': read,
  'worker reads all entries': async (world, step) => {
    // The model names a worker by its number here.
    await read(world, { ...step, name: `worker ${step.who + 1} reads all` });
  },
  'worker writes': go('settle', 'unlink'),
  'worker halves what MySQL refuses, and finds the bad entry': go('settle', 'unlink'),
  'worker drops the state before it settles': go('settle'),
  'worker settles': go('look', 'begin'),
  'worker asks Redis for what it knows': go('unlink'),
  'worker drops the state': go(),
  'worker dies': async (world, { who }) => endWorker(world, who, false),
  'the consumers of idle workers are removed': async (world) => {
    await world.runAll(({ redis }) => removeConsumers(redis, { keys: world.keys, idleMs: 0 }));
  },
  'the data is bad of user': async (world, { who, after }) => {
    const bad = after.users[who - 1]?.bad ?? 0;
    await withConnection(world.real.database, (session) =>
      session.execute(sql`INSERT INTO bad_issues VALUES (${world.couponId}, ${userName(who - 1)}, ${bad})`),
    );
  },
};

/** Makes MySQL refuse what a story says is bad, as it refuses a value that does not fit its column. */
export async function createBadData(database: Database): Promise<void> {
  await withConnection(database, async (session) => {
    await session.execute(sql`
      CREATE TABLE bad_issues (coupon_id BIGINT UNSIGNED, user_id VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin, sequence BIGINT)`);
    await session.execute(sql`
      CREATE TRIGGER refuse_bad_issues BEFORE INSERT ON coupon_issues FOR EACH ROW
      IF EXISTS (SELECT 1 FROM bad_issues b WHERE b.coupon_id = NEW.coupon_id AND b.user_id = NEW.user_id AND b.sequence = NEW.sequence)
      THEN SIGNAL SQLSTATE '22007' SET MYSQL_ERRNO = 1366, MESSAGE_TEXT = 'bad data'; END IF`);
  });
}
