// row-watcher.ts -- Waits for rows: however many callers wait for their issue to reach MySQL, one query at a time polls for all.
//
// - One loop per process, and only while there are waiters; a query asks for up to a thousand users of a coupon.
// - Beyond `ISSUE_WAITERS_MAX` a caller does not wait, and gets the current status.
// - A failure of MySQL is reported once per round; waiters go on waiting, within their time.

import { setTimeout as pause } from 'node:timers/promises';
import { sql } from 'drizzle-orm';
import { couponIssues } from '../../drizzle/schema.ts';
import { type Database, readFromPrimary } from '../mysql/database.ts';
import { userLiterals } from '../ledger/sql-literals.ts';
import { type Row, rowColumns, toRow } from './row.ts';

export interface RowWatchDependencies {
  readonly database: Database;
  readonly settings: { readonly ISSUE_WAITERS_MAX: number; readonly ISSUE_POLL_MS: number };
  readonly onFault: (fault: unknown) => void;
}

/** Users asked for in one query. */
const USERS_PER_QUERY_MAX = 1000;

type Waiter = (row: Row | null) => void;

export class RowWatcher {
  readonly #dependencies: RowWatchDependencies;
  /** By coupon, by user. */
  readonly #waiters = new Map<number, Map<string, Set<Waiter>>>();
  #count = 0;
  #closed = false;
  #loop: Promise<void> | null = null;

  constructor(dependencies: RowWatchDependencies) {
    this.#dependencies = dependencies;
  }

  /** How many callers wait. */
  get waiting(): number {
    return this.#count;
  }

  /**
   * Waits for the row of one issue.
   *
   * @returns the row as soon as it is there; null when the time is up, the signal aborts, the watcher is closed or full
   */
  wait(couponId: number, userId: string, waitMs: number, signal?: AbortSignal): Promise<Row | null> {
    const { ISSUE_WAITERS_MAX } = this.#dependencies.settings;
    if (waitMs <= 0 || this.#closed || this.#count >= ISSUE_WAITERS_MAX || signal?.aborted)
      return Promise.resolve(null);
    return new Promise((resolve) => {
      const giveUp = () => waiter(null);
      const waiter: Waiter = (row) => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', giveUp);
        this.#remove(couponId, userId, waiter);
        resolve(row);
      };
      const timer = setTimeout(giveUp, waitMs);
      signal?.addEventListener('abort', giveUp);
      this.#add(couponId, userId, waiter);
      this.#loop ??= this.#look().finally(() => {
        this.#loop = null;
      });
    });
  }

  /** Resolves every waiter with null; from now on no caller waits. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const users of this.#waiters.values()) {
      for (const waiters of users.values()) for (const waiter of waiters) waiter(null);
    }
    await this.#loop;
  }

  async #look(): Promise<void> {
    const { onFault, settings } = this.#dependencies;
    while (this.#count > 0) {
      // A copy: a waiter that joins during the round waits for the next, so that there is a pause between two.
      const asked = Array.from(this.#waiters, ([couponId, users]) => ({ couponId, users: [...users.keys()] }));
      try {
        for (const { couponId, users } of asked) await this.#lookFor(couponId, users);
      } catch (fault) {
        onFault(fault);
      }
      if (this.#count > 0) await pause(settings.ISSUE_POLL_MS);
    }
  }

  async #lookFor(couponId: number, users: readonly string[]): Promise<void> {
    for (let i = 0; i < users.length; i += USERS_PER_QUERY_MAX) {
      const asked = sql.raw(userLiterals(users.slice(i, i + USERS_PER_QUERY_MAX)));
      const rows = await readFromPrimary(this.#dependencies.database, (session) =>
        session
          .select({ userId: couponIssues.userId, ...rowColumns })
          .from(couponIssues)
          .where(sql`${couponIssues.couponId} = ${couponId} AND ${couponIssues.userId} IN (${asked})`),
      );
      for (const { userId, ...found } of rows) {
        const row = toRow(found);
        for (const waiter of this.#waiters.get(couponId)?.get(userId) ?? []) waiter(row);
      }
    }
  }

  #add(couponId: number, userId: string, waiter: Waiter): void {
    const users = this.#waiters.get(couponId) ?? new Map<string, Set<Waiter>>();
    const waiters = users.get(userId) ?? new Set<Waiter>();
    this.#waiters.set(couponId, users.set(userId, waiters.add(waiter)));
    this.#count += 1;
  }

  #remove(couponId: number, userId: string, waiter: Waiter): void {
    const users = this.#waiters.get(couponId);
    const waiters = users?.get(userId);
    if (!users || !waiters?.delete(waiter)) return;
    this.#count -= 1;
    if (waiters.size === 0) users.delete(userId);
    if (users.size === 0) this.#waiters.delete(couponId);
  }
}
