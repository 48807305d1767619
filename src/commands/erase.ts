// erase.ts -- Entry of `bun run erase USER`: takes a user out of all that the stores hold, while the system runs.

import { commandActor } from '../auth/audit-trail.ts';
import { digestOf } from '../auth/authority.ts';
import { isUserId } from '../coupon/coupon.ts';
import { eraseUser } from '../operations/erasing.ts';
import { runCommand, UsageError, withStores } from './command.ts';

const USAGE = `usage: bun run erase USER   (a user id, as it was sent to issue)

Replaces the id by a pseudonym in rows, entries, dead letters and Redis. Sequences and counts do not change. While a coupon is open,
the user cannot get it again. docs/personal-data.md lists what it cannot reach, such as backups.`;

/** Entries of the user become rows within this time, unless no worker runs. */
const WAIT_MS_MAX = 60_000;

await runCommand(USAGE, async ([userId, ...rest]) => {
  if (userId === undefined || rest.length > 0 || !isUserId(userId)) throw new UsageError('USER must be one user id');
  await withStores(async (stores) => {
    const { ADMIN_API_KEY } = stores.settings;
    const keyDigests = ADMIN_API_KEY === undefined ? [] : [digestOf(ADMIN_API_KEY)];
    const { size } = await eraseUser({ ...stores, keyDigests, waitMsMax: WAIT_MS_MAX }, userId, commandActor('erase'));
    console.log(size === 0 ? 'This user has no issues.' : `The user is erased from ${size} coupon(s).`);
  });
});
