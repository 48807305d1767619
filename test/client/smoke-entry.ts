// smoke-entry.ts -- A program that uses the client, to be bundled and run on each runtime. It prints what came of it, as JSON.

import { createCouponClient } from '../../client/coupon-client.ts';

/** Defined by the bundler. */
declare const SERVER_URL: string;

const client = createCouponClient({ url: SERVER_URL, token: 'a-key-for-operators-only', backoffMs: 1 });
const issue = { couponId: 1, userId: 'smoke' };
const issued = await client.issue(issue);
const again = await client.issue(issue);
const status = await client.status(issue);
const progress: number[] = [];
for await (const event of client.events(1)) {
  if (event.kind === 'progress' && progress.push(event.progress.issued) < 3) continue;
  break;
}
const drop = await client.drops.read(1);
const load = await client.load();
const letters = await client.deadLetters.list();
const replayed = await client.deadLetters.replay('0-1-0');
const operations = [
  drop.kind === 'done' ? drop.value.title : drop,
  load.kind === 'done' ? load.value.deadLetters : load,
  letters.kind === 'done' ? letters.value.more : letters,
  replayed.kind,
];
const known = status.kind === 'done' ? status.value.status : status;
console.log(JSON.stringify({ issued, again, status: known, progress, operations }));
