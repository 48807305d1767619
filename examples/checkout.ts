// checkout.ts -- A shop's checkout: an order uses a coupon by its code or its customer, and gives it back when it is cancelled.
//
//   bun examples/checkout.ts use order-7 SUMMER-K7WQ-3N9X     by its code; says which coupon of whom it was
//   bun examples/checkout.ts use order-7 1 42                 coupon 1 of user 42
//   bun examples/checkout.ts cancel order-7 1 42              gives it back
//
// COUPON_URL is the address of the API, COUPON_KEY a key with the scope `issue` (`bun run keys create --scope issue`).
// All may be repeated after any interruption, since the id of the order is the reference of the use.

import { type CouponClient, createCouponClient } from '../client/coupon-client.ts';

/** Which issue an order has used. Keep both with the order: giving it back needs them. */
interface Used {
  readonly couponId: number;
  readonly userId: string;
}

/** `unknown`: neither the one nor the other was confirmed; repeat it before the order goes on. */
type Checkout = Used | 'unknown' | { readonly refused: string };

/** Uses a coupon for the order. Call it last before the order is paid, and again if the process died meanwhile. */
async function useCoupon(
  client: CouponClient,
  orderId: string,
  by: Used | { readonly code: string },
): Promise<Checkout> {
  const reference = { reference: orderId };
  const result = await ('code' in by ? client.codes.use(by.code, reference) : client.use(by, reference));
  if (result.kind === 'done') return result.value;
  if (result.kind === 'ambiguous') return 'unknown';
  const { code, detail } = result.problem;
  return { refused: words[code] ?? detail };
}

/** What the customer reads. */
const words: Partial<Record<string, string>> = {
  CODE_NOT_EXIST: 'There is no such code.',
  ISSUE_NOT_EXIST: 'You do not have this coupon.',
  ISSUE_ALREADY_USED: 'This coupon was used for another order.',
  ISSUE_NOT_USABLE: 'This coupon cannot be used today.',
  ISSUE_REVOKED: 'This coupon is not valid any more.',
  TOO_MANY_REQUESTS: 'Please try again in a minute.',
};

/** Gives the coupon back. An order that has not used it, or has given it back before, changes nothing. */
async function giveBack(client: CouponClient, orderId: string, used: Used): Promise<string> {
  const undone = await client.undoUse(used, { reference: orderId });
  if (undone.kind === 'done') return 'given back';
  if (undone.kind === 'ambiguous') return 'unknown';
  // Another order uses it by now, or none does: in both cases this order has nothing to give back.
  const isDone = undone.problem.code === 'ISSUE_NOT_USED' || undone.problem.code === 'ISSUE_ALREADY_USED';
  return isDone ? 'given back' : undone.problem.detail;
}

function textOf(checkout: Checkout): string {
  if (checkout === 'unknown') return checkout;
  return 'refused' in checkout ? checkout.refused : `used coupon ${checkout.couponId} of ${checkout.userId}`;
}

const [what = '', orderId = '', codeOrCoupon = '', userId] = process.argv.slice(2);
const { COUPON_URL: url = 'http://localhost:3000', COUPON_KEY: token = 'local-development-key-not-a-secret' } =
  process.env;
const client = createCouponClient({ url, token });
const issue = { couponId: Number(codeOrCoupon), userId: userId ?? '' };
const by = userId === undefined ? { code: codeOrCoupon } : issue;
console.log(what === 'cancel' ? await giveBack(client, orderId, issue) : textOf(await useCoupon(client, orderId, by)));
