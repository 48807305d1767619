// drivable.ts -- The few steps of the model that cannot be driven through the product exactly so, each with its reason.

import type { Step } from './steps.ts';

/** Whether the product can do this step in this state. */
export function isDrivable({ name, who, before }: Step): boolean {
  if (name === 'worker halves what MySQL refuses, and finds the bad entry:') return isAlone(before, who);
  if (name === 'opener reads:') return !isShownByReplay(before, who);
  return true;
}

/** Whether one entry is in hand. Halving more of them also writes the good ones, which the model leaves to a later round. */
function isAlone({ users }: Step['before'], w: number): boolean {
  const inHand = users.filter(({ hand }) => (hand[w] ?? 0) > 0);
  return new Set(inHand.map(({ first, epoch }) => `${first} ${epoch}`)).size === 1;
}

/** An entry that was replayed shows the product that its lease is gone; in the model the opener learns it from the rows. */
function isShownByReplay({ openers, redis, users }: Step['before'], p: number): boolean {
  const isReadingDead = openers[p]?.at === 4 && redis.opening !== p + 1;
  return isReadingDead && users.every(({ dead }) => dead === 0) && users.some(({ stream }) => stream > 0);
}
