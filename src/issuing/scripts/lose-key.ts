// lose-key.ts -- The caller of lose-key.lua: from now on this key answers `already issued`, as it did the first time.

import { defineScript, listOf, malformed } from '../../redis/script.ts';

export interface LoseKeyInput {
  readonly key: string;
  /** The request as it was noted, and as it is to be noted. */
  readonly pending: string;
  readonly lost: string;
}

export const loseKey = defineScript<LoseKeyInput, 'noted' | 'kept'>({
  source: new URL('./lose-key.lua', import.meta.url),
  keys: ({ key }) => [key],
  args: ({ pending, lost }) => [pending, lost],
  read: (raw) => {
    const verdict = listOf(raw, 'lose-key')[0];
    return verdict === 'noted' || verdict === 'kept' ? verdict : malformed('lose-key');
  },
});
