// script.ts -- A Lua script and its one typed caller. What comes back is checked before it is believed.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Redis } from 'ioredis';
import { InvariantViolation } from '../invariant.ts';

/** What the caller of a `.lua` file says about it. */
export interface ScriptDefinition<Input, Result> {
  /** Where the source is: `new URL('./name.lua', import.meta.url)`. */
  readonly source: URL;
  readonly keys: (input: Input) => readonly string[];
  readonly args: (input: Input) => readonly (string | number)[];
  /** Checks shape and length of the reply while reading it. */
  readonly read: (reply: ScriptReply, input: Input) => Result;
}

/** A script that can be called. */
export interface Script<Input, Result> {
  /** Runs the script: one round trip, atomically. Throws what ioredis throws when the reply is an error or does not come. */
  (redis: Redis, input: Input): Promise<Result>;
  /** The SHA-1 by which Redis knows it. */
  readonly digest: string;
}

/** Called with the time that a script took from sending it to its reply or failure. */
export type OnScript = (script: string, seconds: number) => void;

/** The names of all scripts that are defined: every one that this process imports. */
export const scriptNames = new Set<string>();

/** The observer of each connection. */
const observers = new WeakMap<Redis, OnScript>();

/** Calls `onScript` for every script that is run on this connection from now on, with the name of its file without `.lua`. */
export function timeScripts(redis: Redis, onScript: OnScript): void {
  observers.set(redis, onScript);
}

/**
 * Makes a script callable.
 *
 * Sent by its digest; a Redis that does not know it (first use, restart, `SCRIPT FLUSH`) gets the source. That second
 * sending is safe: `NOSCRIPT` says that the first one did nothing.
 */
export function defineScript<Input, Result>(definition: ScriptDefinition<Input, Result>): Script<Input, Result> {
  const source = sourceOf(definition.source);
  const digest = createHash('sha1').update(source).digest('hex');
  const name = basename(definition.source.pathname, '.lua');
  scriptNames.add(name);
  const run = async (redis: Redis, input: Input) => {
    const keys = definition.keys(input);
    const rest = [...keys, ...definition.args(input)];
    const startMs = performance.now();
    const reply = redis.evalsha(digest, keys.length, ...rest).catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
      return redis.eval(source, keys.length, ...rest);
    });
    const raw = await reply.finally(() => observers.get(redis)?.(name, (performance.now() - startMs) / 1000));
    return definition.read(new ScriptReply(raw, name), input);
  };
  return Object.assign(run, { digest });
}

/** The text of a script, with each line `--- include <path>` replaced by that file. */
function sourceOf(file: URL): string {
  return readFileSync(file, 'utf8').replaceAll(/^--- include (\S+)$/gm, (_, path: string) =>
    sourceOf(new URL(path, file)),
  );
}

/** The reply of a script, a list. An unknown shape is an InvariantViolation: API and script are of different versions. */
export class ScriptReply {
  readonly #parts: readonly unknown[];
  readonly #script: string;

  constructor(raw: unknown, script: string) {
    this.#script = script;
    this.#parts = Array.isArray(raw) ? raw : this.malformed();
  }

  get length(): number {
    return this.#parts.length;
  }

  /** The first part, which must be one of these. */
  verdict<Verdict extends string>(...known: readonly Verdict[]): Verdict {
    return known.find((verdict) => verdict === this.#parts[0]) ?? this.malformed();
  }

  text(at: number): string {
    const part = this.#parts[at];
    return typeof part === 'string' ? part : this.malformed();
  }

  /** A part as a safe integer; Redis gives integers as numbers and hash fields as text. */
  whole(at: number): number {
    const part = this.#parts[at];
    // Spelled out, since `Number` takes blanks for zero.
    const value = typeof part === 'string' && /^-?\d{1,16}$/.test(part) ? Number(part) : part;
    return typeof value === 'number' && Number.isSafeInteger(value) ? value : this.malformed();
  }

  malformed(): never {
    throw new InvariantViolation(`${this.#script} answered in an unknown shape`);
  }
}
