// machine.ts -- The machine and the versions that figures were measured on: without them they mean nothing.

import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import type { Redis } from 'ioredis';
import { runCommand } from '../../tools/stack/run-command.ts';
import { type Database, withConnection } from '../../src/mysql/database.ts';
import { sql } from 'drizzle-orm';

/** The machine and the commit. */
export interface Host {
  readonly cpu: string;
  readonly coresOfMachine: number;
  readonly memoryGib: number;
  /** Load by other work: processes ready to run, averaged over the minute before the run. */
  readonly loadBefore: number;
  readonly kernel: string;
  readonly bun: string;
  /** With a plus sign when files differ from it. */
  readonly commit: string;
  readonly takenAt: string;
}

/** With the versions of everything that a bench starts. */
export interface Machine extends Host {
  /** The cores that the run kept to. */
  readonly cores: readonly number[];
  readonly elysia: string;
  readonly redis: string;
  readonly mysql: string;
  readonly wrk: string;
}

/** Whether other work had the machine: then throughput, shares and times are rough, and only CPU a request is reliable. */
export function wasBusy({ loadBefore, coresOfMachine }: Pick<Machine, 'loadBefore' | 'coresOfMachine'>): boolean {
  return loadBefore > coresOfMachine / 2;
}

const root = new URL('../..', import.meta.url).pathname;

/** Reads the versions. */
export async function describeMachine(cores: readonly number[], redis: Redis, database: Database): Promise<Machine> {
  const wrk = (await runCommand('wrk', ['-v'])).output.split('\n')[0] ?? '';
  return {
    ...(await describeHost()),
    cores,
    elysia: versionIn(readFileSync(`${root}/node_modules/elysia/package.json`, 'utf8')),
    redis: /^redis_version:(\S+)/m.exec(await redis.info('server'))?.[1] ?? 'unknown',
    mysql: await mysqlVersion(database),
    wrk: /^wrk (\S+)/.exec(wrk)?.[1] ?? 'unknown',
  };
}

/** What can be said without a store. */
export async function describeHost(): Promise<Host> {
  const git = async (...args: string[]) => (await runCommand('git', args, { folder: root })).output;
  const changed = (await git('status', '--porcelain')) !== '';
  const commit = await git('rev-parse', '--short=10', 'HEAD');
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    coresOfMachine: cpus().length,
    memoryGib: Math.round(totalmem() / 2 ** 30),
    loadBefore: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    kernel: release(),
    bun: Bun.version,
    commit: `${commit}${changed ? '+' : ''}`,
    takenAt: new Date().toISOString(),
  };
}

function versionIn(packageText: string): string {
  return /"version":\s*"([^"]+)"/.exec(packageText)?.[1] ?? 'unknown';
}

async function mysqlVersion(database: Database): Promise<string> {
  const [rows] = await withConnection(database, (session) => session.execute(sql`SELECT VERSION() AS version`));
  const [row] = rows as unknown as { version: string }[];
  return row?.version ?? 'unknown';
}
