// full-disk.ts -- A Redis whose disk can be filled and emptied again, with no disk harmed: by a limit on the size of its files.

import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type PrivateServer, startPrivateServer } from '../../tools/stack/private-server.ts';
import { isRedisReady, redisArguments, redisSettings, redisUrl } from '../../tools/stack/redis-server.ts';

export interface FillableRedis {
  readonly server: PrivateServer;
  /** From now on no file of the server can grow beyond a few bytes, until it is emptied or restarted. */
  fill(): void;
  empty(): void;
}

/** Whether this machine can limit a process that runs: `prlimit` is Linux's. */
export const canFillDisks = spawnSync('prlimit', ['--version']).status === 0;

/** Starts it with the durable settings, and those given. */
export async function startFillableRedis(folder: string, settings: Record<string, string>): Promise<FillableRedis> {
  const dataFolder = join(folder, 'redis');
  const server = await startPrivateServer(
    {
      name: 'Redis',
      async prepare() {
        mkdirSync(dataFolder, { recursive: true });
      },
      command: (port) => ({
        program: 'sh',
        // By default the system kills who writes beyond the limit. With the signal ignored, the write fails as on a full disk.
        args: ['-c', 'trap "" XFSZ; exec redis-server "$@"', 'sh', ...argumentsFor(port, dataFolder, settings)],
      }),
      isReady: isRedisReady,
      url: redisUrl,
    },
    { folder },
  );
  const limit = (bytes: string) => {
    const { status, stderr } = spawnSync('prlimit', ['--pid', String(server.pid), `--fsize=${bytes}:unlimited`]);
    if (status !== 0) throw new Error(`prlimit failed: ${String(stderr)}`);
  };
  return { server, fill: () => limit('64'), empty: () => limit('unlimited') };
}

function argumentsFor(port: number, dataFolder: string, settings: Record<string, string>): string[] {
  return redisArguments({ ...redisSettings, bind: '127.0.0.1', port: String(port), dir: dataFolder, ...settings });
}
