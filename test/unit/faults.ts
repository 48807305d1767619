// Failures as the drivers throw them, with a user id wherever the real ones have one.

/** An id that must turn up nowhere. */
export const secretUser = 'alice-4711';

/** What mysql2 throws when the server refuses a statement. */
export function serverFault(number: number): Error {
  return Object.assign(new Error(`Incorrect value: '${secretUser}' at row 1`), {
    errno: number,
    code: 'ER_SOMETHING',
    sqlState: 'HY000',
    sql: `INSERT INTO coupon_issues VALUES (1,1,'${secretUser}')`,
  });
}

/** What a socket throws when no process listens, or the connection breaks. */
export function socketFault(): Error {
  return Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:3306'), { errno: -111, code: 'ECONNREFUSED' });
}

/** What the resolver of names throws on Bun: its numbers are above zero, as those of servers are. */
export function resolverFault(): Error {
  return Object.assign(new Error('getaddrinfo ENOTFOUND'), { errno: 4, code: 'ENOTFOUND', syscall: 'getaddrinfo' });
}
