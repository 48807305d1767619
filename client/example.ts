// A user presses the button: issue the coupon, and show what is confirmed.
import { createCouponClient } from './coupon-client.ts';

const client = createCouponClient({ url: 'http://localhost:3000' });
const request = { couponId: 1, userId: 42 };

const result = await client.issue(request, { onRetry: () => console.log('trying again') });
switch (result.kind) {
  case 'issued':
  case 'already issued':
    console.log(`yours: number ${result.sequence}`);
    break;
  case 'sold out':
  case 'not open':
  case 'not exist':
    console.log(result.kind);
    break;
  case 'refused':
    console.log(result.problem.code, result.problem.detail);
    break;
  case 'ambiguous':
    console.log('not known yet: try again later');
}

// Waits until it is a row in MySQL, at most five seconds.
const status = await client.status(request, { waitMs: 5000 });
if (status.kind === 'done') console.log(status.value.status);
