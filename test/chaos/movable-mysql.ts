// movable-mysql.ts -- A MySQL behind one address, whose data can go back to a copy, and whose place another server can take.
//
// Data are copied while the server stands still, so that a copy is what a snapshot of its disk would be: a server that starts on it
// recovers as after kill -9.

import { mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import type { PrivateServer } from '../../tools/stack/private-server.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { openTcpProxy } from '../tcp-proxy.ts';

export interface MovableMysql extends Omit<PrivateServer, 'port' | 'pid' | 'logFile' | 'ended'> {
  /** The one address, for users who may not write to a server that is read-only. */
  readonly url: string;
  /** Copies its data. Resolves with the instant of the copy, in milliseconds since 1970. */
  copyData(): Promise<number>;
  /** Kills it, and starts it with the data of the last copy. `whileDown` runs in between. */
  goBack(whileDown: () => Promise<void>): Promise<void>;
  /**
   * Makes it read-only, and starts another server in its place, which has everything that was committed. New connections lead there;
   * the old ones stay at the old server, which goes on answering.
   *
   * @returns ends the old server
   */
  failOver(): Promise<() => Promise<void>>;
}

/** Not `root`, whom a server that is read-only lets write. */
const USER = 'app';

/** A restore takes at least so long: longer than a process uses what Redis told it about a coupon. */
const RESTORE_MS_MIN = 1200;

type Start = (folder: string) => Promise<PrivateServer>;

/** Starts one with its data under `folder`. */
export async function startMovableMysql(folder: string, program: string | undefined): Promise<MovableMysql> {
  const start: Start = (own) =>
    startMysqlServer({
      folder: own,
      ...(program === undefined ? {} : { program }),
      settings: {
        // Small: the runs are short, and several engines may be on one machine. The log is copied with the data.
        'innodb-buffer-pool-size': '64M',
        'loose-innodb-log-file-size': '32M',
        // `SET GLOBAL read_only` of MySQL waits for statements that wait for a row, whose holder waits for it: 50 s by default.
        'innodb-lock-wait-timeout': '2',
      },
    });
  let number = 1;
  const folderOf = () => join(folder, `mysql-${number}`);
  let server = await start(folderOf());
  await runAsRoot(server, [
    `CREATE USER '${USER}'@'127.0.0.1' IDENTIFIED BY ''`,
    `GRANT ALL ON \`coupon%\`.* TO '${USER}'@'127.0.0.1'`,
  ]);
  const proxy = await openTcpProxy(urlFor(server));
  const copy = join(folder, 'mysql-copy');
  return {
    url: proxy.url,
    stop: async () => {
      await server.stop();
      await proxy[Symbol.asyncDispose]();
    },
    kill: (signal) => server.kill(signal),
    restart: () => server.restart(),
    async copyData() {
      rmSync(copy, { recursive: true, force: true });
      return copyStandingStill(server, folderOf(), copy);
    },
    async goBack(whileDown) {
      await server.kill();
      await Promise.all([whileDown(), pause(RESTORE_MS_MIN)]);
      rmSync(join(folderOf(), 'mysql'), { recursive: true });
      renameSync(copy, join(folderOf(), 'mysql'));
      await server.restart();
    },
    async failOver() {
      const [old, oldFolder] = [server, folderOf()];
      await runAsRoot(old, ['SET GLOBAL read_only = 1']);
      number += 1;
      mkdirSync(folderOf(), { recursive: true });
      await copyStandingStill(old, oldFolder, join(folderOf(), 'mysql'));
      server = await start(folderOf());
      proxy.lead(urlFor(server));
      return async () => {
        await old.stop();
        rmSync(oldFolder, { recursive: true });
      };
    },
  };
}

async function copyStandingStill(server: PrivateServer, folder: string, target: string): Promise<number> {
  const startedMs = Date.now();
  await server.kill('SIGSTOP');
  try {
    await mustRun('cp', ['-a', '--reflink=auto', '--sparse=always', join(folder, 'mysql'), target]);
    // They name the process that is copied, which goes on.
    for (const name of ['mysql.sock', 'mysql.sock.lock', 'mysql.pid']) rmSync(join(target, name), { force: true });
  } finally {
    await server.kill('SIGCONT');
  }
  return startedMs;
}

function urlFor({ url }: PrivateServer): string {
  const own = new URL(url);
  own.username = USER;
  return own.href;
}

async function runAsRoot({ url }: PrivateServer, statements: readonly string[]): Promise<void> {
  const connection = await createConnection(url);
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    connection.destroy();
  }
}
