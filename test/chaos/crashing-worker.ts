// crashing-worker.ts -- The worker of production, which kills itself at the point that CRASH_AT names. For chaos runs alone.
//
// There is no point between acknowledging an entry and deleting it: one script does both.

import { crashOnCommit, crashOnStatement } from './crash-on.ts';
import { chosenPoint, deliveryCrashPoints, workerCrashPoints } from './crash-points.ts';

const INSERT = /^INSERT INTO coupon_issues/;

const plans: Readonly<Record<(typeof workerCrashPoints | typeof deliveryCrashPoints)[number], () => void>> = {
  'before insert': () => crashOnStatement('before', INSERT),
  'before commit': () => crashOnCommit('before', INSERT),
  'after commit': () => crashOnCommit('after', INSERT),
  'before ordering an event': () => crashOnStatement('before', /^update `outbox` set `position`/),
  'before moving a cursor': () => crashOnStatement('before', /^update `webhook_cursors` set `sequence`/),
};
plans[chosenPoint([...workerCrashPoints, ...deliveryCrashPoints])]();
await import('../../workers/worker.ts');
