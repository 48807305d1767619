// server-version.ts -- Whether this MySQL or MariaDB is new enough for the promises to hold on it.

import { sql } from 'drizzle-orm';
import type { MySql2Database as Session } from 'drizzle-orm/mysql2';

/** The oldest MySQL that enforces CHECK, the last guard of P1: those before it take the constraint and forget it. */
const MYSQL_MIN = '8.0.16';

/** The oldest MariaDB that this system is tested with. */
const MARIADB_MIN = '10.11';

/** What the server says of itself, such as `9.7.0`, `8.0.30-Vitess` or `10.11.19-MariaDB-0+deb12u1`. Throws what MySQL throws. */
export async function readServerVersion(session: Session): Promise<string> {
  const [rows] = await session.execute(sql`SELECT VERSION() AS version`);
  const [row] = rows as unknown as { version: string }[];
  return row?.version ?? '';
}

export function isMariadb(version: string): boolean {
  return /mariadb/i.test(version);
}

/** Vitess answers with the version of MySQL that it behaves as. */
export function isVitess(version: string): boolean {
  return /vitess/i.test(version);
}

/** Servers that speak MySQL's protocol and are not it: what of MySQL the promises rely on, they have not, or otherwise. */
const OTHERS = ['TiDB', 'OceanBase', 'SingleStore', 'Doris', 'StarRocks'];

/**
 * Why this kind of server is refused, as a line; null for MySQL, MariaDB and what is made of them.
 *
 * @throws what MySQL throws
 */
export async function unsupportedServer(session: Session, version: string): Promise<string | null> {
  const [comments] = await session.execute(sql`SELECT @@version_comment AS comment`);
  const { comment = '' } = (comments as unknown as { comment?: string }[])[0] ?? {};
  const other = OTHERS.find((name) => `${version} ${comment}`.toLowerCase().includes(name.toLowerCase()));
  if (other !== undefined)
    return `DATABASE_URL: this is ${other}, on which the promises are not known to hold; use MySQL or MariaDB`;
  // Empty where there is no such thing, 0 where it is turned off.
  const [sizes] = await session.execute(sql`SHOW GLOBAL STATUS LIKE 'wsrep_cluster_size'`);
  const { Value: size = '0' } = (sizes as unknown as { Value?: string }[])[0] ?? {};
  if (Number(size) <= 1) return null;
  return `DATABASE_URL: this is a Galera cluster of ${size} nodes, which lost acknowledged rows when several were written to; use one server with replicas`;
}

/** Whether all that this system relies on came only later. A version that is no number is nothing to rely on either. */
export function isTooOld(version: string): boolean {
  const oldest = isMariadb(version) ? MARIADB_MIN : MYSQL_MIN;
  return !/^\d+\.\d/.test(version) || version.localeCompare(oldest, 'en', { numeric: true }) < 0;
}

/** What to say of such a server: one line that names the setting and the cure. */
export function tooOld(version: string): string {
  const newer = `MySQL ${MYSQL_MIN} or MariaDB ${MARIADB_MIN}, or newer`;
  return `DATABASE_URL: MySQL ${version || 'of unknown version'} is too old; use ${newer}`;
}
