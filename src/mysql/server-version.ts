// server-version.ts -- Whether this MySQL or MariaDB is new enough for the promises to hold on it.

import { sql } from 'drizzle-orm';
import type { Session } from './database.ts';

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

/** Whether all that this system relies on came only later. A version that is no number is nothing to rely on either. */
export function isTooOld(version: string): boolean {
  const oldest = /mariadb/i.test(version) ? MARIADB_MIN : MYSQL_MIN;
  return !/^\d+\.\d/.test(version) || version.localeCompare(oldest, 'en', { numeric: true }) < 0;
}

/** What to say of such a server: one line that names the setting and the cure. */
export function tooOld(version: string): string {
  const newer = `MySQL ${MYSQL_MIN} or MariaDB ${MARIADB_MIN}, or newer`;
  return `DATABASE_URL: MySQL ${version || 'of unknown version'} is too old; use ${newer}`;
}
