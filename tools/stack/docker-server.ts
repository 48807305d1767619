// Redis and MySQL in containers, for machines that have Docker and no servers: the same durability, the same life.
import { createHash } from 'node:crypto';
import { resolve } from 'node:path';
import { findProgram } from './find-program.ts';
import { isMysqlReady, mysqlArguments, mysqlSettings, mysqlUrl } from './mysql-server.ts';
import { type PrivateServer, type ServerKind, startPrivateServer } from './private-server.ts';
import { isRedisReady, redisArguments, redisSettings, redisUrl } from './redis-server.ts';
import { mustRun, runCommand } from './run-command.ts';

// A first start makes a whole database, and on a slow disk it takes its time.
const readyMsMax = 180_000;

/** Whether a Docker engine really answers: a client without one is of no use. */
export async function hasDockerEngine(): Promise<boolean> {
  const program = findProgram('docker');
  if (program === undefined) return false;
  const { ok, output } = await runCommand(program, ['version', '--format', '{{.Server.Version}}']);
  return ok && /^\d/.test(output);
}

export async function startRedisContainer(folder: string): Promise<PrivateServer> {
  const container = {
    name: 'Redis',
    image: 'redis:7',
    innerPort: 6379,
    dataFolder: '/data',
    options: [],
    command: ['redis-server', ...redisArguments(redisSettings)],
    isReady: isRedisReady,
    url: redisUrl,
  };
  return await startContainer(container, folder);
}

export async function startMysqlContainer(folder: string): Promise<PrivateServer> {
  const container = {
    name: 'MySQL',
    image: 'mysql:8.4',
    innerPort: 3306,
    dataFolder: '/var/lib/mysql',
    options: ['MYSQL_ALLOW_EMPTY_PASSWORD=yes', 'MYSQL_ROOT_HOST=%', 'MYSQL_DATABASE=coupon'].flatMap((pair) => [
      '--env',
      pair,
    ]),
    command: mysqlArguments({ ...mysqlSettings, 'disable-log-bin': '1', mysqlx: 'OFF' }),
    isReady: isMysqlReady,
    url: mysqlUrl,
  };
  return await startContainer(container, folder);
}

interface Container extends Pick<ServerKind, 'name' | 'isReady' | 'url'> {
  image: string;
  innerPort: number;
  dataFolder: string;
  options: string[];
  command: string[];
}

async function startContainer(container: Container, folder: string): Promise<PrivateServer> {
  const program = findProgram('docker');
  if (program === undefined) throw new Error('There is no docker on the PATH.');
  // The folder names container and volume, so that two clones never share them. The data live in a volume, not in the folder:
  // the server in the container runs as a user of its own.
  const mark = createHash('sha256').update(resolve(folder)).digest('hex').slice(0, 12);
  const name = `coupon-${container.name.toLowerCase()}-${mark}`;
  return await startPrivateServer(
    {
      name: container.name,
      isReady: container.isReady,
      url: container.url,
      async prepare() {
        await runCommand(program, ['rm', '--force', name]);
        const { ok } = await runCommand(program, ['image', 'inspect', container.image]);
        if (!ok) await mustRun(program, ['pull', '--quiet', container.image]);
      },
      // In the foreground: the client hands our signals on to the server, and ends when it does.
      command: (port) => ({
        program,
        args: [
          'run',
          '--rm',
          '--name',
          name,
          '--volume',
          `${name}:${container.dataFolder}`,
          '--publish',
          `127.0.0.1:${port}:${container.innerPort}`,
        ].concat(container.options, container.image, container.command),
      }),
    },
    { folder: resolve(folder), readyMsMax },
  );
}
