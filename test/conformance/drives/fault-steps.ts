// fault-steps.ts -- What happens to the stores of a story: time, restarts, losses, backups that are restored, promotions.

import { sql } from 'drizzle-orm';
import { withConnection } from '../../../src/mysql/database.ts';
import { endOpeners, loadingKeys } from './opening-steps.ts';
import { msAt, type RealWorld } from '../real-world.ts';
import type { Drive } from '../steps.ts';

/** The server ends the connections of the editor, and so its transaction, unless it has done so before. */
export async function endEditorsTransaction(world: RealWorld): Promise<void> {
  for (const id of world.editor?.view.threadIds ?? []) {
    await withConnection(world.real.database, (session) => session.execute(sql.raw(`KILL ${id}`))).catch(
      () => undefined,
    );
  }
}

const deleteKeys = async (world: RealWorld, keys: readonly string[]): Promise<void> => {
  if (keys.length > 0) await world.redis.del(...keys);
};

export const faultSteps: Readonly<Record<string, Drive>> = {
  'the API connects to Redis again': (world, { after }) => world.know(after.known),
  'time passes': (world, { after }) => world.real.clock.set(msAt(after.time)),
  'both stores are backed up': (world) => world.backUp(),
  'Redis restarts': async (world) => {
    await world.anotherServer();
    await world.know(0);
  },
  'Redis loses all': async (world) => {
    await world.emptyRedis();
    await world.anotherServer();
    await world.know(0);
  },
  'Redis loses the owners': (world) => deleteKeys(world, [world.keys.owners]),
  'Redis loses what an opener gathered': async (world) => deleteKeys(world, await loadingKeys(world)),
  'MySQL restarts': endEditorsTransaction,
  'Redis goes back to the backup': async (world) => {
    await world.restoreRedis();
    await world.anotherServer();
    await world.know(0);
  },
  'an older copy of Redis is promoted behind the connection': async (world) => {
    await world.restoreRedis(true);
    await world.anotherServer();
  },
  'MySQL goes back to the backup': async (world) => {
    await endEditorsTransaction(world);
    endOpeners(world);
    await deleteKeys(world, [world.keys.opening, ...(await loadingKeys(world))]);
    await world.restoreMysql();
  },
};
