// api-keys.ts -- The API keys of this installation, in memory: no request waits for MySQL.
//
// All keys are reloaded every few seconds, since they are few. So a wrong key costs no query, and an outage of MySQL locks no
// caller out; a key cannot be revoked during one anyway.

import { timingSafeEqual } from 'node:crypto';

/** `issue`: for any user. `read`: coupons, and the issues of any user. `admin`: everything. */
export const scopes = ['issue', 'read', 'admin'] as const;
export type Scope = (typeof scopes)[number];

/** A key as it is stored: never itself, only its SHA-256 digest in hexadecimal. */
export interface StoredKey {
  readonly name?: string;
  readonly digest: string;
  readonly scopes: readonly Scope[];
}

export interface KeyRingDependencies {
  /** Keys that are valid whatever the store says. */
  readonly fixed: readonly StoredKey[];
  /** Every valid key of the store. */
  readonly load: () => Promise<readonly StoredKey[]>;
  /** How old the list may become, in milliseconds. */
  readonly ageMsMax: number;
  /** Called when the list could not be read; the previous one stays in effect. */
  readonly onFault: (error: unknown) => void;
}

/** Digits of a digest by which a key is found. What follows is compared in constant time. */
const PREFIX = 16;

export class KeyRing {
  readonly #dependencies: KeyRingDependencies;
  #byPrefix: ReadonlyMap<string, StoredKey>;
  #timer: ReturnType<typeof setInterval> | undefined;
  #refreshing = false;

  constructor(dependencies: KeyRingDependencies) {
    this.#dependencies = dependencies;
    this.#byPrefix = indexOf(dependencies.fixed);
  }

  /**
   * The key with this digest.
   *
   * The lookup by a prefix leaks nothing: a caller who does not know a key cannot choose the digest of a guess.
   */
  find(digest: string): StoredKey | null {
    const key = this.#byPrefix.get(digest.slice(0, PREFIX));
    return key && timingSafeEqual(Buffer.from(key.digest), Buffer.from(digest)) ? key : null;
  }

  isEmpty(): boolean {
    return this.#byPrefix.size === 0;
  }

  /** Reads the keys now. Throws what the store throws. */
  async refresh(): Promise<void> {
    const stored = await this.#dependencies.load();
    this.#byPrefix = indexOf([...stored, ...this.#dependencies.fixed]);
  }

  /** From now on reloads the keys before they are too old. */
  watch(): void {
    this.#timer = setInterval(() => void this.#refreshQuietly(), this.#dependencies.ageMsMax);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #refreshQuietly(): Promise<void> {
    // A store that hangs gets one query, not one more every few seconds.
    if (this.#refreshing) return;
    this.#refreshing = true;
    try {
      await this.refresh();
    } catch (error) {
      this.#dependencies.onFault(error);
    } finally {
      this.#refreshing = false;
    }
  }
}

function indexOf(keys: readonly StoredKey[]): ReadonlyMap<string, StoredKey> {
  return new Map(keys.map((key) => [key.digest.slice(0, PREFIX), key]));
}
