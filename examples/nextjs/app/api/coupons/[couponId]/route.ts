// route.ts -- A route of Next.js (App Router) that issues a coupon for the signed-in user: `POST /api/coupons/1`. The key stays on the server.
//
// COUPON_URL is the address of the API, COUPON_KEY a key with the scope `issue` (`bun run keys create --scope issue`).

import { createCouponClient, type IssueResult } from 'coupon-issuing-client';

const client = createCouponClient({
  url: process.env['COUPON_URL'] ?? 'http://localhost:3000',
  token: process.env['COUPON_KEY'] ?? 'local-development-key-not-a-secret',
  // A person waits.
  timeMsMax: 10_000,
});

interface Context {
  readonly params: Promise<{ readonly couponId: string }>;
}

export async function POST(request: Request, { params }: Context): Promise<Response> {
  const userId = signedInUser(request);
  if (userId === null) return Response.json({ result: 'sign in first' }, { status: 401 });
  const { couponId } = await params;
  if (!/^[1-9]\d{0,14}$/.test(couponId)) return Response.json({ result: 'no such coupon' }, { status: 404 });
  const result = await client.issue({ couponId: Number(couponId), userId }, { signal: request.signal });
  return Response.json(answerOf(result));
}

/** What the page may know: neither problems of the API nor its keys. */
function answerOf(result: IssueResult) {
  switch (result.kind) {
    case 'issued':
    case 'already issued':
      return { result: result.kind, sequence: result.sequence };
    case 'sold out':
    case 'not exist':
    case 'not open':
      return { result: result.kind };
    case 'refused':
      console.error('the API refused', result.problem.code, result.problem.requestId);
      return { result: 'not now' };
    case 'ambiguous':
      return { result: 'unknown' };
  }
}

/** Who is signed in, by your own session. Here a header stands for it: never trust one like this. */
function signedInUser(request: Request): string | null {
  return request.headers.get('x-demo-user');
}
