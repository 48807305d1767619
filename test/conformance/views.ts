// views.ts -- Connections to the real stores as one process of a story sees them: each command goes through its gate, and time is that
// of the story.

import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Redis } from 'ioredis';
import type { Pool, PoolConnection } from 'mysql2/promise';
import type { Database } from '../../src/mysql/database.ts';
import type { Gate } from './gate.ts';

/** The clock of both stores. Only the clock is not real: scripts read it from this list instead of from `TIME`. */
const CLOCK_KEY = 'clock of the story';

/** The script of each digest: its name, and the digest of the same script with the clock of the story. */
interface LoadedScript {
  readonly name: string;
  readonly digest: string;
}

export class Clock {
  #ms = 0;
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  get ms(): number {
    return this.#ms;
  }

  async set(ms: number): Promise<void> {
    this.#ms = ms;
    await this.#redis
      .multi()
      .del(CLOCK_KEY)
      .rpush(CLOCK_KEY, Math.floor(ms / 1000), 0)
      .exec();
  }
}

/** Loads every script of the product with the clock of the story. */
export async function loadScripts(redis: Redis): Promise<ReadonlyMap<string, LoadedScript>> {
  const root = resolve(import.meta.dirname, '../../src');
  const scripts = new Map<string, LoadedScript>();
  for (const path of globSync('**/scripts/*.lua', { cwd: root })) {
    const source = sourceOf(pathToFileURL(resolve(root, path)));
    const timed = source.replaceAll("redis.call('TIME')", `redis.call('LRANGE', '${CLOCK_KEY}', 0, 1)`);
    const digest = String(await redis.script('LOAD', timed));
    scripts.set(createHash('sha1').update(source).digest('hex'), { name: basename(path, '.lua'), digest });
  }
  return scripts;
}

function sourceOf(file: URL): string {
  return readFileSync(file, 'utf8').replaceAll(/^--- include (\S+)$/gm, (_, path: string) =>
    sourceOf(new URL(path, file)),
  );
}

export interface Real {
  readonly redis: Redis;
  readonly database: Database;
  readonly clock: Clock;
  readonly scripts: ReadonlyMap<string, LoadedScript>;
}

type SendCommand = Redis['sendCommand'];

/** Redis through a gate: the same connection, as an object of its own, so that each process knows the server by itself. */
export function redisView({ redis, clock, scripts }: Real, gate: Gate): Redis {
  const view = Object.create(redis) as Redis;
  const send: SendCommand = (command) => {
    const script = command.name === 'evalsha' ? scripts.get(String(command.args[0])) : undefined;
    if (script) command.args[0] = script.digest;
    return gate.ask(script?.name ?? command.name, async () =>
      command.name === 'time' ? [String(clock.ms / 1000), '0'] : redis.sendCommand(command),
    );
  };
  view.sendCommand = send;
  return view;
}

/** A pool and a statement as the driver has them below its promises. */
interface RawConnection {
  readonly threadId: number;
  query(options: Statement, answer: Answer): void;
}
interface Statement {
  readonly sql: string;
}
type Answer = (error: Error | null, ...found: readonly unknown[]) => void;

/** Which process has a connection. */
const holders = new WeakMap<object, DatabaseView>();
const watched = new WeakSet<object>();

/** MySQL through a gate. */
export class DatabaseView {
  readonly database: Database;
  readonly gate: Gate;
  readonly #clock: Clock;
  readonly #held = new Set<PoolConnection>();

  constructor({ database, clock }: Real, gate: Gate) {
    this.gate = gate;
    this.#clock = clock;
    const through = (pool: Pool): Pool => {
      const view = Object.create(pool) as Pool;
      view.getConnection = async () => this.#hold(await pool.getConnection());
      return view;
    };
    const { pools } = database;
    this.database = {
      ...database,
      pools: {
        general: through(pools.general),
        issuing: through(pools.issuing),
        public: through(pools.public),
        security: through(pools.security),
      },
    };
    // The server ends the transaction of a process that is gone.
    gate.onKill(() => {
      for (const connection of this.#held) connection.destroy();
    });
  }

  /** The connections that the process has now, as the server names them. */
  get threadIds(): readonly number[] {
    return [...this.#held].map(({ connection }) => (connection as unknown as RawConnection).threadId);
  }

  #hold(connection: PoolConnection): PoolConnection {
    const raw = connection.connection as unknown as RawConnection;
    watch(raw, this.#clock);
    holders.set(raw, this);
    this.#held.add(connection);
    const end = (): void => {
      holders.delete(raw);
      this.#held.delete(connection);
    };
    const [release, destroy] = [connection.release, connection.destroy];
    connection.release = () => {
      end();
      Object.assign(connection, { release, destroy });
      release.call(connection);
    };
    connection.destroy = () => {
      end();
      destroy.call(connection);
    };
    return connection;
  }
}

/** Every statement of a process goes through its gate, on a session that has the time of the story. */
function watch(raw: RawConnection, clock: Clock): void {
  if (watched.has(raw)) return;
  watched.add(raw);
  const query = raw.query.bind(raw);
  let stampedMs = 0;
  const send = (options: Statement) =>
    new Promise<readonly unknown[]>((done, fail) => {
      if (stampedMs !== clock.ms) query({ sql: `SET timestamp = ${clock.ms / 1000}` }, () => undefined);
      stampedMs = clock.ms;
      query(options, (error, ...found) => (error ? fail(error) : done(found)));
    });
  raw.query = (options, answer) => {
    const holder = holders.get(raw);
    const verb = (/^\w+/.exec(options.sql)?.[0] ?? options.sql).toLowerCase();
    // `START TRANSACTION READ WRITE`, of reads that decide.
    const name = verb === 'start' ? 'begin' : verb;
    const asked = holder ? holder.gate.ask(name, () => send(options)) : send(options);
    asked.then(
      (found) => answer(null, ...found),
      (error: unknown) => answer(error as Error),
    );
  };
}
