// crashing-api.ts -- The API of production, which kills itself at the point that CRASH_AT names. For chaos runs alone.

import { finishOpening } from '../../src/stock/opening-scripts.ts';
import { crashOnCommit, crashOnScript, crashOnStatement } from './crash-on.ts';
import { type ApiCrashPoint, apiCrashPoints, chosenPoint } from './crash-points.ts';

const INSERT = /^INSERT INTO coupon_issues/;
const INSERT_EVENT = /^insert into `outbox`/;
/** The first statement of the ledger, which in the API writes what was reserved in Redis and nothing else. */
const LOCK_OF_THE_LEDGER = /^select .* from `coupons` where `coupons`.`id` in .* for update$/;

const plans: Readonly<Record<ApiCrashPoint, () => void>> = {
  'after reserving': () => crashOnStatement('before', LOCK_OF_THE_LEDGER),
  'before commit': () => crashOnCommit('before', INSERT),
  'after commit': () => crashOnCommit('after', INSERT),
  'after claiming the stock': () => crashOnCommit('after', /^update `coupons` set .*`stock_home`/),
  'before swapping the stock in': () => crashOnScript(finishOpening),
  'between a change and its event': () => crashOnStatement('before', INSERT_EVENT),
  'before the commit of a change': () => crashOnCommit('before', INSERT_EVENT),
  'after the commit of a change': () => crashOnCommit('after', INSERT_EVENT),
};
plans[chosenPoint(apiCrashPoints)]();
await import('../../src/server.ts');
