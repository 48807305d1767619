// The promises, judged on the contents of the stores and on the answers that callers got. Pure: the same evidence, the same faults.
//
// What cannot be seen from outside is not claimed. That `sold out` was never answered a moment too early cannot be proved
// after the run; that stock was left at the end although a caller was answered `sold out` can, and that is how P4 is checked here.
import type { Evidence, Row } from './evidence.ts';
import type { Claim, LoadRecord } from './load-record.ts';

/** Sentences of what is wrong, each with the promise that is broken; empty when all hold. `record` null: the stores alone. */
export function faultsIn(evidence: Evidence, record: LoadRecord | null): string[] {
  return [
    ...neverTooMany(evidence),
    ...neverTwice(evidence),
    ...neverLost(evidence),
    ...neverOutsideTheTime(evidence),
    ...sameInRedis(evidence),
    ...(record === null ? [] : [...neverABrokenWord(evidence, record), ...neverTooFew(evidence, record)]),
  ];
}

function neverTooMany({ rows, total, issuedQuantity }: Evidence): string[] {
  const faults: string[] = [];
  if (total !== null && rows.length > total) faults.push(`P1: ${rows.length} rows of a coupon of ${total}`);
  if (issuedQuantity !== rows.length)
    faults.push(`P1: issued_quantity is ${issuedQuantity}, but there are ${rows.length} rows`);
  return faults;
}

function neverTwice({ rows }: Evidence): string[] {
  const users = new Set(rows.map(({ userId }) => userId));
  return users.size === rows.length ? [] : [`P2: ${rows.length} rows belong to ${users.size} users`];
}

function neverLost({ rows, stream, dead }: Evidence): string[] {
  const faults: string[] = [];
  if (stream.entries !== 0) faults.push(`P3: ${stream.entries} entries are still in the stream`);
  if (stream.unpersisted !== 0) faults.push(`P3: ${stream.unpersisted} accepted users are not yet rows`);
  if (dead.length > 0) faults.push(`P3: ${dead.length} entries are dead, the first for: ${dead[0]}`);
  const gap = rows.findIndex(({ sequence }, at) => sequence !== at + 1);
  if (gap !== -1)
    faults.push(`P3: where sequence ${gap + 1} should be is ${rows[gap]?.sequence}: the numbers are not dense`);
  return faults;
}

function neverOutsideTheTime({ rows, startMs, endMs }: Evidence): string[] {
  const outside = rows.filter(({ issuedMs }) => issuedMs < startMs || issuedMs >= endMs);
  return outside.length === 0
    ? []
    : [`P5: ${outside.length} rows were issued outside the period, the first under ${outside[0]?.sequence}`];
}

function sameInRedis({ redis, rows }: Evidence): string[] {
  if (redis === null) return [];
  const faults: string[] = [];
  const wrong = rows.filter(({ userId, sequence }) => redis.owners.get(userId) !== sequence);
  if (wrong.length > 0) faults.push(`P3: Redis and MySQL disagree on ${wrong.length} rows, ${first(wrong)}`);
  if (redis.owners.size !== rows.length) faults.push(`P3: ${redis.owners.size} owners in Redis, ${rows.length} rows`);
  if (redis.next !== rows.length + 1)
    faults.push(`P3: the next sequence in Redis is ${redis.next} after ${rows.length} rows`);
  return faults;
}

function neverABrokenWord({ rows }: Evidence, { claims, counts, notes }: LoadRecord): string[] {
  const faults: string[] = [];
  const accepted = claims.filter(({ status }) => status !== 409);
  const duplicated = claims.length - accepted.length;
  if (accepted.length !== counts.accepted || duplicated !== counts.duplicated) {
    const both = `${accepted.length} and ${duplicated} recorded, ${counts.accepted} and ${counts.duplicated} counted`;
    faults.push(`the record is incomplete: of the answers with a sequence, issued and duplicated, ${both}`);
  }
  const rowOf = new Map(rows.map((row) => [row.userId, row]));
  const broken = claims.filter(({ userId, sequence }) => rowOf.get(userId)?.sequence !== sequence);
  if (broken.length > 0) faults.push(`P3: ${broken.length} answers named a sequence without its row, ${first(broken)}`);
  const issuedTo = new Set(accepted.map(({ userId }) => userId));
  if (issuedTo.size !== accepted.length) {
    faults.push(
      `P2: ${accepted.length - issuedTo.size} answers issued the coupon to a user who had been issued it before`,
    );
  }
  // A user without an answer may have the coupon; any other row needs an answer that named it.
  const known = new Set(claims.map(({ userId }) => userId));
  const unanswered = rows.filter(({ userId }) => !known.has(userId));
  if (unanswered.length > counts.indeterminate) {
    faults.push(
      `P3: ${unanswered.length} rows that no answer named, but only ${counts.indeterminate} requests without an answer`,
    );
  }
  if (counts.accepted === 0) faults.push('nothing was issued: this run shows nothing');
  if (counts.unexpected > 0) {
    faults.push(`${counts.unexpected} answers were unexpected, such as: ${notes[0] ?? 'none that was recorded'}`);
  }
  return faults;
}

function neverTooFew({ rows, total }: Evidence, { counts }: LoadRecord): string[] {
  if (counts.soldOut === 0 || rows.length === total) return [];
  return [`P4: ${counts.soldOut} answers said sold out, but ${rows.length} of ${total ?? 'unlimited'} were issued`];
}

function first(found: readonly (Claim | Row)[]): string {
  const [one] = found;
  return one === undefined ? 'none' : `the first: user ${one.userId} under ${one.sequence}`;
}
