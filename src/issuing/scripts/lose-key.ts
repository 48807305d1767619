// lose-key.ts -- The caller of lose-key.lua: the key then answers `already issued`, as it did the first time.

import { defineScript } from '../../redis/script.ts';

interface LoseKeyInput {
  readonly key: string;
  /** The request as it was noted, and as it is to be noted. */
  readonly pending: string;
  readonly lost: string;
}

export const loseKey = defineScript({
  source: new URL('./lose-key.lua', import.meta.url),
  keys: ({ key }: LoseKeyInput) => [key],
  args: ({ pending, lost }) => [pending, lost],
  read: (reply) => reply.verdict('noted', 'kept'),
});
