// crash-points.ts -- Where the worker and the API can be made to die between two steps.

/** Of deliveries to webhooks: an event has no place in the order of its coupon yet; the receiver has events that the cursor has not passed. */
export const deliveryCrashPoints = ['before ordering an event', 'before moving a cursor'] as const;

/** `after commit` is before the entries are settled, which is one script: nothing can die between acknowledging and deleting. */
export const workerCrashPoints = ['before insert', 'before commit', 'after commit'] as const;

/**
 * The first is of `/v1/issue` on a stock in Redis: reserved, and not yet in MySQL. The next two are of any of its
 * transactions; `after commit` is before the answer. The next two are of an opening: Redis is the home of the stock and has
 * nothing of it yet; the owners are loaded, and not yet swapped in with the state, which is one script. The last three are of a change:
 * an issue is used, and its event for webhooks is not yet added; both are, in one transaction; and that is committed.
 */
export const apiCrashPoints = [
  'after reserving',
  'before commit',
  'after commit',
  'after claiming the stock',
  'before swapping the stock in',
  'between a change and its event',
  'before the commit of a change',
  'after the commit of a change',
] as const;

export type ApiCrashPoint = (typeof apiCrashPoints)[number];

/** The point that the environment names as CRASH_AT. Throws when it names none of them. */
export function chosenPoint<Point extends string>(points: readonly Point[]): Point {
  const point = points.find((each) => each === process.env['CRASH_AT']);
  if (point === undefined) throw new Error(`CRASH_AT must be one of: ${points.join(', ')}`);
  return point;
}
