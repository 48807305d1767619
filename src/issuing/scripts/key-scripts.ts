// key-scripts.ts -- The callers of note-key.lua and mark-key.lua: what is remembered of the idempotency keys of a caller.

import { defineScript } from '../../redis/script.ts';

/** Names a key of a caller. */
export interface CallersKey {
  /** The hash of the caller. */
  readonly caller: string;
  readonly field: string;
}

interface NoteKeyInput extends CallersKey {
  readonly request: string;
  readonly keepS: number;
  /** Keys that the caller may have; 0 only looks. */
  readonly keysMax: number;
}

/** The request that a key stands for; or that it is new, not there, or one too many. */
export const noteKey = defineScript({
  source: new URL('./note-key.lua', import.meta.url),
  keys: ({ caller }: NoteKeyInput) => [caller],
  args: ({ field, request, keepS, keysMax }) => [field, request, keepS, keysMax],
  read: (reply) => {
    const verdict = reply.verdict('known', 'new', 'unknown', 'full');
    return verdict === 'known' ? { verdict, request: reply.text(1) } : { verdict };
  },
});

interface MarkKeyInput extends CallersKey {
  /** What it must be noted as; '' for anything. */
  readonly from: string;
  readonly to: string;
  readonly keepS: number;
}

export const markKey = defineScript({
  source: new URL('./mark-key.lua', import.meta.url),
  keys: ({ caller }: MarkKeyInput) => [caller],
  args: ({ field, from, to, keepS }) => [field, from, to, keepS],
  read: (reply) => reply.verdict('noted', 'kept'),
});
