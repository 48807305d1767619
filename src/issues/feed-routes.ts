// feed-routes.ts -- Route of the issues of a coupon, for operators and readers: in order, as JSON in pages or as CSV whole; or of one user.

import { setTimeout as pause } from 'node:timers/promises';
import { type Static, Type } from '@sinclair/typebox';
import { type Authority, operatorsWith } from '../auth/authority.ts';
import { isUserId } from '../coupon/coupon.ts';
import { couponIdParameter, UserId } from '../coupon/ids.ts';
import { problem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import type { Feed, FeedIssue, FeedPage, NoFeed } from './feed.ts';
import { type CodesDependency, CouponIssueAnswer, couponIssueExample, toCouponIssue } from './json.ts';

export interface FeedDependencies extends CodesDependency {
  readonly authority: Pick<Authority, 'guard'>;
  readonly feed: Feed;
}

const LIMIT_MAX = 1000;
const LIMIT_DEFAULT = 100;
/** Issues that are read at once for a file. */
const CSV_PAGE = 5000;

const CouponIssuePage = Type.Object(
  {
    issues: Type.Array(CouponIssueAnswer, { description: 'in order of sequence' }),
    next: Type.Integer({
      minimum: 0,
      description: '`after` of the next request: the last sequence of this page, or as it was where there is none',
    }),
    more: Type.Boolean({ description: 'true if there are further issues; false if there are none at the moment' }),
  },
  { $id: 'CouponIssuePage' },
);

const pageExample = { issues: [couponIssueExample], next: 37, more: false };

const CSV_HEAD =
  'sequence,userId,code,status,dateIssued,dateWritten,usableFrom,usableUntil,dateUsed,reference,dateRevoked,endpoint\n';

const after = {
  schema: Type.Integer({
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    default: 0,
    description: `\`next\` of the page before, an integer from 0 to ${Number.MAX_SAFE_INTEGER}: only issues with higher sequences`,
  }),
  example: 0,
};

const limit = {
  schema: Type.Integer({
    minimum: 1,
    maximum: LIMIT_MAX,
    description: `how many on a page: an integer from 1 to ${LIMIT_MAX}; without it ${LIMIT_DEFAULT}, as CSV all`,
  }),
  example: LIMIT_DEFAULT,
  read(text: string | null): number | null | undefined {
    if (text === null) return null;
    return /^[1-9]\d{0,3}$/.test(text) && Number(text) <= LIMIT_MAX ? Number(text) : undefined;
  },
};

const userId = {
  schema: { ...UserId, description: `only the issue of this user, whatever \`after\` says: ${UserId.description}` },
  example: '42',
  read(text: string | null): string | null | undefined {
    if (text === null) return null;
    return isUserId(text) ? text : undefined;
  },
};

/** `GET /v1/coupons/:couponId/issues`. */
export function feedRoute({ authority, feed, codes }: FeedDependencies) {
  const answersOf = async (couponId: number, issues: readonly FeedIssue[]) => {
    const found = await codes.codesOf(issues.map(({ sequence }) => ({ couponId, sequence })));
    return issues.map((issue, i) => toCouponIssue(couponId, issue, found[i] ?? null));
  };
  return route(
    'GET',
    '/v1/coupons/:couponId/issues',
    {
      operationId: 'listCouponIssues',
      tag: 'operators',
      summary: 'The issues of a coupon, in order',
      description: `Rows in MySQL in order of sequence, up to the first sequence that may still become a row. A reader that sends the \`next\` of one page
as \`after\` of the following one gets each issue exactly once, also while coupons are being issued. With \`Accept: text/csv\` all rows are one
file, whose first line names the columns; if the connection breaks, the file is incomplete. With \`userId\`, only the row of that user, if any.`,
      access: operatorsWith(authority, 'read'),
      params: { couponId: couponIdParameter },
      query: { after, limit, userId },
      answers: {
        200: {
          description: 'A page, or the file.',
          schema: CouponIssuePage,
          example: pageExample,
          others: {
            'text/csv': `${CSV_HEAD}37,42,SUMMER-K7WQ-3N9X,ISSUED,2026-12-01T01:00:00.123Z,2026-12-01T01:00:00.187Z,,,,,,POST /v2/issue-async\n`,
          },
        },
      },
      problems: ['COUPON_NOT_EXIST', 'COUPON_ARCHIVED', 'FAIL_COUPON_ISSUE_REQUEST'],
    },
    async ({ request, params: { couponId }, query }) => {
      const isCsv = wantsCsv(request);
      if (query.userId !== null) {
        const found = await feed.find(couponId, query.userId);
        if (typeof found === 'string') return problem(refusals[found]);
        const issues = found === null ? [] : [found];
        const shown = await answersOf(couponId, issues);
        if (isCsv) return csvAnswer(couponId, CSV_HEAD + shown.map(toLine).join(''));
        return { body: { issues: shown, next: query.after, more: false } };
      }
      const position = { after: query.after, limit: query.limit ?? (isCsv ? CSV_PAGE : LIMIT_DEFAULT) };
      const page = await feed.read(couponId, position);
      if (typeof page === 'string') return problem(refusals[page]);
      if (isCsv) return csvAnswer(couponId, streamOf(csvOf({ feed, answersOf }, couponId, query, page)));
      const next = page.issues.at(-1)?.sequence ?? query.after;
      return { body: { issues: await answersOf(couponId, page.issues), next, more: page.more } };
    },
  );
}

const refusals = {
  'not exist': 'COUPON_NOT_EXIST',
  archived: 'COUPON_ARCHIVED',
} as const satisfies Record<NoFeed, string>;

/** Whether the caller asks for CSV, and does not say `q=0` of it. */
function wantsCsv(request: Request): boolean {
  const ranges = (request.headers.get('accept') ?? '').toLowerCase().split(',');
  return ranges.some((range) => /^\s*text\/csv\s*(;|$)/.test(range) && !/;\s*q\s*=\s*0(\.0*)?\s*(;|$)/.test(range));
}

function csvAnswer(couponId: number, body: string | ReadableStream<Uint8Array>): Response {
  const headers = {
    'content-type': 'text/csv; charset=utf-8; header=present',
    'content-disposition': `attachment; filename="coupon-${couponId}-issues.csv"`,
    // What nginx asks for: else it gathers the file on its disk.
    'x-accel-buffering': 'no',
    'cache-control': 'no-store',
  };
  return new Response(body, { headers });
}

/** Only a reference may have characters that CSV quotes: RFC 4180. */
function toLine({ reference, ...shown }: CouponIssue): string {
  const { sequence, userId: user, code, status, dateIssued, dateWritten, usableFrom, usableUntil, dateUsed } = shown;
  const quoted = reference !== null && /[",\r\n]/.test(reference) ? `"${reference.replaceAll('"', '""')}"` : reference;
  const times = [dateIssued, dateWritten, usableFrom, usableUntil, dateUsed];
  return `${[sequence, user, code, status, ...times, quoted, shown.dateRevoked, shown.endpoint].join()}\n`;
}

type CouponIssue = Static<typeof CouponIssueAnswer>;

interface CsvSource {
  readonly feed: Feed;
  readonly answersOf: (couponId: number, issues: readonly FeedIssue[]) => Promise<readonly CouponIssue[]>;
}

/** The texts of a file, a page at a time: to the last issue that was there when it began, or to the first that is not certain. */
async function* csvOf(
  { feed, answersOf }: CsvSource,
  couponId: number,
  query: { readonly after: number; readonly limit: number | null },
  first: FeedPage,
): AsyncGenerator<string, void> {
  const last = await feed.highest(couponId);
  yield CSV_HEAD;
  let { after: at } = query;
  for (let page = first; ; ) {
    if (page.issues.length > 0) yield (await answersOf(couponId, page.issues)).map(toLine).join('');
    at = page.issues.at(-1)?.sequence ?? at;
    if (query.limit !== null || at >= last || (page.issues.length === 0 && page.holdMs === 0)) return;
    if (page.holdMs > 0) await pause(page.holdMs);
    const next = await feed.read(couponId, { after: at, limit: CSV_PAGE, settledBelow: page.settledBelow });
    // What was sent is not the whole.
    if (typeof next === 'string') throw new Error(`the issues of coupon ${couponId} were removed while they were read`);
    page = next;
  }
}

/** Made as it is read, so that no more than a page is held. */
function streamOf(texts: AsyncGenerator<string, void>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await texts.next();
        if (next.done) controller.close();
        else controller.enqueue(encoder.encode(next.value));
      },
      async cancel() {
        await texts.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}
