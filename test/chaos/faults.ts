// faults.ts -- Everything that a chaos run does to the system. Each fault ends with the system whole again, as far as we can make it.

import { setTimeout as pause } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { couponKeys, partitionKeys } from '../../src/stream/keys.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { archiving } from './archiving.ts';
import type { Cluster } from './cluster.ts';
import { apiCrashPoints, deliveryCrashPoints, workerCrashPoints } from './crash-points.ts';
import type { Crowd } from './crowd.ts';
import { type KeptProcess, REACHED_MS_MAX } from './kept-process.ts';
import { receiverFaults } from './receivers.ts';
import type { ReplicatedRedis } from '../replicated-redis.ts';
import type { MovableMysql } from './movable-mysql.ts';
import type { SeededRandom } from './seeded-random.ts';
import { shardFaults } from './shard-faults.ts';

export interface Fault {
  readonly name: string;
  inflict(cluster: Cluster, random: SeededRandom, crowd: Crowd): Promise<void>;
}

/** How long something stands still: from a hiccup to longer than every lease and time limit of a chaos run. */
const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 2500;

/** The longest that a receiver of webhooks fails, and which part of a run. */
const OUTAGE_MS_MIN = 3000;
const OUTAGE_MS_MAX = 60_000;
const OUTAGE_PART = 0.1;

/** Every fault that this cluster can take in a run of that length: a MySQL that is not ours is left alone. */
export function faultsFor(cluster: Cluster, runMs = 0): readonly Fault[] {
  const outageMsMax = Math.min(Math.max(runMs * OUTAGE_PART, OUTAGE_MS_MIN), OUTAGE_MS_MAX);
  const { replicatedRedis } = cluster;
  return [
    ...processFaults('an API', (of) => of.apis),
    ...processFaults('a worker', (of) => of.workers),
    ...workerCrashPoints.map(workerCrash),
    ...deliveryCrashPoints.map(deliveryCrash),
    ...apiCrashPoints.map(apiCrash),
    ...(cluster.redisFaults ??
      (replicatedRedis ? failovers(replicatedRedis) : serverFaults('Redis', (of) => of.redisServer))),
    ...(cluster.mysqlServer ? serverFaults('MySQL', (of) => of.mysqlServer) : []),
    ...(cluster.movableMysql ? moves(cluster.movableMysql) : []),
    ...(cluster.vitess
      ? [...serverFaults('vtgate and all tablets', (of) => of.vitess?.vitess ?? null), ...shardFaults(cluster.vitess)]
      : []),
    ...(cluster.redisFaults || replicatedRedis ? [] : collapses),
    ...receiverFaults(cluster, outageMsMax),
    archiving,
  ];
}

/** How long replicas lag before their primary dies: within what processes remember. */
const LAG_MS_MAX = 1000;

