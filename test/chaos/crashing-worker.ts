// crashing-worker.ts -- The worker of production, which kills itself at the point that CRASH_AT names. For chaos runs alone.
//
// It changes the driver of MySQL in its own process before the worker is loaded, so that nothing in the worker knows of it.
// There is no point between acknowledging an entry and deleting it: one script does both.

import mysql from 'mysql2';
import { type CrashPoint, crashPoints } from './crash-points.ts';

/** The one function below all ways of asking: with or without values, with a callback or without. */
type Query = (this: unknown, statement: string | { readonly sql: string }, ...rest: unknown[]) => unknown;

const point = crashPoints.find((each) => each === process.env.CRASH_AT);
if (point === undefined) throw new Error(`CRASH_AT must be one of: ${crashPoints.join(', ')}`);
crashAt(point, (mysql as unknown as { Connection: { prototype: { query: Query } } }).Connection.prototype);
await import('../../workers/worker.ts');

function crashAt(chosen: CrashPoint, connection: { query: Query }): void {
  const { query } = connection;
  connection.query = function crashingQuery(statement, ...rest) {
    const text = typeof statement === 'string' ? statement : statement.sql;
    if (chosen === 'before insert' && text.startsWith('INSERT INTO coupon_issues')) crash();
    if (chosen === 'before commit' && text === 'COMMIT') crash();
    const answered = rest.at(-1);
    if (chosen !== 'after commit' || text !== 'COMMIT' || typeof answered !== 'function') {
      return query.call(this, statement, ...rest);
    }
    return query.call(this, statement, ...rest.slice(0, -1), crash);
  };
}

function crash(): void {
  process.kill(process.pid, 'SIGKILL');
}
