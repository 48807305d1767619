// A private Redis, durable as the design asks: an acknowledged write is on disk, so kill -9 loses nothing.
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findProgram } from './find-program.ts';
import { firstReply } from './first-reply.ts';
import { type PrivateServer, startPrivateServer } from './private-server.ts';

/** Also what a Redis in a container is started with. */
export const redisSettings: Record<string, string> = {
  appendonly: 'yes',
  // `everysec` would lose a second of acknowledged issues.
  appendfsync: 'always',
  // Evicting a coupon's owners would forget who has it: refuse to write instead.
  'maxmemory-policy': 'noeviction',
  // The append-only file holds everything; snapshots would only be a second, older truth.
  save: '',
  // Each test file takes a database of its own.
  databases: '512',
};

export interface RedisServerOptions {
  /** Its data, log and record live here. */
  folder: string;
  port?: number;
  /** Override or add to the durable ones, for tests of what goes wrong without them: `{ appendonly: 'no' }`. */
  settings?: Record<string, string>;
}

/** @throws Error when there is no `redis-server` here, or when it does not come up. */
export async function startRedisServer(options: RedisServerOptions): Promise<PrivateServer> {
  const program = findProgram('redis-server');
  if (program === undefined) throw new Error('There is no redis-server on the PATH.');
  const folder = resolve(options.folder);
  const dataFolder = join(folder, 'redis');
  return await startPrivateServer(
    {
      name: 'Redis',
      async prepare() {
        mkdirSync(dataFolder, { recursive: true });
      },
      command: (port) => ({
        program,
        args: redisArguments({
          ...redisSettings,
          bind: '127.0.0.1',
          port: String(port),
          dir: dataFolder,
          ...options.settings,
        }),
      }),
      isReady: isRedisReady,
      url: redisUrl,
    },
    { ...options, folder },
  );
}

/** `{ save: '' }` as `--save ''`. */
export function redisArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
}

export function redisUrl(port: number): string {
  return `redis://127.0.0.1:${port}`;
}

/** Whether a Redis answers there and has loaded its data: until then it answers LOADING. */
export async function isRedisReady(port: number): Promise<boolean> {
  const reply = await firstReply(port, 'PING\r\n');
  return reply?.toString('latin1').startsWith('+PONG') ?? false;
}
