// Finds Redis and MySQL for development, tests and benches, in the order of what disturbs a machine least: those it was told
// of, private ones from installed programs, containers, packages installed for the purpose, and else a clear word.
import { canInstallWithApt, installWithApt } from './apt-packages.ts';
import { hasDockerEngine, startMysqlContainer, startRedisContainer } from './docker-server.ts';
import { findProgram } from './find-program.ts';
import { startMysqlServer } from './mysql-server.ts';
import type { PrivateServer } from './private-server.ts';
import { type Say, step } from '../progress.ts';
import { startRedisServer } from './redis-server.ts';

export interface Stack {
  redisUrl: string;
  databaseUrl: string;
  /** Those that were started here. */
  readonly servers: readonly { readonly name: string; readonly server: PrivateServer }[];
  /** Stops what was started here, the last first. Servers that were there before are left alone. */
  stop(): Promise<void>;
}

export interface StackOptions {
  /** Where private servers keep their data. */
  folder: string;
  /** Servers that are there already: they are used as they are. */
  redisUrl?: string | undefined;
  databaseUrl?: string | undefined;
  say: Say;
}

interface Store {
  name: string;
  variable: string;
  isInstalled(): boolean;
  /** Alternative sets of Debian packages, the smaller first: without `-core` comes a system service that nobody here needs. */
  packages: string[][];
  startPrivate(folder: string): Promise<PrivateServer>;
  startContainer(folder: string): Promise<PrivateServer>;
}

const redis: Store = {
  name: 'Redis',
  variable: 'REDIS_URL',
  isInstalled: () => findProgram('redis-server') !== undefined,
  packages: [['redis-server']],
  startPrivate: (folder) => startRedisServer({ folder }),
  startContainer: startRedisContainer,
};

const mysql: Store = {
  name: 'MySQL',
  variable: 'DATABASE_URL',
  // MariaDB needs more than its server to make an empty database: Debian keeps these in packages of their own.
  isInstalled: () => {
    const programs = findProgram('mariadbd') === undefined ? ['mysqld'] : ['mariadb-install-db', 'my_print_defaults'];
    return programs.every((name) => findProgram(name) !== undefined);
  },
  packages: [['mariadb-server-core', 'mariadb-client-core'], ['mariadb-server']],
  startPrivate: (folder) => startMysqlServer({ folder }),
  startContainer: startMysqlContainer,
};

/** @throws Error whose message is for people: what is missing and how to get it, or why a server does not come up. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const given = new Map([
    [redis, options.redisUrl],
    [mysql, options.databaseUrl],
  ]);
  const missing = [...given]
    .filter(([store, url]) => url === undefined && !store.isInstalled())
    .map(([store]) => store);
  const useContainers = missing.length > 0 && (await hasDockerEngine());
  if (missing.length > 0 && !useContainers) await install(missing, options.say, otherWays(missing));

  const servers: { name: string; server: PrivateServer }[] = [];
  const stop = async (): Promise<void> => {
    for (const { server } of servers.splice(0).reverse()) await server.stop();
  };
  const urlOf = async (store: Store): Promise<string> => {
    const url = given.get(store);
    if (url !== undefined) {
      options.say(`  ${store.name.padEnd(10)} the one that ${store.variable} names`);
      return url;
    }
    const server = await start(store, useContainers && missing.includes(store), options.folder);
    servers.push({ name: store.name, server });
    return server.url;
  };
  try {
    return { redisUrl: await urlOf(redis), databaseUrl: await urlOf(mysql), servers, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/**
 * For those who need the servers as processes of this machine, and so no container and no server elsewhere.
 *
 * @throws Error whose message is for people: what is missing and how to get it
 */
export async function ensureServerPrograms(say: Say): Promise<void> {
  const missing = [redis, mysql].filter((store) => !store.isInstalled());
  if (missing.length > 0) await install(missing, say, []);
}

async function start(store: Store, inContainer: boolean, folder: string): Promise<PrivateServer> {
  return await step(
    store.name,
    () => (inContainer ? store.startContainer(folder) : store.startPrivate(folder)),
    (server) => `${inContainer ? 'in a container' : 'ready'} on port ${server.port}`,
  );
}

async function install(missing: readonly Store[], say: Say, ways: readonly string[]): Promise<void> {
  if (!canInstallWithApt()) throw new Error(howToGet(missing, ways));
  say(`  ${missing.map(({ name }) => name).join(' and ')} not found: installing with apt, which takes a minute or two`);
  await step(
    'apt',
    () => installWithApt(missing.map(({ packages }) => packages)),
    (names) => `installed ${names.join(' and ')}`,
  );
}

/** With the ways to do without them, one a line. */
function howToGet(missing: readonly Store[], ways: readonly string[]): string {
  const names = missing.map(({ name }) => name).join(' and ');
  const packages = missing.flatMap((store) => store.packages.at(-1) ?? []).join(' ');
  const formulas = missing.map((store) => (store === redis ? 'redis' : 'mariadb')).join(' ');
  const tried = ways.length > 0 ? 'no program on the PATH, no Docker engine that answers' : 'no program on the PATH';
  return [
    `${names} not found, and nothing here can provide what is missing: ${tried}, no right to install.`,
    'One of these is enough, then run the command again:',
    `  Debian, Ubuntu   sudo apt-get install ${packages}`,
    `  macOS            brew install ${formulas}`,
    ...ways,
  ].join('\n');
}

function otherWays(missing: readonly Store[]): string[] {
  const variables = missing.map(({ variable }) => variable).join(' and ');
  return ['  anywhere         start Docker', `  or set           ${variables} to a server that you have`];
}
