// faults.ts -- What a failure of MySQL means: bad data, or a transient error?
//
// Only what MySQL says of the data itself is final. Everything else (connections, deadlocks, lock waits, read-only, full disks,
// missing privileges, unforeseen errors) is transient, since taking it for bad data would throw away issues. So is a column that
// is NULL (1048) or has no value (1364): our rows fill all of our columns, so the table has changed, and no entry could be written
// before that is repaired.

/** The codes by which MySQL and MariaDB refuse a value. */
const dataErrorNumbers = new Set([
  1264, // out of range
  1265, // data truncated
  1292, // incorrect value
  1366, // incorrect value for column
  1406, // data too long
  1411, // incorrect value for function
  1690, // out of range in an expression
  3819, // CHECK violated (MySQL)
  4025, // CHECK violated (MariaDB)
]);

/** The error of the driver below those that Drizzle wraps around it. */
export function rootCause(error: unknown): unknown {
  let cause = error;
  while (cause instanceof Error && cause.cause !== undefined) cause = cause.cause;
  return cause;
}

/** Whether MySQL refuses the data, so that trying again cannot help. An error without a number does not come from MySQL. */
export function isDataFault(error: unknown): boolean {
  const number = errorNumber(error);
  return number !== null && dataErrorNumbers.has(number);
}

/** The errors after which nothing of the transaction was done. */
const undoneErrorNumbers = new Set([
  1213, // deadlock, and on Galera a conflict found at COMMIT: rolled back
  4031, // the connection was ended for idleness before the statement reached the server
]);

/** Whether the server says that the whole transaction was rolled back, or that none was begun. */
export function wasUndone(error: unknown): boolean {
  const number = errorNumber(error);
  return number !== null && undoneErrorNumbers.has(number);
}

/** The errors by which a server says that it is not the primary, or no longer. */
const demotedErrorNumbers = new Set([
  1290, // read_only is on
  1792, // the transaction is read-only
  1836, // the server runs in read-only mode
  3100, // group replication: this member may not commit
]);

/** Whether the server says that it takes no writes: connections that were made before lead to a primary of the past. */
export function isDemoted(error: unknown): boolean {
  const number = errorNumber(error);
  return number !== null && demotedErrorNumbers.has(number);
}

/** MySQL's number for the error, or null when it does not come from the server. */
export function errorNumber(error: unknown): number | null {
  const cause = rootCause(error);
  // Sockets and the name resolver number their errors too, one below zero and the other above: only a server sends a state.
  if (!(cause instanceof Error) || !('errno' in cause) || !('sqlState' in cause)) return null;
  return typeof cause.errno === 'number' && cause.errno > 0 ? cause.errno : null;
}
