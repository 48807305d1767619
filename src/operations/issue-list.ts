// issue-list.ts -- Issues a coupon to the users of a file, with a report that has a line for each: from the report an interrupted run goes on.
//
// The users are sent in the order of the file, and their results are appended before the next are sent. A result that is not final, since a
// store failed or the coupon is not open, ends the run before it is written. What was sent when a run was interrupted is sent again: nobody is
// issued twice, and those who were issued then are reported as having the coupon.

import { createReadStream } from 'node:fs';
import { open, truncate } from 'node:fs/promises';
import { isUserId } from '../coupon/coupon.ts';
import { OperatorError } from '../operator-error.ts';

/** What became of one user: `ACCEPTED`, or the code of a problem. */
export interface ListedResult {
  readonly result: string;
  readonly sequence: number | null;
  /** Why it is not final; null where it is. */
  readonly stop: string | null;
}

export interface IssueListOptions {
  readonly listPath: string;
  readonly reportPath: string;
  /** Issues to at most `USERS_PER_REQUEST` users; one result for each, in their order. Throws OperatorError when it cannot go on. */
  readonly send: (users: readonly string[]) => Promise<readonly ListedResult[]>;
  /** Gets each step that is done. */
  readonly say: (step: string) => void;
}

export const USERS_PER_REQUEST = 1000;
/** Lines that are named when they are wrong. */
const WRONG_MAX = 20;
const HEAD = 'line,userId,result,sequence';

interface ListedUser {
  /** Of the file, from 1. */
  readonly line: number;
  readonly userId: string;
}

/**
 * Issues to a file, or goes on where an earlier run was interrupted.
 *
 * @returns how many users had which result, over all runs
 * @throws OperatorError when the file is wrong, which is found before anybody is issued, when the report is of another file, or when it
 *   cannot go on now; what the file system throws
 */
export async function issueToList(options: IssueListOptions): Promise<ReadonlyMap<string, number>> {
  const { listPath, reportPath, send, say } = options;
  const users = await checkList(listPath);
  say(`${users} users in ${listPath}`);
  const counts = new Map<string, number>();
  const count = (result: string) => counts.set(result, (counts.get(result) ?? 0) + 1);
  const list = usersIn(listPath);
  let done = 0;
  for await (const reported of reportedIn(reportPath)) {
    const { value } = await list.next();
    if (!value || reported.line !== value.line || reported.userId !== value.userId)
      throw new OperatorError(`${reportPath} is the report of another file: line ${reported.line} is not the same`);
    count(reported.result);
    done += 1;
  }
  // For the operator alone: it has the ids of users.
  const report = await open(reportPath, 'a', 0o600);
  try {
    if ((await report.stat()).size === 0) await report.appendFile(`${HEAD}\n`);
    for await (const page of pagesOf(list)) {
      const results = await send(page.map(({ userId }) => userId));
      const stopAt = results.findIndex(({ stop }) => stop !== null);
      const final = stopAt === -1 ? results : results.slice(0, stopAt);
      const lines = final.map(
        ({ result, sequence }, i) => `${page[i]?.line},${page[i]?.userId},${result},${sequence ?? ''}\n`,
      );
      await report.appendFile(lines.join(''));
      for (const { result } of final) count(result);
      done += final.length;
      say(`${done} of ${users}`);
      const stop = results[stopAt]?.stop;
      if (stop) throw new OperatorError(`${stop} ${done} of ${users} users are done; run this again to continue.`);
    }
    await report.sync();
  } finally {
    await report.close();
  }
  return counts;
}

/** How many users a list has. Throws OperatorError that names the lines that are wrong. */
async function checkList(path: string): Promise<number> {
  const wrong: number[] = [];
  let users = 0;
  for await (const { line, userId } of usersIn(path)) {
    users += 1;
    if (!isUserId(userId)) wrong.push(line);
  }
  if (wrong.length > 0) {
    const more = wrong.length > WRONG_MAX ? ` and ${wrong.length - WRONG_MAX} more` : '';
    throw new OperatorError(
      `${path} has lines without a user id: ${wrong.slice(0, WRONG_MAX).join(', ')}${more}. Nobody was issued.`,
    );
  }
  if (users === 0) throw new OperatorError(`${path} contains no users`);
  return users;
}

/** The users of a file: its first column, or the one that its first line calls `userId`. Empty lines are left out. */
async function* usersIn(path: string): AsyncGenerator<ListedUser, undefined> {
  let column = -1;
  for await (const { line, text } of linesOf(path)) {
    if (text.trim() === '') continue;
    const fields = text.split(',').map((field) => field.trim().replace(/^"(.*)"$/, '$1'));
    if (column === -1) {
      const named = fields.findIndex((field) => /^user_?id$/i.test(field));
      column = Math.max(0, named);
      if (named !== -1) continue;
    }
    yield { line, userId: fields[column] ?? '' };
  }
  return undefined;
}

async function* pagesOf(users: AsyncGenerator<ListedUser, undefined>): AsyncGenerator<readonly ListedUser[]> {
  let page: ListedUser[] = [];
  for await (const user of users) {
    if (page.push(user) < USERS_PER_REQUEST) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
}

/** What a report says, without a last line that was not written to its end, which is cut off. */
async function* reportedIn(path: string): AsyncGenerator<ListedUser & { readonly result: string }> {
  let bytes = 0;
  try {
    for await (const { line, text, isWhole } of linesOf(path)) {
      if (!isWhole) break;
      bytes += Buffer.byteLength(text) + 1;
      const [at = '', userId = '', result = ''] = text.split(',');
      if (line > 1) yield { line: Number(at), userId, result };
      else if (text !== HEAD) throw new OperatorError(`${path} already exists, and is not a report`);
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return;
    throw error;
  }
  await truncate(path, bytes);
}

interface Line {
  /** From 1. */
  readonly line: number;
  /** Without a byte order mark, and without its end. */
  readonly text: string;
  /** Whether it has an end. */
  readonly isWhole: boolean;
}

async function* linesOf(path: string): AsyncGenerator<Line> {
  let line = 0;
  let rest = '';
  for await (const piece of createReadStream(path, { encoding: 'utf8' })) {
    const texts = `${rest}${piece}`.split('\n');
    rest = texts.pop() ?? '';
    for (const text of texts) {
      line += 1;
      yield { line, text: plain(text, line), isWhole: true };
    }
  }
  if (rest !== '') yield { line: line + 1, text: plain(rest, line + 1), isWhole: false };
}

function plain(text: string, line: number): string {
  return (line === 1 ? text.replace(/^\uFEFF/, '') : text).replace(/\r$/, '');
}
