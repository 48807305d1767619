// options.ts -- The command line of `bun run chaos`. An unknown argument is refused with one line, and nothing is started.

import { accessSync, constants } from 'node:fs';
import type { RedisKind } from './many-redis.ts';

export interface ChaosOptions {
  readonly seed: number;
  readonly minutes: number;
  /** What is done: one fault after the other, a long time without any, or far too many callers. */
  readonly mode: 'faults' | 'soak' | 'overload';
  /** Instead of one Redis. */
  readonly redis?: RedisKind | undefined;
  /** As people read it. */
  readonly databaseName: string;
  /** The program of a MySQL server to start; undefined: the one on the PATH. */
  readonly mysqlProgram?: string;
  /** A MySQL that is there already. */
  readonly databaseUrl?: string;
  /** Replicas of Redis, and how many must have what is answered. */
  readonly replicas: number;
  readonly replicasMin: number;
  /** A private Vitess of so many shards; 0: not sharded. */
  readonly vitessShards?: 0 | 2;
  /** Only faults whose names contain this text. */
  readonly only?: string | undefined;
}

export interface ChaosArguments {
  readonly seed?: string | undefined;
  readonly minutes?: string | undefined;
  readonly database?: string | undefined;
  readonly cluster?: boolean | undefined;
  readonly sentinel?: boolean | undefined;
  readonly soak?: boolean | undefined;
  readonly overload?: boolean | undefined;
  readonly only?: string | undefined;
  readonly replicated?: boolean | undefined;
  readonly 'replicas-min'?: string | undefined;
  readonly vitess?: boolean | undefined;
  readonly unsharded?: boolean | undefined;
}

const SEED_MAX = 2 ** 32 - 1;
const MINUTES_MAX = 1440;
/** With `--replicated`; also of each master of a cluster whose answers wait for replicas. */
const REPLICAS = 2;

/**
 * Reads the arguments.
 *
 * @param anySeed the seed if none was given
 * @throws Error with a line for people that names the argument and what is allowed
 */
export function readChaosOptions(given: ChaosArguments, anySeed: number): ChaosOptions {
  const seed = given.seed === undefined ? anySeed : wholeIn('--seed', given.seed, SEED_MAX);
  const minutes = given.minutes === undefined ? 1 : wholeIn('--minutes', given.minutes, MINUTES_MAX);
  const replicas = given.replicated ? REPLICAS : 0;
  const replicasMin = wholeIn('--replicas-min', given['replicas-min'] ?? '0', given.cluster ? REPLICAS : replicas);
  const common = { seed, minutes, mode: modeOf(given), redis: redisOf(given), only: given.only, replicas, replicasMin };
  return { ...common, ...storeOf(given) };
}

function storeOf({ database, vitess = false, unsharded = false }: ChaosArguments): Store {
  if (unsharded && !vitess) throw new Error('--unsharded belongs to --vitess');
  if (!vitess) return databaseOf(database ?? 'mariadb');
  if (database !== undefined) throw new Error('--vitess brings its own MySQL: leave out --database');
  return unsharded
    ? { databaseName: 'Vitess, not sharded', vitessShards: 0 }
    : { databaseName: 'Vitess with two shards', vitessShards: 2 };
}

type Store = Pick<ChaosOptions, 'databaseName' | 'mysqlProgram' | 'databaseUrl' | 'vitessShards'>;

function modeOf({ soak = false, overload = false }: ChaosArguments): ChaosOptions['mode'] {
  if (soak && overload) throw new Error('--soak and --overload are two runs: choose one');
  if (soak) return 'soak';
  return overload ? 'overload' : 'faults';
}

function redisOf({ cluster = false, sentinel = false, replicated = false }: ChaosArguments): RedisKind | undefined {
  if (cluster && sentinel) throw new Error('--cluster and --sentinel are two runs: choose one');
  if (replicated && (cluster || sentinel)) throw new Error('--replicated brings its own Redis: leave out the other');
  if (cluster) return 'cluster';
  return sentinel ? 'sentinel' : undefined;
}

function wholeIn(name: string, text: string, maximum: number): number {
  const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= maximum)) throw new Error(`${name} must be a whole number from 0 to ${maximum}`);
  return value;
}

function databaseOf(database: string): Store {
  if (database === 'mariadb') return { databaseName: 'the server on the PATH' };
  // Not repeated: it may hold a password.
  if (/^mysql:\/\/.+\/.+/.test(database)) return { databaseName: 'the given server', databaseUrl: database };
  try {
    accessSync(database, constants.X_OK);
  } catch {
    throw new Error('--database must be mariadb, the path of a program (mysqld), or a URL (mysql://…)');
  }
  return { databaseName: database, mysqlProgram: database };
}
