// progress.test.ts -- Progress of a coupon: a stream that is renewed finds its sampler, and one that has no listeners ends.

import { expect, test } from 'bun:test';
import { ProgressHub } from '../../src/issues/progress.ts';
import { eventually } from '../eventually.ts';

const listener = { next: () => {}, end: () => {} };

test('the last listener that leaves and comes back finds the sampler as it was, and no sampler stays without listeners', async () => {
  let samples = 0;
  const hub = new ProgressHub({
    sample: async (couponId) => {
      samples += 1;
      return { couponId, version: 1, totalQuantity: null, issued: 0, left: null, unpersisted: 0, paused: false };
    },
    settings: { PROGRESS_MS: 5 },
    onFault: (fault) => {
      throw fault;
    },
  });
  const leave = await hub.listen(1, listener);
  leave?.();
  const leaveAgain = await hub.listen(1, listener);
  expect(samples).toBe(1);
  leaveAgain?.();
  await eventually('a listener to need a sampler of its own', async () => {
    const before = samples;
    (await hub.listen(1, listener))?.();
    return samples > before;
  });
  await hub.close();
});
