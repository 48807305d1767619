// script.ts -- A Lua script and its one typed caller. What comes back is checked before it is believed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Redis } from 'ioredis';
import { InvariantViolation } from '../invariant.ts';

/** What a wrapper beside a `.lua` file says about it. */
export interface ScriptDefinition<Input, Reply> {
  /** Where the source is: `new URL('./name.lua', import.meta.url)`. */
  readonly source: URL;
  readonly keys: (input: Input) => readonly string[];
  readonly args: (input: Input) => readonly (string | number)[];
  /** Checks shape and length of the raw reply. Throws `MalformedReply` through `malformed`. */
  readonly read: (raw: unknown, input: Input) => Reply;
}

/** Runs the script: one round trip, atomically. Throws what ioredis throws when the reply is an error or does not come. */
export type Script<Input, Reply> = (redis: Redis, input: Input) => Promise<Reply>;

/** Hears how long a script took from its sending to its reply or failure. */
export type OnScript = (script: string, seconds: number) => void;

/** Who listens to the scripts of a connection. */
const listeners = new WeakMap<Redis, OnScript>();

/** Tells `onScript` of every script that is run on this connection from now on, by the name of its file without `.lua`. */
export function timeScripts(redis: Redis, onScript: OnScript): void {
  listeners.set(redis, onScript);
}

/**
 * Makes a script callable.
 *
 * Sent by its digest; a Redis that does not know it (first use, restart, `SCRIPT FLUSH`) gets the source. That second
 * sending is safe: `NOSCRIPT` says that the first one did nothing.
 */
export function defineScript<Input, Reply>(definition: ScriptDefinition<Input, Reply>): Script<Input, Reply> {
  const source = readFileSync(definition.source, 'utf8');
  const digest = createHash('sha1').update(source).digest('hex');
  const name = basename(definition.source.pathname, '.lua');
  return async (redis, input) => {
    const keys = definition.keys(input);
    const rest = [...keys, ...definition.args(input)];
    const startMs = performance.now();
    const reply = redis.evalsha(digest, keys.length, ...rest).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return redis.eval(source, keys.length, ...rest);
    });
    const raw = await reply.finally(() => listeners.get(redis)?.(name, (performance.now() - startMs) / 1000));
    return definition.read(raw, input);
  };
}

/** A script answered in a shape that its wrapper does not know: API and script are of different versions. */
export function malformed(script: string): never {
  throw new InvariantViolation(`${script} answered in an unknown shape`);
}

/** The reply as a list. */
export function listOf(raw: unknown, script: string): readonly unknown[] {
  return Array.isArray(raw) ? raw : malformed(script);
}

/** A reply, or a part of one, as a safe integer; Redis gives integers as numbers and hash fields as text. */
export function wholeOf(raw: unknown, script: string): number {
  // Spelled out, since `Number` takes blanks for zero.
  const value = typeof raw === 'string' && /^-?\d{1,16}$/.test(raw) ? Number(raw) : raw;
  return typeof value === 'number' && Number.isSafeInteger(value) ? value : malformed(script);
}

/** A part of a reply as text. */
export function textOf(raw: unknown, script: string): string {
  return typeof raw === 'string' ? raw : malformed(script);
}
