// crash-on.ts -- Makes this process kill itself at a question to a store. For chaos runs alone, before anything else is loaded.
//
// It changes the drivers of MySQL and Redis, so that nothing in API and worker knows of it.

import { Redis } from 'ioredis';
import mysql from 'mysql2';

/** Whether the store never hears the question, or the process never hears the answer. */
export type Moment = 'before' | 'after';

/** The one function below all ways of asking: with or without values, with a callback or without. */
type Query = (this: object, statement: string | { readonly sql: string }, ...rest: unknown[]) => unknown;

/** Dies at a statement that matches. */
export function crashOnStatement(moment: Moment, matching: RegExp): void {
  crashOnQuery(moment, (text) => matching.test(text));
}

/**
 * Dies at the COMMIT of a transaction in which a statement that matches `done` was sent. If the two go out as one question, dying
 * before it leaves a transaction open that has only read.
 */
export function crashOnCommit(moment: Moment, done: RegExp): void {
  const having = new WeakSet<object>();
  crashOnQuery(moment, (text, connection) => {
    if (/^(BEGIN|START TRANSACTION READ WRITE)$/.test(text)) having.delete(connection);
    if (done.test(text)) having.add(connection);
    return (text === 'COMMIT' || text.endsWith(';COMMIT')) && having.has(connection);
  });
}

/** Dies before one of our scripts is sent. */
export function crashOnScript({ digest }: { readonly digest: string }): void {
  const { prototype } = Redis;
  const { sendCommand } = prototype;
  prototype.sendCommand = function crashingCommand(command, ...rest) {
    const [script, , key] = command.args;
    if (command.name === 'evalsha' && script === digest && !isOfSelfTest(String(key))) crash();
    return sendCommand.call(this, command, ...rest);
  };
}

function crashOnQuery(moment: Moment, isIt: (text: string, connection: object) => boolean): void {
  const connection = (mysql as unknown as { Connection: { prototype: { query: Query } } }).Connection.prototype;
  const { query } = connection;
  connection.query = function crashingQuery(statement, ...rest) {
    const text = typeof statement === 'string' ? statement : statement.sql;
    if (isOfSelfTest(text) || !isIt(text, this)) return query.call(this, statement, ...rest);
    if (moment === 'before') crash();
    // The callback, which comes last.
    return query.call(this, statement, ...rest.slice(0, -1), crash);
  };
}

/** What a process tries when it starts, and for its readiness, is no point to die at: the issues of nobody. */
function isOfSelfTest(text: string): boolean {
  return text.includes("'self-test'") || /^coupon:\{\d{6,}\}/.test(text);
}

function crash(): void {
  process.kill(process.pid, 'SIGKILL');
}
