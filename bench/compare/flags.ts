// flags.ts -- The command line of `bun run bench`. Anything else is refused before anything is started.

import { BenchError } from '../bench-error.ts';
import { type CaseName, caseNames } from './cases.ts';

/** What to run, and how long. */
export interface Flags {
  readonly parts: ReadonlySet<Part>;
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  /** 0: all cores of the machine. */
  readonly cores: number;
  /** Cases; all of them when empty. */
  readonly only: readonly CaseName[];
  readonly profile: boolean;
  readonly readme: boolean;
}

const parts = ['compare', 'growth', 'million', 'alone', 'flood', 'latency', 'burst', 'many', 'scale', 'sizes'] as const;
export type Part = (typeof parts)[number];

export const help = `bun run bench [flags]      without a part, the comparison of all cases

  --quick            three short rounds of the cases that matter most, in about three minutes
  --growth           how cost grows: owners, coupons, connections, batch bounds, API processes
  --million          1,000,000 requests for 100,000 coupons from 2,000 connections
  --alone            one request with no load, beside its unavoidable round trips
  --flood            a crowd, alone and beside 1,500 strangers who ask for coupons that do not exist
  --latency          each endpoint at 25, 50 and 75 % of what it carries, in an open model, beside the echo at the same rate
  --burst            20,000 new connections within half a second (fewer where files are few), also while the API stands still
  --many             1, 10, 100 and 1,000 users in a request: coupons a second and CPU a coupon
  --scale            1, 2 and 4 API processes at several rates: CPU of each process, a cost model of it, and what larger rates take
  --sizes            bytes of an owner, an entry that waits and a row, by the length of user ids
  --all              all of these
  --only a,b         compare only these cases (the echo always takes part)
  --rounds N         rounds of the comparison (5)
  --seconds N        length of a round (3)
  --connections N    connections of a round (256)
  --cores N          cores for everything, the generator included (2); 0 for all
  --profile          CPU profiles of API and worker in reports/profiles
  --readme           write the section of docs/performance.md from reports/bench.json, and run nothing

Exit code: 0 all held; 1 an answer or a promise was wrong; 2 it could not be run. More: bench/README.md`;

/** The cases that matter most: what docs/performance.md shows at least. */
export const quickCases: readonly CaseName[] = [
  'echo',
  'idle',
  'hello',
  'scripted',
  'scripted duplicate',
  'scripted sold out',
  'locked',
  'locked duplicate',
  'synchronous',
  'synchronous duplicate',
  'row lock',
  'lock',
  'script',
];

/** Reads the command line. @throws BenchError */
export function readFlags(args: readonly string[]): Flags {
  const flags = { rounds: 5, seconds: 3, connections: 256, cores: 2, only: [] as readonly CaseName[] };
  const chosen = new Set<Part>();
  const seen = { profile: false, readme: false };
  const rest = [...args];
  for (let flag = rest.shift(); flag !== undefined; flag = rest.shift()) {
    const name = flag.replace(/^--/, '');
    const part = parts.find((each) => each === name);
    if (!flag.startsWith('--')) throw new BenchError(`${flag} is no flag; see bun run bench --help`);
    if (part !== undefined) chosen.add(part);
    else if (name === 'all') for (const each of parts) chosen.add(each);
    else if (name === 'quick') Object.assign(flags, { rounds: 3, seconds: 2, only: quickCases });
    else if (name === 'only') flags.only = casesOf(rest.shift());
    else if (name === 'rounds') flags.rounds = wholeOf(flag, rest.shift(), 1, 100);
    else if (name === 'seconds') flags.seconds = wholeOf(flag, rest.shift(), 1, 600);
    else if (name === 'connections') flags.connections = wholeOf(flag, rest.shift(), 1, 16_384);
    else if (name === 'cores') flags.cores = wholeOf(flag, rest.shift(), 0, 1024);
    else if (name === 'profile' || name === 'readme') seen[name] = true;
    else throw new BenchError(`${flag} is unknown; see bun run bench --help`);
  }
  return { ...flags, ...seen, parts: chosen.size === 0 ? new Set(['compare']) : chosen };
}

function casesOf(text: string | undefined): readonly CaseName[] {
  return (text ?? '').split(',').map((part) => {
    const found = caseNames.find((name) => name === part.trim());
    if (found === undefined) throw new BenchError(`--only: no case "${part}"; there are ${caseNames.join(', ')}`);
    return found;
  });
}

function wholeOf(flag: string, text: string | undefined, minimum: number, maximum: number): number {
  const value = /^\d{1,6}$/.test(text ?? '') ? Number(text) : Number.NaN;
  if (value >= minimum && value <= maximum) return value;
  throw new BenchError(`${flag} needs a whole number from ${minimum} to ${maximum}`);
}
