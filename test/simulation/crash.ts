// crash.ts -- A process that dies between two steps: from a chosen question to a store on, it neither asks nor hears anything.
//
// Everything a process does to the world is a question to Redis or MySQL. So its death is told completely by how many it still
// asks, and whether the last one was carried out although its answer never came.

import type { Redis } from 'ioredis';
import type { Pool } from 'mysql2/promise';
import type { Database } from '../../src/mysql/database.ts';

/** When a process dies. */
export interface Death {
  /** Questions that are still asked and answered. */
  readonly after: number;
  /** Whether the next one is carried out; its answer is lost in any case. */
  readonly lastIsDone: boolean;
}

/** What a dead process would have thrown, if there were anybody left to hear it. */
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
    if (dead) throw new Died('asked nothing more');
    if (death === null || asked++ < death.after) return question();
    dead = true;
    if (death.lastIsDone) await question();
    throw new Died('heard no answer');
  };
  const send = redis.sendCommand.bind(redis);
  redis.sendCommand = (...command) => ask(async () => send(...command));
  watchPool(database.pool, ask);
  watchPool(database.issuingPool, ask);
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
