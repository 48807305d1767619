// What a load tool recorded of a run: each sequence that an answer named, and how many answers of each kind there were.
//
// A record is a folder. k6 and Locust write the same two kinds of file into it, each process its own:
//   *.claims.log    one line for each answer that named a sequence: `<status> <user> <sequence>`; lines that begin with
//                   `note ` are for people: an answer that was wrong
//   *.counts.json   the coupon, and how many answers of each kind the process got
import { isUserId } from '../../src/coupon/coupon.ts';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { BenchError } from '../bench-error.ts';

/** An answer that named a sequence: 201 and 202 say that it was issued now, 409 that the user had it already. */
export interface Claim {
  readonly status: 201 | 202 | 409;
  readonly userId: string;
  readonly sequence: number;
}

const count = Type.Integer({ minimum: 0 });

const Counts = Type.Object({
  /** 201 and 202. */
  accepted: count,
  /** 409, the user already has it. */
  duplicated: count,
  /** 409, sold out. */
  soldOut: count,
  /** No answer, or a 503: the coupon may or may not have been issued. */
  indeterminate: count,
  /** Everything else: expected in no run. */
  unexpected: count,
});

/** Answers by kind. */
export type Counts = Static<typeof Counts>;

const CountsFile = Type.Object({ couponId: Type.Integer({ minimum: 1 }), counts: Counts });

export interface LoadRecord {
  readonly couponId: number;
  readonly claims: readonly Claim[];
  readonly counts: Counts;
  /** What the tool noted of answers that were wrong; a sample. */
  readonly notes: readonly string[];
}

/**
 * Reads the record of a run, of all its processes together.
 *
 * @throws BenchError when a line or a file cannot be understood, or when nothing was recorded at all
 */
export function readLoadRecord(folder: string): LoadRecord {
  const logs = filesOf(folder, '*.claims.log').map((path) => readClaims(readFileSync(path, 'utf8'), path));
  const files = filesOf(folder, '*.counts.json').map(readCountsFile);
  const [first] = files;
  if (first === undefined)
    throw new BenchError(`${folder} holds no *.counts.json: the load tool did not finish its run`);
  if (files.some(({ couponId }) => couponId !== first.couponId)) {
    throw new BenchError(`${folder} is about more than one coupon`);
  }
  return {
    couponId: first.couponId,
    claims: logs.flatMap(({ claims }) => claims),
    counts: files.map((file) => file.counts).reduce(added),
    notes: logs.flatMap(({ notes }) => notes),
  };
}

/** @throws BenchError naming the first line that is no claim; a line that broke off in the middle is one of those */
export function readClaims(text: string, path: string): Pick<LoadRecord, 'claims' | 'notes'> {
  if (text !== '' && !text.endsWith('\n')) throw new BenchError(`${path} breaks off in the middle of a line`);
  const claims: Claim[] = [];
  const notes: string[] = [];
  for (const [at, line] of text.split('\n').slice(0, -1).entries()) {
    if (line.startsWith('note ')) notes.push(line.slice('note '.length));
    else claims.push(claimOf(line, `${path}:${at + 1}`));
  }
  return { claims, notes };
}

function claimOf(line: string, place: string): Claim {
  const match = /^(201|202|409) (\S{1,255}) ([1-9][0-9]{0,15})$/.exec(line);
  if (match === null || !isUserId(match[2] ?? ''))
    throw new BenchError(`${place} is no claim: ${JSON.stringify(line.slice(0, 200))}`);
  return { status: statusOf(match[1]), userId: match[2] ?? '', sequence: Number(match[3]) };
}

function statusOf(text: string | undefined): Claim['status'] {
  if (text === '201') return 201;
  return text === '202' ? 202 : 409;
}

function readCountsFile(path: string): Static<typeof CountsFile> {
  const parsed = parseJson(readFileSync(path, 'utf8'));
  if (!Value.Check(CountsFile, parsed)) throw new BenchError(`${path} does not hold a coupon and counts`);
  return parsed;
}

/** The value, or undefined when the text is no JSON: a file that broke off. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller says which file it is.
    return undefined;
  }
}

function filesOf(folder: string, pattern: string): string[] {
  return globSync(pattern, { cwd: folder })
    .sort()
    .map((name) => join(folder, name));
}

function added(a: Counts, b: Counts): Counts {
  return {
    accepted: a.accepted + b.accepted,
    duplicated: a.duplicated + b.duplicated,
    soldOut: a.soldOut + b.soldOut,
    indeterminate: a.indeterminate + b.indeterminate,
    unexpected: a.unexpected + b.unexpected,
  };
}
