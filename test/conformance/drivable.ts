// drivable.ts -- The few steps of the model that cannot be driven through the product exactly so, each with its reason.

import type { Step } from './steps.ts';

/** Whether the product can do this step in this state. */
export function isDrivable({ name, who, before }: Step): boolean {
  if (name === 'worker halves what MySQL refuses, and finds the bad entry:') return isFirst(before, who);
  return true;
}

/** Whether the bad entry is the first in hand. Halving writes what stands before it, which the model leaves to a later round. */
function isFirst({ users }: Step['before'], w: number): boolean {
  const inHand = users.filter(({ hand }) => (hand[w] ?? 0) > 0);
  const bad = inHand.filter((user) => user.hand[w] === user.bad).map(({ first }) => first);
  return inHand.every(({ first }) => bad.includes(first));
}
