// judge.test.ts -- The judge from outside accepts correct histories and refuses wrong ones: written by hand, and made by planted bugs.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { tempFolder } from '../../tools/leftovers.ts';
import { type Cluster, type ClusterOptions, startCluster } from '../chaos/cluster.ts';
import { faultsFor } from '../chaos/faults.ts';
import { runChaos } from '../chaos/run.ts';
import { plantedBugs } from '../mutation/bugs.ts';
import { withChangedCopy } from '../mutation/run-guards.ts';
import { HistoryFile } from './history-file.ts';
import { findGo, type Judgement, judgeHistory } from './porcupine.ts';
import { rush } from './rush.ts';

let folder: string;
beforeAll(() => {
  folder = tempFolder('coupon-histories-');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Line = Readonly<Record<string, unknown>>;
type Span = readonly [start: number, end: number];

/** Two pieces, open all the time. */
const offer: Line = { kind: 'coupon', coupon: 1, total: 2, opens: -100, closes: 1_000_000, slack: 1 };
const end: Line = { kind: 'end', end: 1000 };
const row = (user: string, sequence: number): Line => ({ kind: 'row', coupon: 1, user, sequence });
const answered = (user: string, [start, ended]: Span, answer: Line): Line => ({
  kind: 'issue',
  coupon: 1,
  client: 0,
  endpoint: '/v1/issue',
  user,
  start,
  end: ended,
  status: 409,
  code: null,
  detail: null,
  sequence: null,
  ...answer,
});
const issued = (user: string, span: Span, sequence: number) => answered(user, span, { status: 201, sequence });
const duplicate = (user: string, span: Span, sequence: number) =>
  answered(user, span, { code: 'DUPLICATED_COUPON_ISSUE', sequence });
const soldOut = (user: string, span: Span) => answered(user, span, { code: 'INVALID_COUPON_ISSUE_QUANTITY' });
const closed = (user: string, span: Span, detail: string) =>
  answered(user, span, { code: 'INVALID_COUPON_ISSUE_DATE', detail });
const unanswered = (user: string, span: Span) => answered(user, span, { status: 0 });
const undecided = (user: string, span: Span) =>
  answered(user, span, { status: 503, detail: 'Too many requests are waiting. Nothing was decided for this one.' });
const edit = (change: string, [start, ended]: Span, more: Line = {}): Line => ({
  kind: 'edit',
  coupon: 1,
  client: 9,
  start,
  end: ended,
  status: 200,
  change,
  ...more,
});

let files = 0;
async function judge(...lines: readonly Line[]): Promise<Judgement> {
  files += 1;
  const path = join(folder, `${files}.jsonl`);
  writeFileSync(path, `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`);
  return judgeHistory(path);
}

type Cases = readonly (readonly [name: string, lines: readonly Line[]])[];

const truths: Cases = [
  [
    'requests one after the other, each answered correctly',
    [
      offer,
      issued('a', [0, 10], 1),
      duplicate('a', [20, 30], 1),
      issued('b', [40, 50], 2),
      soldOut('c', [60, 70]),

      duplicate('b', [80, 90], 2),
      row('a', 1),
      row('b', 2),
      end,
    ],
  ],
  [
    'requests under way together may be answered in either order',
    [
      offer,
      issued('a', [0, 100], 2),
      issued('b', [0, 100], 1),
      duplicate('a', [5, 99], 2),
      row('a', 2),
      row('b', 1),
      end,
    ],
  ],
  [
    'an unanswered request may have issued long after its caller gave up',
    [offer, unanswered('a', [0, 10]), issued('b', [20, 30], 1), row('b', 1), row('a', 2), end],
  ],
  [
    'an unanswered request may never have happened',
    [offer, unanswered('a', [0, 10]), issued('b', [20, 30], 1), row('b', 1), end],
  ],
  [
    'of several unanswered requests any may have been the one',
    [
      offer,
      unanswered('a', [0, 10]),
      unanswered('a', [40, 50]),
      issued('b', [20, 30], 2),
      duplicate('a', [60, 70], 1),
      row('a', 1),
      row('b', 2),
      end,
    ],
  ],
  ['an overload that decided nothing', [offer, undecided('a', [0, 10]), issued('a', [20, 30], 1), row('a', 1), end]],
  [
    'before the start and from the end on nothing is issued',
    [
      { ...offer, opens: 50, closes: 100 },
      closed('a', [0, 40], 'it has not started'),
      issued('a', [60, 70], 1),
      closed('a', [110, 120], 'it has ended'),
      row('a', 1),
      end,
    ],
  ],
  [
    'a total that is raised is not sold out any more, and one that is lowered is',
    [
      offer,
      edit('total', [0, 10], { total: 1 }),
      issued('a', [20, 30], 1),
      soldOut('b', [40, 50]),
      edit('total', [60, 70], { total: 2 }),
      issued('b', [80, 90], 2),
      row('a', 1),
      row('b', 2),
      end,
    ],
  ],
  [
    'a pause refuses owners, too, until it is over',
    [
      offer,
      issued('a', [0, 10], 1),
      edit('pause', [20, 30]),
      closed('a', [40, 50], 'it is paused'),
      edit('resume', [60, 70]),
      duplicate('a', [80, 90], 1),
      row('a', 1),
      end,
    ],
  ],
  [
    'an edit whose answer was lost may have been made or not',
    [
      offer,
      edit('total', [0, 10], { total: 1, status: 0 }),
      issued('a', [20, 30], 1),
      issued('b', [40, 50], 2),
      soldOut('c', [60, 70]),
      row('a', 1),
      row('b', 2),
      end,
    ],
  ],
  [
    'a period that is moved closes the coupon, and opens it again',
    [
      offer,
      edit('period', [0, 10], { opens: -100, closes: 5 }),
      closed('a', [20, 30], 'it has ended'),
      edit('period', [40, 50], { opens: -100, closes: 1_000_000 }),
      issued('a', [60, 70], 1),
      row('a', 1),
      end,
    ],
  ],
  [
    'sequences that Redis lost leave gaps, where the history says that it may have',
    [{ ...offer, mayHaveGaps: true }, issued('a', [0, 10], 1), issued('b', [20, 30], 7), row('a', 1), row('b', 7), end],
  ],
];

const lies: Cases = [
  [
    'two users have one sequence',
    [offer, issued('a', [0, 10], 1), issued('b', [0, 10], 1), row('a', 1), row('b', 1), end],
  ],
  ['a user is issued the coupon twice', [offer, issued('a', [0, 10], 1), issued('a', [20, 30], 2), row('a', 1), end]],
  ['a user has two rows', [offer, issued('a', [0, 10], 1), unanswered('a', [20, 30]), row('a', 1), row('a', 2), end]],
  [
    'more are issued than there are',
    [{ ...offer, total: 1 }, issued('a', [0, 10], 1), issued('b', [20, 30], 2), row('a', 1), row('b', 2), end],
  ],
  ['sold out while stock is left', [offer, issued('a', [0, 10], 1), soldOut('b', [20, 30]), row('a', 1), end]],
  [
    'sold out before the last piece went',
    [offer, issued('a', [0, 10], 1), soldOut('c', [20, 30]), issued('b', [40, 50], 2), row('a', 1), row('b', 2), end],
  ],
  [
    'sold out for somebody who has it',
    [offer, issued('a', [0, 10], 1), issued('b', [20, 30], 2), soldOut('a', [40, 50]), row('a', 1), row('b', 2), end],
  ],
  [
    'a duplicate names the sequence of another',
    [
      offer,
      issued('a', [0, 10], 1),
      issued('b', [20, 30], 2),
      duplicate('a', [40, 50], 2),
      row('a', 1),
      row('b', 2),
      end,
    ],
  ],
  ['a duplicate before its cause', [offer, duplicate('a', [0, 10], 1), issued('a', [20, 30], 1), row('a', 1), end]],
  ['the only request of a winner is a duplicate', [offer, duplicate('a', [0, 10], 1), row('a', 1), end]],
  [
    'a later request gets an earlier sequence',
    [offer, issued('a', [0, 10], 2), issued('b', [20, 30], 1), row('a', 2), row('b', 1), end],
  ],
  [
    'a sequence is left out in an ordinary run',
    [offer, issued('a', [0, 10], 1), issued('b', [20, 30], 3), row('a', 1), row('b', 3), end],
  ],
  [
    'sequences fall although they may have gaps',
    [{ ...offer, mayHaveGaps: true }, issued('a', [0, 10], 7), issued('b', [20, 30], 5), row('a', 7), row('b', 5), end],
  ],
  [
    'a promised row is missing in the end',
    [offer, issued('a', [0, 10], 1), issued('b', [20, 30], 2), row('a', 1), end],
  ],
  ['a row is another than promised', [offer, issued('a', [0, 10], 1), row('b', 1), end]],
  ['an overload that decided nothing leaves a row', [offer, undecided('a', [0, 10]), row('a', 1), end]],
  [
    'an unanswered request issued before it was sent',
    [offer, issued('b', [0, 10], 2), unanswered('a', [20, 30]), row('a', 1), row('b', 2), end],
  ],
  ['issued before the start', [{ ...offer, opens: 50 }, issued('a', [0, 40], 1), row('a', 1), end]],
  ['issued from the end on', [{ ...offer, closes: 50 }, issued('a', [60, 70], 1), row('a', 1), end]],
  ['not started, after the start', [{ ...offer, opens: 50 }, closed('a', [60, 70], 'it has not started'), end]],
  ['ended, before the end', [{ ...offer, closes: 500 }, closed('a', [60, 70], 'it has ended'), end]],
  ['paused without a pause', [offer, closed('a', [60, 70], 'it is paused'), end]],
  ['issued while it is paused', [offer, edit('pause', [0, 10]), issued('a', [20, 30], 1), row('a', 1), end]],
  [
    'sold out after the total was raised',
    [
      { ...offer, total: 1 },
      issued('a', [0, 10], 1),
      edit('total', [20, 30], { total: 2 }),
      soldOut('b', [40, 50]),

      row('a', 1),
      end,
    ],
  ],
  [
    'a total is lowered below what was issued',
    [
      offer,
      issued('a', [0, 10], 1),
      issued('b', [20, 30], 2),
      edit('total', [40, 50], { total: 1 }),
      row('a', 1),
      row('b', 2),
      end,
    ],
  ],
  ['a coupon that exists does not', [offer, answered('a', [0, 10], { status: 404, code: 'COUPON_NOT_EXIST' }), end]],
];

describe.skipIf(findGo() === undefined)('the judge', () => {
  test.each([...truths])('accepts: %s', async (_, lines) => {
    expect(await judge(...lines)).toMatchObject({ verdict: 'ok' });
  });

  test.each([...lies])('refuses: %s', async (_, lines) => {
    expect(await judge(...lines)).toMatchObject({ verdict: 'refused' });
  });

  test('coupons are judged one by one: a wrong one is named, and drawn', async () => {
    const other = { coupon: 2 };
    const { verdict, lines } = await judge(
      offer,
      { ...offer, ...other },
      issued('a', [0, 10], 1),
      { ...issued('a', [0, 10], 2), ...other },
      row('a', 1),
      { ...row('a', 2), ...other },
      end,
    );
    expect(verdict).toBe('refused');
    expect(lines[0]).toStartWith('coupon 2: refused: a: issued 2 has no place;');
    expect(lines.at(-1)).toStartWith('refused, 1 of the coupons: 2 operations on 2 coupons');
    const picture = lines[1]?.replace('coupon 2: picture: ', '') ?? '';
    expect(readFileSync(picture, 'utf8')).toContain('a: issued 2');
  });

  test('what cannot be judged has not passed: cut short, unreadable, empty, an answer out of the blue', async () => {
    expect(await judge(offer, issued('a', [0, 10], 1), row('a', 1))).toMatchObject({ verdict: 'undecided' });
    expect(await judge(issued('a', [0, 10], 1), offer, end)).toMatchObject({ verdict: 'undecided' });
    expect(await judge(offer, end)).toMatchObject({ verdict: 'undecided' });
    expect(await judge(offer, answered('a', [0, 10], { status: 418 }), end)).toMatchObject({ verdict: 'undecided' });
    expect(await judgeHistory(join(folder, 'no-such-history.jsonl'))).toMatchObject({ verdict: 'undecided' });
  });

  test('a lie among many requests under way together is refused within the bound', async () => {
    const users = Array.from({ length: 60 }, (_, i) => `user-${i}`);
    const at = (i: number): Span => [i * 100, i * 100 + 6000];
    const lines = users.flatMap((user, i) => [issued(user, at(i), i + 1), duplicate(user, at(i), i + 1)]);
    const rows = users.map((user, i) => row(user, i + 1));
    const history = [{ ...offer, total: 60 }, ...lines, ...rows];
    const last = { ...end, end: 20_000 };
    expect(await judge(...history, last)).toMatchObject({ verdict: 'ok' });
    expect(await judge(...history, duplicate('user-30', at(30), 32), last)).toMatchObject({ verdict: 'refused' });
  }, 60_000);

  test('a crowd at all endpoints, through kill -9 of the APIs, is answered correctly', async () => {
    const path = await onCluster('crowd', { apis: 2, workers: 1 }, async (cluster, file) => {
      const kill = faultsFor(cluster).filter(({ name }) => name === 'kill -9 an API');
      const faults = [...kill, ...kill, ...kill];
      const options = { seed: 1, runMs: 0, callers: 24, say: () => {}, faults, historyFile: file };
      const { accusations, counts } = await runChaos(cluster, options);
      file.close();
      expect(accusations).toEqual([]);
      // Some requests did go unanswered, so that there was something to find out.
      expect(counts.unanswered).toBeGreaterThan(0);
    });
    const text = readFileSync(path, 'utf8');
    for (const endpoint of ['/v1/issue', '/v1/issue-async', '/v2/issue-async'])
      expect(text).toContain(`"endpoint":"${endpoint}"`);
    const { verdict, lines } = await judgeHistory(path);
    expect(lines.at(-1)).toStartWith('ok, ');
    expect(verdict).toBe('ok');
  }, 120_000);
});

/** Bugs that a rush brings to light each time, and how the judge names the first wrong answer. */
const provoked: readonly (readonly [name: string, refusal: RegExp | null])[] = [
  // Nothing planted: the rush alone is accepted.
  ['none', null],
  ['the combiner answers out of order', /: (issued|already has) \d+ has no place/],
  ['a user who occurs twice in a batch gets two', /: (issued|already has) \d+ has no place/],
  ['the fenced write does not look whether others issued since the read', /: (issued|already has) \d+ has no place/],
  ['MySQL issues although the stock is in Redis', /: (issued|already has) \d+ has no place/],
  ['a cached sold out refuses owners too', /: sold out has no place; .* already has/],
];

describe.skipIf(findGo() === undefined)('a rush on the API with a planted bug', () => {
  test.each([...provoked])(
    '%s',
    async (name, refusal) => {
      const bug = plantedBugs.find((each) => each.name === name);
      if (!bug && refusal) throw new Error('there is no such bug any more');
      const path = await withChangedCopy(bug?.changes ?? [], (root) =>
        onCluster(name.replaceAll(/\W+/g, '-'), { apis: 1, workers: 1, root }, rush),
      );
      const { verdict, lines } = await judgeHistory(path);
      expect(verdict, lines.join('\n')).toBe(refusal ? 'refused' : 'ok');
      if (!refusal) return;
      expect(lines[0]).toMatch(refusal);
      expect(existsSync(lines[1]?.replace(/^coupon \d+: picture: /, '') ?? '')).toBe(true);
    },
    120_000,
  );
});

/** Runs something on a cluster of its own; returns where its history is. */
async function onCluster(
  name: string,
  options: ClusterOptions,
  run: (cluster: Cluster, historyFile: HistoryFile) => Promise<void>,
): Promise<string> {
  const cluster = await startCluster(options);
  try {
    const historyFile = new HistoryFile(join(folder, `${name}.jsonl`));
    await run(cluster, historyFile);
    return historyFile.path;
  } finally {
    await cluster.stop();
  }
}
