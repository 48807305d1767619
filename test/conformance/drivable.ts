// drivable.ts -- The few steps of the model that cannot be driven through the product exactly so, each with its reason.

import type { Step } from './steps.ts';

/** Whether the product can do this step in this state. */
export function isDrivable({ name, who, before }: Step): boolean {
  if (name === 'worker halves what MySQL refuses, and finds the bad entry:') return isAlone(before, who);
  return true;
}

/** Whether one entry is in hand. Halving more of them also writes the good ones, which the model leaves to a later round. */
function isAlone({ users }: Step['before'], w: number): boolean {
  const inHand = users.filter(({ hand }) => (hand[w] ?? 0) > 0);
  return new Set(inHand.map(({ first, epoch }) => `${first} ${epoch}`)).size === 1;
}