function failovers(redis: ReplicatedRedis): Fault[] {
  const failOver = async (random: SeededRandom) => {
    await redis.failOver();
    await pause(random.between(0, LAG_MS_MAX));
    await redis.rejoin();
  };
  return [
    { name: 'kill -9 the primary of Redis, and promote a replica', inflict: (_, random) => failOver(random) },
    {
      name: 'kill -9 the primary of Redis while all replicas lag',
      async inflict(_, random) {
        redis.cutLinks();
        await pause(random.between(0, LAG_MS_MAX));
        await failOver(random);
      },
    },
    {
      name: 'a replica of Redis stands still',
      async inflict(_, random) {
        const chosen = random.pick(redis.members.slice(1)).server;
        await chosen.kill('SIGSTOP');
        await pause(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
        await chosen.kill('SIGCONT');
      },
    },
  ];
}

function processFaults(what: string, among: (cluster: Cluster) => readonly KeptProcess[]): Fault[] {
  return [
    { name: `kill -9 ${what}`, inflict: (cluster, random) => killAndAwait([random.pick(among(cluster))]) },
    {
      name: `stop and continue ${what}`,
      async inflict(cluster, random) {
        const chosen = random.pick(among(cluster));
        chosen.signal('SIGSTOP');
        await pause(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
        chosen.signal('SIGCONT');
      },
    },
    {
      name: `replace ${what}`,
      inflict: (cluster, random) => replace(random.pick(among(cluster))),
    },
  ];
}

/** A deploy: every process is asked to finish and replaced by a new one, one after the other. */
export const rollingRestart: Fault = {
  name: 'replace every process in turn',
  async inflict({ apis, workers }) {
    for (const each of [...apis, ...workers]) await replace(each);
  },
};

/** A worker that dies of itself at one point of its next transaction. The other worker stands still, or it would get the work. */
function workerCrash(point: string): Fault {
  return {
    name: `a worker dies ${point}`,
    async inflict({ workers }, random) {
      const chosen = random.pick(workers);
      const others = workers.filter((worker) => worker !== chosen);
      const { starts } = chosen;
      for (const other of others) other.signal('SIGSTOP');
      try {
        await chosen.kill({ entry: 'test/chaos/crashing-worker.ts', environment: { CRASH_AT: point } });
        // Two starts: the one that dies, and the one after it.
        await chosen.startedTimes(starts + 2, REACHED_MS_MAX);
      } finally {
        for (const other of others) other.signal('SIGCONT');
      }
      await chosen.ready();
    },
  };
}

/** The worker that delivers to webhooks dies of itself at one point: whichever that is, since each would. The others are then replaced. */
function deliveryCrash(point: string): Fault {
  return {
    name: `a worker dies ${point}`,
    async inflict({ workers, receivers }) {
      // Those that fail are delivered nothing.
      await Promise.all(receivers.map((each) => each.heal()));
      const plan = { entry: 'test/chaos/crashing-worker.ts', environment: { CRASH_AT: point } };
      const armed = await Promise.all(
        workers.map(async (worker) => {
          const diesAt = worker.starts + 2;
          await worker.kill(plan);
          return { worker, hasDied: () => worker.starts >= diesAt };
        }),
      );
      await waitUntil(`a worker to die ${point}`, () => armed.some(({ hasDied }) => hasDied()), {
        waitMsMax: REACHED_MS_MAX,
      });
      await killAndAwait(armed.filter(({ hasDied }) => !hasDied()).map(({ worker }) => worker));
      await Promise.all(workers.map((worker) => worker.ready()));
    },
  };
}

/** An API that dies of itself when a request leads it to one point. The others go on, and may be asked the same meanwhile. */
function apiCrash(point: string): Fault {
  return {
    name: `an API dies ${point}`,
    async inflict({ apis }, random) {
      const chosen = random.pick(apis);
      const { starts } = chosen;
      await chosen.kill({ entry: 'test/chaos/crashing-api.ts', environment: { CRASH_AT: point } });
      await chosen.startedTimes(starts + 2, REACHED_MS_MAX);
      await chosen.ready();
    },
  };
}

function serverFaults(name: string, of: (cluster: Cluster) => Pick<PrivateServer, 'kill' | 'restart'> | null): Fault[] {
  return [
    {
      name: `kill -9 ${name}`,
      async inflict(cluster, random) {
        await of(cluster)?.kill();
        await pause(random.between(0, 1000));
        await of(cluster)?.restart();
      },
    },
    {
      name: `stop and continue ${name}`,
      async inflict(cluster, random) {
        await of(cluster)?.kill('SIGSTOP');
        await pause(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
        await of(cluster)?.kill('SIGCONT');
      },
    },
    { name: `restart ${name}`, inflict: async (cluster) => of(cluster)?.restart() },
  ];
}

/** Rows that are written after a move, and how long they may take: no process may go on with the server of before. */
const WRITTEN_MIN = 20;
const MOVED_MS_MAX = 20_000;

function moves(mysql: MovableMysql): Fault[] {
  return [
    {
      name: 'restore MySQL from a copy some seconds old',
      inflict: ({ redis, config }, random, crowd) =>
        // A coupon that MySQL lost altogether can be made by an operator alone, who then knows it; and who was erased since is erased again.
        crowd.withoutChanges(async () => {
          const copiedMs = await mysql.copyData();
          await pause(random.between(1000, 3000));
          let inMysqlAlone: readonly number[] = [];
          await mysql.goBack(async () => {
            // What is issued in MySQL alone is in no other place.
            const ids = crowd.coupons.map(({ id }) => id);
            const states = await Promise.all(ids.map((id) => redis.exists(couponKeys(id, config.PARTITIONS).state)));
            inMysqlAlone = ids.filter((_, i) => states[i] === 0);
          });
          crowd.mysqlWentBack(inMysqlAlone, copiedMs, Date.now());
        }),
    },
    {
      name: 'another MySQL takes over, and old connections stay at the one before',
      async inflict({ redis, config }, _random, crowd) {
        const endOld = await mysql.failOver();
        try {
          const sinceMs = Date.now();
          const { written } = crowd.counts;
          const isMoved = async () =>
            crowd.counts.written >= written + WRITTEN_MIN && (await isWrittenUntil(redis, config.PARTITIONS, sinceMs));
          await waitUntil('rows in the MySQL that took over', isMoved, { waitMsMax: MOVED_MS_MAX });
        } finally {
          await endOld();
        }
      },
    },
  ];
}

/** Whether everything that was accepted before an instant is rows. */
async function isWrittenUntil(redis: Redis, partitions: number, untilMs: number): Promise<boolean> {
  const streams = Array.from({ length: partitions }, (_, partition) => partitionKeys(partition).stream);
  const oldest = await Promise.all(streams.map((stream) => redis.xrange(stream, '-', '+', 'COUNT', 1)));
  return oldest.flat().every(([id]) => Number.parseInt(id, 10) > untilMs);
}

/** Several in parallel. */
const collapses: readonly Fault[] = [
  {
    name: 'kill -9 Redis and every API',
    async inflict({ redisServer, apis }) {
      await Promise.all([redisServer.kill(), ...apis.map((api) => api.kill())]);
      await redisServer.restart();
      await Promise.all(apis.map((api) => api.ready()));
    },
  },
  {
    name: 'kill -9 everything',
    async inflict({ redisServer, mysqlServer, apis, workers }) {
      const processes = [...apis, ...workers];
      await Promise.all([redisServer.kill(), mysqlServer?.kill(), ...processes.map((each) => each.kill())]);
      await Promise.all([redisServer.restart(), mysqlServer?.restart()]);
      await Promise.all(processes.map((each) => each.ready()));
    },
  },
];

async function replace(chosen: KeptProcess): Promise<void> {
  const ended = await chosen.replace();
  if (ended !== 'code 0') throw new Error(`${chosen.name} was asked to finish and ended with ${ended}`);
}

async function killAndAwait(processes: readonly KeptProcess[]): Promise<void> {
  await Promise.all(processes.map((each) => each.kill()));
  await Promise.all(processes.map((each) => each.ready()));
}
