// rights.ts -- Which commands, keys and channels an ACL refuses to us, each named as an operator allows it.

import type { Redis } from 'ioredis';

/** A command as it is sent, and the key or channel that it works on: either may be refused. */
export interface Trial {
  readonly redis: Redis;
  readonly on: string;
  readonly command: readonly [name: string, ...args: (string | number)[]];
}

/**
 * Sends commands only to see whether they are allowed; any other error than a refusal is fine.
 *
 * @returns what is refused, as ACL rules that would allow it: `+xadd`, `~issues:*`, `&coupons:changed`
 */
export async function refusedRights(trials: readonly Trial[]): Promise<string[]> {
  const found = await Promise.all(
    trials.map(({ redis, on, command: [name, ...args] }) =>
      redis.call(name.toLowerCase(), ...args).then(
        () => null,
        (error: unknown) => missingRight(error, on),
      ),
    ),
  );
  return [...new Set(found.filter((right) => right !== null))];
}

/**
 * The ACL rule that would have allowed a command; null when it failed for another reason.
 *
 * @param on the key or channel that it works on
 */
export function missingRight(error: unknown, on: string): string | null {
  if (!(error instanceof Error)) return null;
  // Managed servers rename or remove commands instead of refusing them.
  const command = /^(?:NOPERM .* to run the|ERR unknown command) ['"`]?([\w|]+)/i.exec(error.message)?.[1];
  if (command !== undefined) return `+${command.toLowerCase()}`;
  if (!error.message.startsWith('NOPERM')) return null;
  return /\bchannels?\b/.test(error.message) ? `&${on}` : `~${on.replace(/:.*/, ':*')}`;
}

/** The line about rights that are missing. */
export function rightsFault(missing: readonly string[]): string {
  return `REDIS_URL: Redis does not allow its user all that is needed; add to the rules of its ACL: ${missing.join(' ')}`;
}

/** Whether Redis refuses every write for now, whoever asks: no fault of the user's rights. */
export function isWriteRefusal(error: unknown): boolean {
  return error instanceof Error && /^(OOM|MISCONF|NOREPLICAS|READONLY|LOADING|BUSY)\b/.test(error.message);
}
