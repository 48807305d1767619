// crashing-worker.ts -- The worker of production, which kills itself at the point that CRASH_AT names. For chaos runs alone.
//
// There is no point between acknowledging an entry and deleting it: one script does both.

import { crashOnCommit, crashOnStatement } from './crash-on.ts';
import { chosenPoint, workerCrashPoints } from './crash-points.ts';

const INSERT = /^INSERT INTO coupon_issues/;

const point = chosenPoint(workerCrashPoints);
if (point === 'before insert') crashOnStatement('before', INSERT);
else crashOnCommit(point === 'before commit' ? 'before' : 'after', INSERT);
await import('../../workers/worker.ts');
