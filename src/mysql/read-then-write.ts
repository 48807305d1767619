// read-then-write.ts -- One transaction in two queries, for decisions about one coupon: what it reads under a lock says what it writes.

import { invariant } from '../invariant.ts';
import { type Database, RollbackError, retryUndone, timed, onConnection, query } from './database.ts';

/** A statement of `readThenWrite` found a row where it was to insert one. Everything was rolled back. */
export class DuplicateRow extends RollbackError {
  override readonly name = 'DuplicateRow';
}

/** What is to be written, after what was read. */
export interface WritePlan<Result> {
  /** Statements, in order, each with how many rows it must affect; none: the transaction ends with nothing written. */
  readonly write: readonly Write[];
  readonly result: Result;
}

export interface Write {
  readonly statement: string;
  readonly rows: number;
}

/** Rows as MySQL names their columns. */
export type Rows = readonly Readonly<Record<string, unknown>>[];

/**
 * A transaction in two round trips, whatever its number of statements: BEGIN with all reads, then all writes with COMMIT. Locks
 * taken by the reads are held for one round trip.
 *
 * The server stops at the first statement that fails, so that a COMMIT is reached only when all before it were done. (Vitess
 * does so since its version 9.)
 *
 * @param read the statements after BEGIN: constants, checked numbers and checked user ids, since a text of a caller could bring
 *   statements of its own
 * @param plan gets the rows of each of them, in order
 * @throws DuplicateRow when a row was there that was to be inserted; everything is rolled back
 * @throws InvariantViolation when a statement did not do what it was to do: the server ended the transaction in between
 * @throws what `plan` or MySQL throws, after which nothing was written, unless the COMMIT itself failed: then the result is ambiguous
 * @throws DatabaseTimeout as `withTransaction` does
 */
export function readThenWrite<Result>(
  database: Database,
  read: readonly string[],
  plan: (rows: readonly Rows[]) => WritePlan<Result>,
): Promise<Result> {
  return timed(database, () =>
    retryUndone(() =>
      onConnection(database, 'issuing', async (connection) => {
        const [replies] = (await query(connection, { sql: ['BEGIN', ...read].join(';') })) as [readonly Rows[]];
        const { write, result } = plan(replies.slice(1));
        try {
          const statements = write.length === 0 ? ['ROLLBACK'] : [...write.map(({ statement }) => statement), 'COMMIT'];
          const [done] = (await query(connection, { sql: statements.join(';') })) as readonly unknown[];
          if (write.length > 0) expectDone(done, write);
          return { result };
        } catch (error) {
          if (!(error instanceof Error && 'code' in error && error.code === 'ER_DUP_ENTRY')) throw error;
          await query(connection, { sql: 'ROLLBACK' });
          return new DuplicateRow('a row was there already', { cause: error });
        }
      }),
    ),
  );
}

/** A success of the whole is believed statement by statement, since a server may roll back between two of them. */
function expectDone(replies: unknown, write: readonly Write[]): void {
  const parts = Array.isArray(replies) ? (replies as readonly { readonly affectedRows?: number }[]) : [];
  const isDone = parts.length === write.length + 1 && write.every(({ rows }, i) => parts[i]?.affectedRows === rows);
  invariant(isDone, 'P3: a transaction was committed without all of its statements');
}
