// issue-list.ts -- Entry of `bun run issue-list`: issues a coupon to the users of a file through the API, many at once, with a report.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { type CouponClient, createCouponClient } from '../../client/coupon-client.ts';
import { readConfig } from '../config/config.ts';
import { issueToList, type ListedResult } from '../operations/issue-list.ts';
import { OperatorError } from '../operator-error.ts';
import { createSay, runCommand, UsageError, withFileFaults } from './command.ts';

const usage = `usage: bun run issue-list --coupon N users.csv [--report FILE] [--url URL] [--key-file FILE]

Issues coupon N to the users of a file: one user per line, in the first column or in the column userId.
The result of each is written to the report FILE (default: users.csv.coupon-N.csv). Run it again to continue after an interruption.
URL is the API (default: http://localhost:PORT). It needs a key with the scope issue: ADMIN_API_KEY, or the key in --key-file.`;

/** Results that another request may change. */
const PASSING = ['FAIL_COUPON_ISSUE_REQUEST', 'TOO_MANY_REQUESTS', 'INTERNAL'];
const TRIES_MAX = 10;
const PAUSE_MS = 1000;

await runCommand(usage, async (args) => {
  const { couponId, listPath, report, url, keyFile } = readArguments(args);
  const { ADMIN_API_KEY, PORT } = readConfig(['ADMIN_API_KEY', 'PORT']);
  const reportPath = resolve(report ?? `${listPath}.coupon-${couponId}.csv`);
  await withFileFaults(
    (async () => {
      const token = keyFile === undefined ? ADMIN_API_KEY : (await readFile(keyFile, 'utf8')).trim();
      if (token === undefined) throw new OperatorError('ADMIN_API_KEY is not set, and there is no --key-file');
      // An outage of a minute is waited for.
      const client = createCouponClient({
        url: url ?? `http://localhost:${PORT}`,
        token,
        attemptsMax: 30,
        timeMsMax: 120_000,
      });
      const send = (users: readonly string[]) => sendAll(client, couponId, users);
      const counts = await issueToList({ listPath, reportPath, send, say: createSay() });
      for (const [result, users] of counts) console.log(`${String(users).padStart(10)}  ${result}`);
      console.log(`The result of each user is in ${reportPath}.`);
    })(),
  );
});

function readArguments(args: string[]) {
  const text = { type: 'string' } as const;
  const options = { coupon: text, report: text, url: text, 'key-file': text };
  let parsed;
  try {
    parsed = parseArgs({ args, options, allowPositionals: true });
  } catch {
    throw new UsageError(`wrong option: ${args.join(' ')}`);
  }
  const { coupon, report, url, 'key-file': keyFile } = parsed.values;
  const [list, ...more] = parsed.positionals;
  if (coupon === undefined || !/^[1-9]\d{0,14}$/.test(coupon))
    throw new UsageError('--coupon must be the id of a coupon');
  if (list === undefined || more.length > 0) throw new UsageError('exactly one file of users is needed');
  if (url !== undefined && !URL.canParse(url)) throw new UsageError('--url must be the URL of the API');
  return { couponId: Number(coupon), listPath: resolve(list), report, url, keyFile };
}

/** Sends until each user has a result that is final, or for a while. */
async function sendAll(
  client: CouponClient,
  couponId: number,
  users: readonly string[],
): Promise<readonly ListedResult[]> {
  const results: ListedResult[] = users.map(() => ({ result: '', sequence: null, stop: 'Not sent.' }));
  let left = [...users.keys()];
  for (let tries = 1; left.length > 0 && tries <= TRIES_MAX; tries += 1) {
    if (tries > 1) await pause(PAUSE_MS);
    const sent = await client.issueToMany(
      couponId,
      left.map((i) => users[i] ?? ''),
    );
    if (sent.kind !== 'done') {
      const why = sent.problem ? `${sent.problem.code}: ${sent.problem.detail}` : 'The API does not answer.';
      throw new OperatorError(`${why} Run this again to continue.`);
    }
    for (const [at, i] of left.entries()) results[i] = resultOf(sent.value.outcomes[at]);
    left = left.filter((i) => PASSING.includes(results[i]?.result ?? ''));
  }
  return results;
}

type UserOutcome = { readonly code?: string; readonly sequence?: number; readonly detail?: string } | undefined;

function resultOf(outcome: UserOutcome): ListedResult {
  const { code = 'ACCEPTED', sequence = null, detail = `${code}.` } = outcome ?? { code: 'INTERNAL' };
  const isFinal = !PASSING.includes(code) && code !== 'INVALID_COUPON_ISSUE_DATE';
  return { result: code, sequence, stop: isFinal ? null : detail };
}
