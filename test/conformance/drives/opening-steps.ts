// opening-steps.ts -- The openers of a story: `src/stock/opening.ts` from the lease to the swap, one step of the model at a time.

import { eq } from 'drizzle-orm';
import { coupons } from '../../../drizzle/schema.ts';
import { withConnection } from '../../../src/mysql/database.ts';
import { createStockKeeper } from '../../../src/stock/opening.ts';
import { loadingKey } from '../../../src/stream/keys.ts';
import type { RealWorld } from '../real-world.ts';
import type { Drive } from '../steps.ts';

/** With this an opener that was too late looks again, which in the model is another one. */
const ANEW = 'info';

/** What an opener is about to send, by where the model says that it stands. */
export const openerWaits: Readonly<Record<number, string>> = {
  1: 'begin',
  2: 'prove-state',
  3: 'xrange',
  4: 'xrange',
  5: 'begin',
  6: 'begin',
};

const go =
  (...until: readonly string[]): Drive =>
  async (world, { who, after }) => {
    const opener = world.openers[who];
    await opener?.process.advance({ until: [...until, ANEW] });
    if (after.openers[who]?.at === 0) endOpener(world, who, true);
  };

/** Ends an opener. `hasFinished`: the model says that it is through, so that it may only be about to begin again. */
function endOpener(world: RealWorld, p: number, hasFinished: boolean): void {
  const opener = world.openers[p];
  const command = opener?.process.kill();
  if (hasFinished && command && command.name !== ANEW) throw new Error(`the opener goes on with ${command.name}`);
  world.openers[p] = null;
}

export function endOpeners(world: RealWorld): void {
  for (const p of world.openers.keys()) endOpener(world, p, false);
}

/** The hashes in which openers gather. */
export async function loadingKeys(world: RealWorld, p?: number): Promise<readonly string[]> {
  const tokens = [...world.tokens].filter(([, number]) => p === undefined || number === p);
  return tokens.map(([token]) => loadingKey(world.keys, token));
}

export const openingSteps: Readonly<Record<string, Drive>> = {
  'opener begins': async (world, { who, after }) => {
    await world.know(after.server);
    const opener = await world.start(({ redisStock, database, settings }) => {
      const beginOpening: typeof redisStock.beginOpening = async (couponId, leaseMs) => {
        const reply = await redisStock.beginOpening(couponId, leaseMs);
        for (const [token, number] of world.tokens) if (number === who + 1) world.tokens.delete(token);
        world.tokens.set(reply.lease.token, who + 1);
        return reply;
      };
      const ignore = (): void => {};
      const dependencies = { database, settings, onOpened: ignore, onBlocked: ignore };
      return createStockKeeper({ ...dependencies, redisStock: { ...redisStock, beginOpening } }).open(world.couponId);
    });
    world.openers[who] = opener;
    await opener.process.advance({ until: ['begin'] });
  },
  'opener claims': go('xrange', 'prove-state'),
  'opener claims, and MySQL fails over without it': async (world, step) => {
    await go('xrange', 'prove-state')(world, step);
    const { home, epoch } = step.before.sql;
    await withConnection(world.real.database, (session) =>
      session
        .update(coupons)
        .set({ stockHome: home === 0 ? 'mysql' : 'redis', epoch })
        .where(eq(coupons.id, world.couponId)),
    );
  },
  'opener proves': go(),
  'opener reads': async (world, step) => {
    const at = step.before.openers[step.who]?.at ?? 0;
    await go(openerWaits[at + 1] ?? '')(world, step);
  },
  'opener swaps': go(),
  'opener dies': async (world, { who }) => endOpener(world, who, false),
  'the lease of an opening runs out': async (world, { before }) => {
    await world.redis.del(world.keys.opening, ...(await loadingKeys(world, before.redis.opening)));
  },
};
