// vitess-server.ts -- A real Vitess for tests: one vtgate and a tablet for each shard in one process (vtcombo), on a private MySQL.
//
// Its vschema is that of deploy/vitess. Its limits are PlanetScale's: transactions of 20 s, 100,000 rows a result.

import { randomInt } from 'node:crypto';
import { chmodSync, chownSync, cpSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { findProgram } from '../../tools/stack/find-program.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { isMysqlReady, startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { type PrivateServer, startPrivateServer } from '../../tools/stack/private-server.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { tempFolder } from '../../tools/leftovers.ts';

export interface VitessPrograms {
  readonly vtcombo: string;
  /** Of MySQL itself: tablets do not run on MariaDB. */
  readonly mysqld: string;
}

export interface VitessOptions {
  readonly programs: VitessPrograms;
  /** 0: a keyspace that is not sharded. */
  readonly shards: 0 | 2 | 4;
  /** One for each database that is used at a time. */
  readonly keyspaces?: readonly string[];
  /** Override the flags of vtcombo, without the leading dashes. */
  readonly flags?: Readonly<Record<string, string>>;
}

export interface VitessServer {
  /** Leads to the first keyspace. */
  readonly url: string;
  /** vtgate and all tablets. */
  readonly vitess: PrivateServer;
  /** The MySQL below all tablets. */
  readonly mysql: PrivateServer;
  /** The databases in MySQL, one for each shard of the first keyspace. */
  readonly shardDatabases: readonly string[];
  urlOf(keyspace: string): string;
  /** What vtgate counts: `/debug/vars`. */
  readCounters(): Promise<Readonly<Record<string, unknown>>>;
  /** Waits until every shard serves. */
  ready(): Promise<void>;
  stop(): Promise<void>;
}

/** Where VITESS_BIN (a folder with vtcombo) and VITESS_MYSQLD (a program) say; undefined: not here. */
export function findVitess(): VitessPrograms | undefined {
  const folder = process.env['VITESS_BIN'];
  const mysqld = process.env['VITESS_MYSQLD'] ?? findProgram('mysqld');
  return folder === undefined || mysqld === undefined ? undefined : { vtcombo: join(folder, 'vtcombo'), mysqld };
}

export const howToGetVitess =
  'set VITESS_BIN to a folder with vtcombo, and VITESS_MYSQLD to the mysqld of a MySQL (docs/testing.md says how to build it)';

const SEQUENCES = 'coupon_sequences';
const deployFolder = resolve(import.meta.dirname, '../../deploy/vitess');
const READY_MS_MAX = 60_000;
const NOBODY = 65_534;

/** Starts it, with empty keyspaces. */
export async function startVitess(options: VitessOptions): Promise<VitessServer> {
  const folder = tempFolder('coupon-vitess-');
  const undo: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  const stop = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    return await startIn(folder, options, undo, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

async function startIn(
  folder: string,
  options: VitessOptions,
  undo: (() => unknown)[],
  stop: () => Promise<void>,
): Promise<VitessServer> {
  const { programs, shards, keyspaces = ['coupon'] } = options;
  const shardNames = shards === 0 ? ['0'] : Array.from({ length: shards }, (_, i) => keyRange(i, shards));
  const shardsOf = new Map(keyspaces.map((keyspace) => [keyspace, shardNames]));
  if (shards > 0) shardsOf.set(SEQUENCES, ['0']);
  writeSchemas(folder, keyspaces, shards);
  const mysql = await startMysqlServer({
    folder,
    program: programs.mysqld,
    settings: { 'innodb-buffer-pool-size': '256M', 'max-connections': '2000' },
  });
  undo.push(() => mysql.stop());
  const databases = [...shardsOf].flatMap(([keyspace, names]) => names.map((name) => `vt_${keyspace}_${name}`));
  for (const database of databases) await run(mysql.url, `CREATE DATABASE \`${database}\``);
  const httpPort = await freePort();
  const vitess = await startVtcombo(folder, options, mysql.port, httpPort, shardsOf);
  undo.push(() => vitess.stop());
  const server = { ...serverOf(mysql, vitess, httpPort, keyspaces, shardNames), stop };
  await server.ready();
  if (shards > 0) await createSequences(server);
  return server;
}

function serverOf(
  mysql: PrivateServer,
  vitess: PrivateServer,
  httpPort: number,
  keyspaces: readonly string[],
  shardNames: readonly string[],
): Omit<VitessServer, 'stop'> {
  const urlOf = (keyspace: string) => `mysql://root@127.0.0.1:${vitess.port}/${keyspace}`;
  const [first = ''] = keyspaces;
  const isServing = async () => {
    for (const keyspace of keyspaces) {
      for (const shard of shardNames) await run(urlOf(`${keyspace}:${shard}`), 'SHOW TABLES');
    }
    return true;
  };
  return {
    url: urlOf(first),
    vitess,
    mysql,
    shardDatabases: shardNames.map((name) => `vt_${first}_${name}`),
    urlOf,
    async readCounters() {
      const answer = await fetch(`http://127.0.0.1:${httpPort}/debug/vars`);
      return (await answer.json()) as Readonly<Record<string, unknown>>;
    },
    ready: () =>
      waitUntil('every shard to serve', () => isServing().catch(() => false), {
        waitMsMax: READY_MS_MAX,
        pauseMs: 100,
      }),
  };
}

/** The name of the shard number `i` of `shards`: `-80`, `80-`. */
function keyRange(i: number, shards: number): string {
  const bound = (at: number) => (at === 0 || at === shards ? '' : ((at * 256) / shards).toString(16).padStart(2, '0'));
  return `${bound(i)}-${bound(i + 1)}`;
}

/** What vtcombo applies at each start, since it keeps its topology in memory. */
function writeSchemas(folder: string, keyspaces: readonly string[], shards: number): void {
  const write = (keyspace: string, file: string) => {
    mkdirSync(join(folder, 'schema', keyspace), { recursive: true });
    cpSync(join(deployFolder, file), join(folder, 'schema', keyspace, 'vschema.json'));
  };
  for (const keyspace of keyspaces) write(keyspace, shards === 0 ? 'unsharded.json' : 'sharded.json');
  if (shards > 0) write(SEQUENCES, 'sequences.json');
}

async function createSequences({ urlOf }: VitessServer): Promise<void> {
  const statements = readFileSync(join(deployFolder, 'sequences.sql'), 'utf8').replaceAll(/^--.*$/gm, '');
  for (const statement of statements.split(';')) if (statement.trim() !== '') await run(urlOf(SEQUENCES), statement);
  // As on MySQL, where tests begin at a random id: small ones stand for coupons that do not exist.
  await run(urlOf(SEQUENCES), `UPDATE coupons_seq SET next_id = ${randomInt(1e6, 2 ** 40)} WHERE id = 0`);
}

async function run(url: string, statement: string): Promise<void> {
  const connection = await createConnection({ uri: url, connectTimeout: 2000 });
  try {
    await connection.query(statement);
  } finally {
    connection.destroy();
  }
}

async function startVtcombo(
  folder: string,
  { programs, flags = {} }: VitessOptions,
  mysqlPort: number,
  httpPort: number,
  shardsOf: ReadonlyMap<string, readonly string[]>,
): Promise<PrivateServer> {
  const grpcPort = await freePort();
  const home = join(folder, 'vtcombo');
  mkdirSync(home, { recursive: true });
  // Vitess refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  if (isRoot) {
    chownSync(home, NOBODY, NOBODY);
    for (let way = folder; way !== dirname(way); way = dirname(way)) chmodSync(way, statSync(way).mode | 0o001);
  }
  const asNobody = isRoot ? ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups'] : [];
  const all = { ...flagsOf(mysqlPort, shardsOf), port: String(httpPort), 'grpc-port': String(grpcPort), ...flags };
  return startPrivateServer(
    {
      name: 'Vitess',
      prepare: () => Promise.resolve(),
      command: (port) => ({
        program: 'env',
        args: [
          `HOME=${home}`,
          `VTDATAROOT=${home}`,
          ...asNobody,
          programs.vtcombo,
          ...Object.entries(all).map(([name, value]) => `--${name}=${value}`),
          `--schema-dir=${join(folder, 'schema')}`,
          `--mysql-server-port=${port}`,
        ],
      }),
      isReady: isMysqlReady,
      url: (port) => `mysql://root@127.0.0.1:${port}/`,
    },
    { folder },
  );
}

function flagsOf(mysqlPort: number, shardsOf: ReadonlyMap<string, readonly string[]>): Record<string, string> {
  const keyspaces = [...shardsOf].map(([name, shards]) => ({
    name,
    shards: shards.map((shard) => ({ name: shard })),
    replicaCount: 1,
    // 0 would mean one.
    rdonlyCount: -1,
  }));
  const users = ['app', 'dba', 'allprivs', 'appdebug', 'filtered', 'repl'].map(
    (name) => [`db-${name}-user`, 'root'] as const,
  );
  return {
    'bind-address': '127.0.0.1',
    'grpc-bind-address': '127.0.0.1',
    'mysql-server-bind-address': '127.0.0.1',
    'mysql-auth-server-impl': 'none',
    'db-charset': 'utf8mb4',
    'db-host': '127.0.0.1',
    'db-port': String(mysqlPort),
    ...Object.fromEntries<string>(users),
    'mycnf-server-id': '1',
    'json-topo': JSON.stringify({ keyspaces }),
    'dbddl-plugin': 'vttest',
    'planner-version': 'Gen4',
    'tablet-types-to-wait': 'PRIMARY',
    'tablet-refresh-interval': '10s',
    'gateway-initial-tablet-timeout': '2s',
    'queryserver-config-pool-size': '50',
    'queryserver-config-stream-pool-size': '20',
    'queryserver-config-transaction-cap': '100',
    'queryserver-config-txpool-timeout': '2s',
    'queryserver-config-transaction-timeout': '20s',
    'queryserver-config-max-result-size': '100000',
    // A transaction that spans shards is an error.
    'transaction-mode': 'SINGLE',
  };
}
