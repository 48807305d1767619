// crashing-worker.ts -- The worker of production, which kills itself at the point that CRASH_AT names. For chaos runs alone.
//
// It changes the driver of MySQL in its own process before the worker is loaded, so that nothing in the worker knows of it.
// There is no point between acknowledging an entry and deleting it: one script does both.

import { Connection } from 'mysql2/promise';
import { type CrashPoint, crashPoints } from './crash-points.ts';

type Query = (this: unknown, statement: string | { readonly sql: string }, values?: unknown) => Promise<unknown>;

const point = crashPoints.find((each) => each === process.env.CRASH_AT);
if (point === undefined) throw new Error(`CRASH_AT must be one of: ${crashPoints.join(', ')}`);
crashAt(point, Connection.prototype as unknown as { query: Query });
await import('../../workers/worker.ts');

function crashAt(chosen: CrashPoint, connection: { query: Query }): void {
  const { query } = connection;
  connection.query = async function crashingQuery(statement, values) {
    const text = typeof statement === 'string' ? statement : statement.sql;
    if (chosen === 'before insert' && text.startsWith('INSERT INTO coupon_issues')) crash();
    if (chosen === 'before commit' && text === 'COMMIT') crash();
    const result = await query.call(this, statement, values);
    if (chosen === 'after commit' && text === 'COMMIT') crash();
    return result;
  };
}

function crash(): void {
  process.kill(process.pid, 'SIGKILL');
}
