// exporter-user.ts -- The user of MySQL with which its exporter reads: that of the URL, or one of its own, since it takes none without a password.

import { randomBytes } from 'node:crypto';
import { createConnection } from 'mysql2/promise';
import type { WatchedAddresses } from './processes.ts';

/** Makes a user on the private server of `bun run dev`, whose own has no password. */
export async function exporterOf(databaseUrl: string): Promise<WatchedAddresses['mysql']> {
  const { hostname: host, port, username, password } = new URL(databaseUrl);
  const address = { host, port: port || '3306' };
  if (password !== '')
    return { user: decodeURIComponent(username), password: decodeURIComponent(password), ...address };
  const user = 'coupon_exporter';
  const secret = randomBytes(16).toString('hex');
  const connection = await createConnection({ host, port: Number(address.port), user: decodeURIComponent(username) });
  try {
    // A new password each time: none has to be kept.
    await connection.query(`CREATE OR REPLACE USER ${user}@'%' IDENTIFIED BY '${secret}'`).catch(async () => {
      // MySQL has no OR REPLACE.
      await connection.query(`DROP USER IF EXISTS ${user}@'%'`);
      await connection.query(`CREATE USER ${user}@'%' IDENTIFIED BY '${secret}'`);
    });
    await connection.query(`GRANT PROCESS, REPLICATION CLIENT, SELECT ON *.* TO ${user}@'%'`);
  } finally {
    await connection.end();
  }
  return { user, password: secret, ...address };
}
