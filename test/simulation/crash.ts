// crash.ts -- A process that dies between two steps: from a chosen question to a store on, it neither asks nor hears anything.
//
// Everything a process does to the world is a question to Redis or MySQL. So its death is told completely by how many it still
// asks, and whether the last one was carried out although its answer never came.

import type { Redis } from 'ioredis';
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
  const getConnection = database.pool.getConnection.bind(database.pool);
  const watched = new WeakSet<object>();
  database.pool.getConnection = async () => {
    const connection = await getConnection();
    if (watched.has(connection)) return connection;
    watched.add(connection);
    const query = connection.query.bind(connection) as (...words: unknown[]) => Promise<never>;
    connection.query = (...words: unknown[]) => ask(() => query(...words));
    return connection;
  };
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
