// A user presses the button: ask for the coupon, and tell what is known.
import { createCouponClient } from './coupon-client.ts';

const client = createCouponClient({ url: 'http://localhost:3000' });
const wanted = { couponId: 1, userId: 42 };

const ending = await client.issue(wanted, { onAgain: () => console.log('still asking') });
switch (ending.kind) {
  case 'issued':
  case 'already issued':
    console.log(`yours: number ${ending.sequence}`);
    break;
  case 'sold out':
  case 'not open':
  case 'not exist':
    console.log(ending.kind);
    break;
  case 'refused':
    console.log(ending.problem.code, ending.problem.detail);
    break;
  case 'unknown':
    console.log('nobody knows: ask again later');
}

// Until it is a row, at most five seconds.
const status = await client.status(wanted, { waitMs: 5000 });
if (status.kind === 'done') console.log(status.value.status);
