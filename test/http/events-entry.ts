// events-entry.ts -- The app with real listeners and coupons that never stand still, on Bun or Deno, steered by lines.
//
// Its arguments are how many listeners it takes, and how many milliseconds a stream lives, if not as usual. Each sample of coupon 2
// has a megabyte. It prints its port, and on `look` the number of the last sample; on `stop` it stops as the server does, and waits
// half a second for callers that do not read.

import process from 'node:process';
import { Places } from '../../src/issues/places.ts';
import { ProgressHub, type Sample } from '../../src/issues/progress.ts';
import { serve } from '../../src/runtime/serve.ts';
import { fakeApp } from './fakes.ts';

const [listenersMax, lifeMs] = process.argv.slice(2);
let samples = 0;
const padding = 'x'.repeat(2 ** 20);

const sample: Sample = async (couponId) => {
  const issued = (samples += 1);
  const one = { couponId, version: 1, totalQuantity: null, issued, left: null, unpersisted: 0, paused: false };
  return couponId === 2 ? { ...one, padding } : one;
};

const fault = (error: unknown) => {
  throw error;
};
const progress = new ProgressHub({ sample, settings: { PROGRESS_MS: 1 }, onFault: fault });
const places = new Places({
  LISTENERS_MAX: Number(listenersMax),
  LISTENERS_PER_USER_MAX: 10,
  LISTENERS_PER_ADDRESS_MAX: 10,
  LISTENERS_OPERATORS_MAX: 1,
});
const app = fakeApp({ progress, places, ...(lifeMs !== undefined && { streamLifeMs: () => Number(lifeMs) }) }).app;
const server = await serve(app.fetch, { host: '127.0.0.1', port: 0, onError: fault });
console.log(server.port);

const stop = async () => {
  await progress.close();
  await server.stop(500);
  process.exit(0);
};

for await (const line of process.stdin.setEncoding('utf8')) {
  if (line === 'look\n') console.log(samples);
  if (line === 'stop\n') void stop();
}
// The input ended without `stop`: whoever started this is gone.
process.exit(1);
