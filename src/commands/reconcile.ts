// reconcile.ts -- Entry of `bun run reconcile`: compares coupons in Redis with MySQL now, and writes again what MySQL lost; or lists and
// discards what Redis has of coupons that MySQL does not have.
//
// Workers do the first by themselves, in every round; this is for an operator who has just restored a store and wants to see it done.

import { commandActor, recordIn } from '../auth/audit-trail.ts';
import { Unavailable } from '../coupon/outcome.ts';
import { forgetRequestsOf } from '../issuing/idempotency.ts';
import { type Audit, readAudit } from '../operations/audit.ts';
import { createDeadLetters } from '../operations/dead-letters.ts';
import { countOrphan, isOrphan, orphanPages, removeOrphan } from '../operations/orphans.ts';
import { OperatorError } from '../operator-error.ts';
import { createStockKeeper } from '../stock/opening.ts';
import { moveHomeBack, restoreLost } from '../stock/restoring.ts';
import { type CommandStores, readCouponOption, runCommand, withStores } from './command.ts';

const usage = `usage: bun run reconcile --coupon N | --all     writes issues again that MySQL lost, of one coupon or of all, and counts them
       bun run reconcile --orphans              lists what Redis has of coupons that MySQL does not have
       bun run reconcile --coupon N --discard   deletes what Redis has of such a coupon, including its users' issues`;

/** In the audit trail. */
const BY = commandActor('reconcile');
/** Why a sequence below the next one has no owner. */
const UNOWNED = 'lost with a store, or discarded';

await runCommand(usage, (args) => withStores(readWork(args)));

function readWork(args: string[]): (stores: CommandStores) => Promise<void> {
  if (args.length === 1 && args[0] === '--orphans') return listOrphans;
  const discards = args.includes('--discard');
  const couponId = readCouponOption(
    args.filter((arg) => arg !== '--discard'),
    !discards,
  );
  if (couponId === 'all') return reconcileAll;
  return (stores) => (discards ? discardOrphan : reconcileOne)(stores, couponId);
}

/** What was done about one coupon. */
interface Reconciled {
  readonly isHomeMoved: boolean;
  /** Issues that are entries again. */
  readonly restored: number;
  /** Sequences below the next one that no user has. */
  readonly unowned: number;
  /** Null: MySQL has no such coupon. */
  readonly audit: Audit | null;
}

async function reconcileOne(stores: CommandStores, couponId: number): Promise<void> {
  const { isHomeMoved, restored, unowned, audit } = await reconcile(stores, couponId);
  if (isHomeMoved) console.log('Redis is the home of its stock again.');
  console.log(`${restored} issue(s) that MySQL lost are on their way to it.`);
  if (!audit)
    throw new OperatorError(
      `MySQL has no coupon ${couponId}; restore its row first, or discard what Redis has of it with --discard`,
    );
  console.log(`${unowned} sequence(s) are unowned: ${UNOWNED}.`);
  console.log(JSON.stringify(audit, null, 2));
}

/** Every coupon that has a state in Redis, with a line for each. */
async function reconcileAll(stores: CommandStores): Promise<void> {
  const ids = new Set<number>();
  for await (const page of stores.redisStock.couponIds()) for (const id of page) ids.add(id);
  const sums = { restored: 0, unowned: 0, faults: 0 };
  for (const id of [...ids].sort((a, b) => a - b)) {
    const found = await reconcile(stores, id).catch((error: unknown) => {
      if (!(error instanceof Unavailable)) throw error;
      sums.faults += 1;
      console.log(`coupon ${id}: ${error.message}`);
      return null;
    });
    if (!found) continue;
    const { restored, unowned, audit } = found;
    sums.restored += restored;
    sums.unowned += unowned;
    if (!audit) {
      sums.faults += 1;
      console.log(`coupon ${id}: MySQL does not have it; restore its row, then replay its dead letters`);
      continue;
    }
    const { rows, unpersisted, dead, missing, unknown, unexpected, lost } = audit;
    if (missing + unknown + unexpected > 0) sums.faults += 1;
    const counts = Object.entries({ rows, unpersisted, dead, missing, unknown, unexpected, lost });
    const named = counts.map(([name, count]) => `${name} ${count}`).join(', ');
    console.log(`coupon ${id}: ${restored} put back, ${unowned} unowned; ${named}`);
  }
  console.log(`${ids.size} coupon(s). ${sums.restored} issue(s) that MySQL lost are on their way to it.`);
  console.log(`${sums.unowned} sequence(s) are unowned: ${UNOWNED}.`);
  if (sums.faults > 0) throw new OperatorError(`${sums.faults} coupon(s) need attention: see the lines above`);
}

async function reconcile(stores: CommandStores, couponId: number): Promise<Reconciled> {
  const { redisStock } = stores;
  const isHomeMoved = await moveHomeBack(stores, couponId);
  const stock = createStockKeeper({ ...stores, onOpened: () => undefined, onBlocked: () => undefined });
  // A state that must be proven first, as after a restart of Redis, cannot be read.
  if ((await redisStock.epochOf(couponId)) > 0) await stock.open(couponId, true);
  let restored = 0;
  // A call has a bound; what it put back is known to the next one.
  for (let more = 1; more > 0; restored += more) more = await restoreLost(stores, couponId);
  const seen = await redisStock.look(couponId);
  const unowned = seen.kind === 'open' ? seen.stock.next - 1 - seen.issued : 0;
  return { isHomeMoved, restored, unowned, audit: await readAudit(stores, couponId) };
}

async function listOrphans(stores: CommandStores): Promise<void> {
  const seen = new Set<number>();
  for await (const ids of orphanPages(stores)) {
    for (const id of ids) {
      if (seen.has(id)) continue;
      seen.add(id);
      const { owners, waiting, letters } = await countOrphan(stores.redisStock, id);
      console.log(
        [`coupon ${id}`, `${owners} owners`, `${waiting} waiting`, `${letters.length} dead letters`].join('\t'),
      );
    }
  }
  console.error(`${seen.size} coupon(s) in Redis that MySQL does not have.`);
}

async function discardOrphan(stores: CommandStores, couponId: number): Promise<void> {
  const { redisStock, database } = stores;
  const known = new OperatorError(`MySQL has coupon ${couponId}: it is not an orphan`);
  // Before it is recorded.
  if (!(await isOrphan(database, couponId))) throw known;
  const { owners, waiting, letters } = await countOrphan(redisStock, couponId);
  if (waiting > 0)
    throw new OperatorError(`${waiting} entries of coupon ${couponId} wait; a worker makes dead letters of them first`);
  const change = { action: 'coupon.discard', from: { owners, deadLetters: letters.length }, to: null } as const;
  await recordIn(database)(BY, { ...change, couponId });
  if (!(await removeOrphan(stores, couponId))) throw known;
  const deadLetters = createDeadLetters(redisStock);
  for (const id of letters) await deadLetters.discard(id);
  const requests = await forgetRequestsOf(redisStock.redis, new Set([couponId]));
  console.log(
    `Discarded ${owners} owners, ${letters.length} dead letters, ${requests} idempotency keys of coupon ${couponId}.`,
  );
}
