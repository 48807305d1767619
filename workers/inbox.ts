// inbox.ts -- The consumer of one partition's stream: this worker's own pending entries, then those of workers that died, then
// new ones. An entry stays in the stream until it is settled, so nothing that is read here can be lost.

import type { Redis } from 'ioredis';
import type { Config } from '../src/config/config.ts';
import { askServer, serverOf } from '../src/redis/connection.ts';
import type { Confirm } from '../src/stock/decision-scripts.ts';
import { GROUP, type PartitionKeys } from '../src/stream/keys.ts';

/** An entry as it stands in the stream; `fields` is null when it was deleted while it was still assigned to us. */
export interface Message {
  readonly id: string;
  readonly fields: readonly string[] | null;
}

export type InboxSettings = Pick<Config, 'WORKER_NAME' | 'ENTRIES_PER_READ_MAX' | 'BLOCK_MS' | 'CLAIM_IDLE_MS'>;

export class Inbox {
  readonly #redis: Redis;
  readonly #keys: PartitionKeys;
  readonly #confirm: Confirm | null;
  readonly #settings: InboxSettings;
  /** Up to where our own unfinished entries were read; null when there are no more. */
  #ownAfter: string | null = '0';
  #claimAfter = '0-0';
  #nextClaimMs = 0;
  #server = '';

  /**
   * @param blocking has the connection to itself, since it blocks
   * @param confirm waits for replicas: an entry that a promoted one lacks must not become rows, since its sequences are given again
   */
  constructor(blocking: Redis, keys: PartitionKeys, settings: InboxSettings, confirm: Confirm | null = null) {
    this.#redis = blocking;
    this.#keys = keys;
    this.#confirm = confirm;
    this.#settings = settings;
  }

  /**
   * The next entries, in the order of the stream; empty when none came within `BLOCK_MS`.
   *
   * @throws what Redis throws; nothing is lost, and the next call starts over with our own unfinished entries
   */
  async next(): Promise<readonly Message[]> {
    try {
      const { stream } = this.#keys;
      if (this.#confirm && serverOf(this.#redis, stream) === '') await askServer(this.#redis, stream);
      this.#server = serverOf(this.#redis, stream);
      const messages = (await this.#own()) ?? (await this.#claimed()) ?? (await this.#read('>'));
      if (messages.length > 0) await this.#confirm?.(this.#keys, this.#server);
      return messages;
    } catch (error) {
      // A reply may have been lost that assigned entries to us.
      this.#ownAfter = '0';
      // A replica that was promoted behind this connection confirms nothing under the former name.
      if (this.#confirm) await askServer(this.#redis, this.#keys.stream);
      if (!(error instanceof Error && error.message.startsWith('NOGROUP'))) throw error;
      await this.#createGroup();
      return [];
    }
  }

  /** The server that gave what `next` returned last; '' when it was not known yet. */
  get server(): string {
    return this.#server;
  }

  /** From the first entry there is, never `$`: entries that were accepted before the first worker came count too. */
  async #createGroup(): Promise<void> {
    await this.#redis.xgroup('CREATE', this.#keys.stream, GROUP, '0', 'MKSTREAM').catch((error: unknown) => {
      if (!(error instanceof Error && error.message.startsWith('BUSYGROUP'))) throw error;
    });
  }

  async #own(): Promise<readonly Message[] | null> {
    if (this.#ownAfter === null) return null;
    const messages = await this.#read(this.#ownAfter);
    this.#ownAfter = messages.at(-1)?.id ?? null;
    return messages.length > 0 ? messages : null;
  }

  /** Looks for entries of dead workers a few times per `CLAIM_IDLE_MS`, until a round through all of them is done. */
  async #claimed(): Promise<readonly Message[] | null> {
    const { WORKER_NAME, CLAIM_IDLE_MS, ENTRIES_PER_READ_MAX } = this.#settings;
    if (performance.now() < this.#nextClaimMs) return null;
    const claim = [GROUP, WORKER_NAME, CLAIM_IDLE_MS, this.#claimAfter, 'COUNT', ENTRIES_PER_READ_MAX] as const;
    const reply: unknown = await this.#redis.xautoclaim(this.#keys.stream, ...claim);
    // Redis 7 leaves deleted entries out and names them in a third part, which it has already forgotten.
    const [cursor, entries] = reply as [string, ([string, string[]] | null)[]];
    this.#claimAfter = cursor;
    if (cursor === '0-0') this.#nextClaimMs = performance.now() + CLAIM_IDLE_MS / 4;
    const messages = entries.flatMap((entry) => (entry ? [{ id: entry[0], fields: entry[1] }] : []));
    return messages.length > 0 ? messages : null;
  }

  async #read(from: string): Promise<readonly Message[]> {
    const { WORKER_NAME, ENTRIES_PER_READ_MAX, BLOCK_MS } = this.#settings;
    const bounds = ['COUNT', ENTRIES_PER_READ_MAX, 'BLOCK', BLOCK_MS] as const;
    const streams = ['STREAMS', this.#keys.stream, from] as const;
    const reply: unknown = await this.#redis.xreadgroup('GROUP', GROUP, WORKER_NAME, ...bounds, ...streams);
    if (!Array.isArray(reply)) return [];
    const [[, entries]] = reply as [[string, [string, string[] | null][]]];
    return entries.map(([id, fields]) => ({ id, fields }));
  }
}

/** Reads a stream to its end as the worker does: with a new group, one claim and one blocking read. For a test at start. */
export async function testInbox(blocking: Redis, keys: PartitionKeys, settings: InboxSettings): Promise<void> {
  const inbox = new Inbox(blocking, keys, { ...settings, BLOCK_MS: 1 });
  // The first makes the group, the second finds entries, the third that there are no more.
  for (let reads = 0; reads < 3; reads++) await inbox.next();
}
