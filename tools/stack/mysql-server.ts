// A private MySQL or MariaDB, durable as the design asks: a committed row is on disk, so kill -9 loses nothing.
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findProgram } from './find-program.ts';
import { firstReply } from './first-reply.ts';
import { tempFolder } from '../leftovers.ts';
import { type PrivateServer, startPrivateServer } from './private-server.ts';
import { mustRun } from './run-command.ts';

/** Also what a MySQL in a container is started with. */
export const mysqlSettings: Record<string, string> = {
  'character-set-server': 'utf8mb4',
  // Each commit is flushed: the rows of a 2xx answer survive kill -9 and a power cut.
  'innodb-flush-log-at-trx-commit': '1',
  'max-connections': '500',
};

export interface MysqlServerOptions {
  /** Its data, log and record live here. */
  folder: string;
  port?: number;
  /** The server's program; by default what TEST_MYSQL_PROGRAM names, else the first of `mariadbd` and `mysqld` on the PATH. */
  program?: string;
  /** Override or add to the durable ones, without the leading dashes. */
  settings?: Record<string, string>;
}

/** @throws Error when there is no `mysqld` or `mariadbd` here, or when it does not come up. */
export async function startMysqlServer(options: MysqlServerOptions): Promise<PrivateServer> {
  const program = options.program ?? process.env['TEST_MYSQL_PROGRAM'] ?? findProgram('mariadbd', 'mysqld');
  if (program === undefined) throw new Error('There is no mysqld or mariadbd on the PATH.');
  const folder = resolve(options.folder);
  const dataFolder = join(folder, 'mysql');
  const openingFile = join(folder, 'mysql.sql');
  const temporaryFolder = join(folder, 'mysql.temporary');
  const settings = { ...mysqlSettings, ...options.settings };
  return await startPrivateServer(
    {
      name: 'MySQL',
      async prepare() {
        writeFileSync(openingFile, openingStatements);
        mkdirSync(temporaryFolder, { recursive: true });
        const version = await mustRun(program, ['--no-defaults', '--version']);
        const kind = version.includes('MariaDB') ? 'MariaDB' : 'MySQL';
        if (!existsSync(dataFolder)) await initialize(program, kind, folder, dataFolder);
        else if (kindOfData(dataFolder) !== kind) throw new Error(otherKind(dataFolder, kind, program));
      },
      command: (port) => ({
        program,
        args: [
          '--no-defaults',
          `--datadir=${dataFolder}`,
          `--init-file=${openingFile}`,
          // Its own: a server that starts deletes what looks like forgotten temporary tables, also those of its neighbours.
          `--tmpdir=${temporaryFolder}`,
          // MySQL does not start without the folder that it was built to export to; ours is sure to be there.
          `--secure-file-priv=${folder}`,
          `--port=${port}`,
          ...serverArguments,
          ...mysqlArguments(settings),
        ],
      }),
      isReady: isMysqlReady,
      url: mysqlUrl,
    },
    { ...options, folder },
  );
}

/** `{ 'max-connections': '500' }` as `--max-connections=500`. */
export function mysqlArguments(settings: Record<string, string>): string[] {
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

export function mysqlUrl(port: number): string {
  return `mysql://root@127.0.0.1:${port}/coupon`;
}

/** Whether a MySQL greets there: it does so only after its recovery and its opening statements. */
export async function isMysqlReady(port: number): Promise<boolean> {
  const greeting = await firstReply(port, '');
  // A packet: three bytes of length, one of sequence, then 10, the version of the protocol, or 255 for an error.
  return greeting?.[4] === 10;
}

// One statement a line, run at each start. MySQL knows root only by name (`localhost`), and without name resolution a connection
// to 127.0.0.1 is not that. Without a password: the server listens on loopback alone.
const openingStatements = [
  "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1' IDENTIFIED BY '';",
  "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
  'CREATE DATABASE IF NOT EXISTS coupon;',
  '',
].join('\n');

/** Servers refuse to run as root unless told so by name; anybody else runs them as themselves. */
const userArguments = process.getuid?.() === 0 ? ['--user=root'] : [];

const serverArguments = [
  ...userArguments,
  '--bind-address=127.0.0.1',
  '--skip-name-resolve',
  // Relative to the data folder, since the path of a socket may not be longer than about a hundred bytes.
  '--socket=mysql.sock',
  '--pid-file=mysql.pid',
  '--skip-log-bin',
  // Only MySQL has its X protocol, on a second port; `loose` lets MariaDB ignore the option.
  '--loose-mysqlx=OFF',
];

type Kind = 'MariaDB' | 'MySQL';

/** Who made the data: only MariaDB has the engine Aria, whose log stands beside them. */
function kindOfData(dataFolder: string): Kind {
  return existsSync(join(dataFolder, 'aria_log_control')) ? 'MariaDB' : 'MySQL';
}

/** The server itself would say that a page is corrupted. */
function otherKind(dataFolder: string, kind: Kind, program: string): string {
  return [
    `${dataFolder} has data of ${kindOfData(dataFolder)}, and ${program} is ${kind}, which cannot read them.`,
    `Put ${kindOfData(dataFolder)} on the PATH again, or remove that folder to begin with empty tables.`,
  ].join(' ');
}

/** Makes an empty data folder, under another name until it is whole: an interrupted start begins again. */
async function initialize(program: string, kind: Kind, folder: string, dataFolder: string): Promise<void> {
  const unfinishedFolder = `${dataFolder}.unfinished`;
  rmSync(unfinishedFolder, { recursive: true, force: true });
  mkdirSync(unfinishedFolder);
  if (kind === 'MariaDB') await initializeMariadb(folder, 'mysql.unfinished');
  else
    await mustRun(program, [
      '--no-defaults',
      '--initialize-insecure',
      `--datadir=${unfinishedFolder}`,
      ...userArguments,
    ]);
  renameSync(unfinishedFolder, dataFolder);
}

async function initializeMariadb(folder: string, name: string): Promise<void> {
  const program = findProgram('mariadb-install-db', 'mysql_install_db');
  if (program === undefined) throw new Error('There is a mariadbd but no mariadb-install-db on the PATH.');
  // The script breaks on a path with a space in it, so it is given another way to the same folder.
  const detour = tempFolder('coupon-mysql-');
  try {
    symlinkSync(folder, join(detour, 'folder'));
    const args = [
      '--no-defaults',
      `--datadir=${join(detour, 'folder', name)}`,
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      // Else it ends where neither the host's name nor `localhost` is known, as in a bare container. Ours never asks for a name.
      '--force',
      ...userArguments,
    ];
    // Also its temporary tables have a folder of their own: a server that starts elsewhere would delete them under its feet.
    await mustRun(program, args, { environment: { ...process.env, TMPDIR: detour } });
  } finally {
    rmSync(detour, { recursive: true, force: true });
  }
}
