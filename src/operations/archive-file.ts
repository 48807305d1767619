// archive-file.ts -- The file of an archived coupon: CSV between two lines with `#`, the last of which has a check sum of all before it.
//
// Written under a temporary name, flushed, read back and only then given its name, so that a file with that name is whole. Both ways are
// streams: memory does not grow with the rows.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, open, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Endpoint, endpoints } from '../coupon/accepted-by.ts';
import { isUserId } from '../coupon/coupon.ts';
import { formatInstant, formatOptional, parseInstant } from '../http/instant.ts';
import { OperatorError } from '../operator-error.ts';

/** A row of `coupon_issues`, without its coupon. */
export interface ArchivedRow {
  readonly sequence: number;
  readonly userId: string;
  readonly issuedMs: number;
  readonly usedMs: number | null;
  readonly reference: string | null;
  readonly revokedMs: number | null;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Null where it is not known; undefined in a file of format 1, which does not have it. */
  readonly endpoint?: Endpoint | null | undefined;
}

/** Which archiving of which coupon a file belongs to. */
export interface ArchiveHead {
  readonly couponId: number;
  readonly archivedMs: number;
}

/** Of format 1, which earlier releases wrote: its rows have no more. */
const FIRST_COLUMNS = 'sequence,user_id,date_issued,date_used,date_created,date_updated';
const COLUMNS = `${FIRST_COLUMNS},reference,date_revoked,endpoint`;

const headOf = ({ couponId, archivedMs }: ArchiveHead) =>
  `#coupon=${couponId},archived=${formatInstant(archivedMs)},format=2`;

const tailOf = (rows: number, sum: string) => `#rows=${rows},sha256=${sum}`;

/**
 * A row as a line; equal lines are equal rows. A reference is percent-encoded, so that it needs no quotes. Throws OperatorError for a user
 * id that would need some.
 */
export function lineOf(row: ArchivedRow): string {
  const { sequence, userId, issuedMs, usedMs, createdMs, updatedMs, reference, revokedMs, endpoint } = row;
  if (!isUserId(userId)) throw new OperatorError(`issue ${sequence} has a user id that no release writes`);
  const instants = [issuedMs, usedMs, createdMs, updatedMs].map((ms) => formatOptional(ms) ?? '');
  const added = [encodeURIComponent(reference ?? ''), formatOptional(revokedMs) ?? '', endpoint ?? ''];
  return [sequence, userId, ...instants, ...added].join();
}

/** Whether there is something under this path. */
export function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/**
 * Writes a file that is whole, or none.
 *
 * @param say gets each step
 * @returns how many rows it has
 * @throws OperatorError when what was written does not read back; what the file system and `pages` throw
 */
export async function writeArchive(
  path: string,
  head: ArchiveHead,
  pages: AsyncIterable<readonly ArchivedRow[]>,
  say: (step: string) => void,
): Promise<number> {
  const temporary = `${path}.partial`;
  // For the operator alone: it has the ids of users.
  const file = await open(temporary, 'w', 0o600);
  const sum = createHash('sha256');
  let rows = 0;
  try {
    const append = (lines: readonly string[]) => {
      const text = lines.map((line) => `${line}\n`).join('');
      sum.update(text);
      return file.appendFile(text);
    };
    await append([headOf(head), COLUMNS]);
    for await (const page of pages) {
      await append(page.map(lineOf));
      rows += page.length;
      say(`${rows} rows written`);
    }
    await file.appendFile(`${tailOf(rows, sum.digest('hex'))}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  const read = await verifyArchive(temporary);
  if (read.rows !== rows)
    throw new OperatorError(`${temporary} cannot be verified: it has ${read.rows} of ${rows} rows`);
  say('read back');
  await rename(temporary, path);
  const folder = await open(dirname(path), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
  say('named');
  return rows;
}

/** Reads a file to its end. Throws OperatorError if it is not as it was written, and what the file system throws. */
export async function verifyArchive(path: string): Promise<ArchiveHead & { readonly rows: number }> {
  const { head, pages } = await readArchive(path, 1000);
  let rows = 0;
  for await (const page of pages) rows += page.length;
  return { ...head, rows };
}

/** The rows of a file, in pages of `limit`. The last page is followed by an OperatorError if the file is not as it was written. */
export async function readArchive(path: string, limit: number) {
  const lines = linesOf(path);
  const { value, done } = await lines.next();
  const first = done ? '' : value;
  const [, id = '', archived = '', format = ''] =
    /^#coupon=([1-9]\d{0,15}),archived=([^,]+),format=([12])$/.exec(first) ?? [];
  const archivedMs = parseInstant(archived);
  if (archivedMs === null) throw new OperatorError(`${path} is not the file of an archived coupon`);
  const head: ArchiveHead = { couponId: Number(id), archivedMs };
  return { head, pages: rowPages(path, { first, isWhole: format === '2' }, lines, limit) };
}

async function* rowPages(
  path: string,
  { first, isWhole }: { readonly first: string; readonly isWhole: boolean },
  lines: AsyncGenerator<string, void>,
  limit: number,
): AsyncGenerator<readonly ArchivedRow[]> {
  const changed = new OperatorError(
    `${path} was changed since it was written, or is not whole: its check sum is another`,
  );
  const sum = createHash('sha256').update(`${first}\n`, 'latin1');
  let page: ArchivedRow[] = [];
  let rows = -1; // the names of the columns
  let tail = '';
  for await (const line of lines) {
    if (tail !== '') throw changed;
    if (line.startsWith('#')) {
      tail = line;
      continue;
    }
    sum.update(`${line}\n`, 'latin1');
    rows += 1;
    if (rows === 0 && line === (isWhole ? COLUMNS : FIRST_COLUMNS)) continue;
    const row = rowOf(isWhole ? line : `${line},,,`);
    if (!row) throw changed;
    if (page.push(isWhole ? row : { ...row, endpoint: undefined }) < limit) continue;
    yield page;
    page = [];
  }
  if (tail !== tailOf(rows, sum.digest('hex'))) throw changed;
  if (page.length > 0) yield page;
}

function rowOf(line: string): ArchivedRow | null {
  const [sequence = '', userId = '', issued = '', used = '', created = '', updated = '', ...added] = line.split(',');
  const [reference = '', revoked = '', by = ''] = added;
  const row = {
    sequence: Number(sequence),
    userId,
    issuedMs: parseInstant(issued) ?? 0,
    usedMs: used === '' ? null : (parseInstant(used) ?? 0),
    reference: reference === '' ? null : decoded(reference),
    revokedMs: revoked === '' ? null : (parseInstant(revoked) ?? 0),
    createdMs: parseInstant(created) ?? 0,
    updatedMs: parseInstant(updated) ?? 0,
    endpoint: endpoints.find((endpoint) => endpoint === by) ?? null,
  };
  return Number.isSafeInteger(row.sequence) && isUserId(userId) && lineOf(row) === line ? row : null;
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

/** Lines of bytes, one character each: a file in another encoding has another sum. */
async function* linesOf(path: string): AsyncGenerator<string, void> {
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'latin1' })) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  // A last line without its end.
  if (rest !== '') yield rest;
}
