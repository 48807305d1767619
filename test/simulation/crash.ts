// crash.ts -- A process that dies between two steps: from a chosen command to a store on, it sends nothing and receives nothing.
//
// Everything a process does to the world is a command to Redis or MySQL. So its death is described completely by how many it still
// sends, and whether the last one was executed although its reply never came.

import type { Redis } from 'ioredis';
import type { Pool } from 'mysql2/promise';
import type { Database } from '../../src/mysql/database.ts';

/** When a process dies. */
export interface Death {
  /** Commands that are still sent and answered. */
  readonly after: number;
  /** Whether the next one is carried out; its answer is lost in any case. */
  readonly lastIsDone: boolean;
}

/** Thrown in a process that is dead, where nothing can catch it any more. */
export class Died extends Error {
  override readonly name = 'Died';
}

export interface Mortal {
  readonly redis: Redis;
  readonly database: Database;
}

/** Lets a process be killed. */
export interface Executioner {
  /** From now on it has so long to live. */
  condemn(death: Death): void;
  /** It survived its work: it lives on. */
  pardon(): void;
  readonly isDead: () => boolean;
}

/** Stands between a process and its stores. */
export function watchOver({ redis, database }: Mortal): Executioner {
  let death: Death | null = null;
  let asked = 0;
  let dead = false;
  /** Asks, if the process still can. */
  const ask = async <Answer>(question: () => Promise<Answer>): Promise<Answer> => {
    if (dead) throw new Died('sends nothing more');
    if (death === null || asked++ < death.after) return question();
    dead = true;
    if (death.lastIsDone) await question();
    throw new Died('received no reply');
  };
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (...command) => ask(async () => send(...command));
  watchPool(database.pools.general, ask);
  watchPool(database.pools.issuing, ask);
  return {
    condemn(next) {
      death = next;
      asked = 0;
    },
    pardon() {
      death = null;
    },
    isDead: () => dead,
  };
}

/** Watches every connection of a pool where the questions really pass: below the promises of the driver. */
function watchPool(pool: Pool, ask: <Answer>(question: () => Promise<Answer>) => Promise<Answer>): void {
  const getConnection = pool.getConnection.bind(pool);
  const watched = new WeakSet<object>();
  pool.getConnection = async () => {
    const connection = await getConnection();
    const raw = connection.connection as unknown as { query: (options: unknown, answer: Answered) => void };
    if (watched.has(raw)) return connection;
    watched.add(raw);
    const query = raw.query.bind(raw);
    raw.query = (options, answer) => {
      const question = () =>
        new Promise<readonly unknown[]>((resolve, reject) => {
          query(options, (error, ...found) => (error ? reject(error) : resolve(found)));
        });
      ask(question).then((found) => answer(null, ...found), answer);
    };
    return connection;
  };
}

type Answered = (error: Error | null, ...found: readonly unknown[]) => void;
