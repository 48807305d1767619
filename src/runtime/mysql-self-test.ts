// mysql-self-test.ts -- Tries at start what this process will do in MySQL: the settings of its sessions, the engine of its tables, and
// a transaction on them that is rolled back.

import { randomInt } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { ID_MAX } from '../coupon/coupon.ts';
import { type Database, RollbackError, type Session, withConnection, withTransaction } from '../mysql/database.ts';
import { DuplicateRow, readThenWrite, type Rows } from '../mysql/read-then-write.ts';
import { errorNumber } from '../mysql/faults.ts';
import { sessionSettings } from '../mysql/pool.ts';
import { isMariadb } from '../mysql/server-version.ts';

/** CHECK violated, on MySQL and on MariaDB. */
const CHECK_VIOLATED = [3819, 4025];

/** No disk, no memory, a lock that another has: MySQL refuses writes for now, and that is no fault of how it is set up. */
const WRITE_REFUSALS = [1021, 1030, 1041, 1114, 1180, 1205, 1213];

/** Some ids at the upper end of all that there are, which no coupon reaches. */
const TEST_IDS = 2 ** 40;

/**
 * Tries everything on the tables of this release.
 *
 * @returns a line for each fault; none when all is well, or when MySQL refuses all writes for now
 * @throws what MySQL throws for anything else, as for a right that is missing
 */
export async function testMysql(database: Database, version: string): Promise<string[]> {
  const quiet = quietly(database);
  const readSession = sessionQuery(version);
  const general = await withConnection(quiet, (session) => rowsOf(session, readSession));
  const issuing = await readThenWrite(quiet, [readSession], ([rows = []]) => ({ write: [], result: rows }));
  const engines = await withConnection(quiet, (session) => rowsOf(session, READ_ENGINES));
  const faults = [...sessionFaults([...general, ...issuing]), ...engineFaults(engines)];
  if (faults.length > 0) return faults;
  try {
    return await tryWrites(quiet, testCoupon());
  } catch (error) {
    if (WRITE_REFUSALS.includes(errorNumber(error) ?? 0)) return [];
    throw error;
  }
}

/** Inserts a row and rolls it back. Throws what MySQL refuses it with. */
export async function tryMysqlWrite(database: Database): Promise<void> {
  const { insertIssue } = statementsFor(testCoupon());
  await rolledBack(quietly(database), async (tx) => {
    await tx.execute(sql.raw(insertIssue));
  });
}

/** Its rolled back transactions are not failed ones. */
const quietly = (database: Database): Database => ({ ...database, onTransaction: () => undefined });

const testCoupon = () => ID_MAX - randomInt(TEST_IDS);

async function rowsOf(session: Session, statement: string): Promise<Rows> {
  const [rows] = await session.execute(sql.raw(statement));
  return rows as unknown as Rows;
}

function sessionQuery(version: string): string {
  const isolation = isMariadb(version) ? '@@tx_isolation' : '@@transaction_isolation';
  return `SELECT @@sql_mode AS sql_mode, @@time_zone AS time_zone, @@autocommit AS autocommit, ${isolation} AS isolation,
    @@completion_type AS completion_type, @@character_set_client AS character_set_client,
    @@character_set_connection AS character_set_connection, @@character_set_results AS character_set_results`;
}

/** Settings that were set on each connection, and are not so: what stands between has dropped them. */
function sessionFaults(sessions: Rows): string[] {
  const partsOf = (value: unknown) => String(value).split(',').sort().join();
  const dropped = Object.entries(sessionSettings)
    .filter(([name, value]) => sessions.some((session) => partsOf(session[name]) !== partsOf(value)))
    .map(([name]) => name);
  const faults: string[] = [];
  if (dropped.length > 0)
    faults.push(
      `DATABASE_URL: sessions do not keep their settings (${dropped.join(', ')}); let the proxy pass \`SET\`, or connect without it`,
    );
  const chained = sessions.find(({ completion_type: type }) => type !== 'NO_CHAIN');
  if (chained)
    faults.push(`DATABASE_URL: completion_type of MySQL is ${String(chained['completion_type'])}; set it to NO_CHAIN`);
  return faults;
}

const READ_ENGINES = `SELECT table_name AS name, engine AS engine FROM information_schema.tables
  WHERE table_schema = DATABASE() AND table_name IN ('coupons', 'coupon_issues', 'api_keys', 'audit_trail', 'erased_users',
    'code_patterns', 'code_imports', 'imported_codes', 'outbox')`;

/** Tables that cannot roll back: with them more was issued than there is. */
function engineFaults(tables: Rows): string[] {
  return tables
    .filter(({ engine }) => engine !== 'InnoDB')
    .map(
      ({ name, engine }) =>
        `DATABASE_URL: the table ${String(name)} is of the engine ${String(engine)}; ALTER TABLE ${String(name)} ENGINE=InnoDB`,
    );
}

/**
 * Every kind of write, once in a transaction of its own statements, and once as issuing sends it, in one packet; and apart, since on
 * Vitess its row may be of another shard, what must be refused.
 */
async function tryWrites(database: Database, couponId: number): Promise<string[]> {
  const { lock, insertIssue, write, breakCheck, readIssues } = statementsFor(couponId);
  await rolledBack(database, async (tx) => {
    for (const statement of [lock, ...write]) await tx.execute(sql.raw(statement));
  });
  let number: number | null = 0;
  await rolledBack(database, async (tx) => {
    number = await tx.execute(sql.raw(breakCheck)).then(() => 0, errorNumber);
  });
  if (!CHECK_VIOLATED.includes(number ?? 0))
    return ['DATABASE_URL: MySQL does not enforce CHECK constraints, the last guard of P1; turn them on there'];
  const packet = readThenWrite(database, [lock], () => {
    return { write: [...write, insertIssue].map((statement) => ({ statement, rows: 1 })), result: null };
  });
  await packet.catch((error: unknown) => {
    if (!(error instanceof DuplicateRow)) throw error;
  });
  const left = await withConnection(database, (session) => rowsOf(session, readIssues));
  return left.length === 0
    ? []
    : ['DATABASE_URL: MySQL kept rows after a rollback; connect without a proxy, and use InnoDB'];
}

/** Runs `work` in a transaction that is rolled back. Throws what `work` or MySQL throw. */
async function rolledBack(database: Database, work: (tx: Session) => Promise<void>): Promise<void> {
  const done = withTransaction(database, async (tx) => {
    await work(tx);
    throw new RollbackError('only tried');
  });
  await done.catch((error: unknown) => {
    if (!(error instanceof RollbackError)) throw error;
  });
}

function statementsFor(couponId: number) {
  const user = 'self-test';
  const insertIssue = `INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued, endpoint)
    VALUES (${couponId}, 1, '${user}', NOW(3), 1)`;
  return {
    insertIssue,
    lock: `SELECT id FROM coupons WHERE id = ${couponId} FOR UPDATE`,
    write: [
      insertIssue,
      `UPDATE coupon_issues SET date_used = NOW(3) WHERE user_id = '${user}' AND coupon_id = ${couponId}`,
      `UPDATE coupons SET version = version + 1 WHERE id = ${couponId}`,
      `DELETE FROM coupons WHERE id = ${couponId}`,
      `INSERT INTO audit_trail (coupon_id, actor, action) VALUES (${couponId}, '${user}', 'test')`,
      `INSERT INTO code_patterns (coupon_id, pattern, prefix, length, code_key) VALUES (${couponId}, '${user}', '${user}', 0, '')`,
      `DELETE FROM code_patterns WHERE coupon_id = ${couponId}`,
      `INSERT INTO code_imports (coupon_id, import_id, after_position, date_touched) VALUES (${couponId}, 1, 0, NOW(3))`,
      `INSERT INTO imported_codes (coupon_id, import_id, position, code) VALUES (${couponId}, 1, 1, '${user}')`,
      `UPDATE code_imports SET codes = codes + 1 WHERE coupon_id = ${couponId}`,
      `DELETE FROM imported_codes WHERE coupon_id = ${couponId}`,
      `DELETE FROM code_imports WHERE coupon_id = ${couponId}`,
      `INSERT INTO outbox (coupon_id, kind, sequence) VALUES (${couponId}, 'test', 1)`,
    ],
    // More issued than there are. Refused before the row is written, so that no id is used up.
    breakCheck: `INSERT INTO coupons (id, title, coupon_type, total_quantity, issued_quantity, discount_amount,
      min_available_amount, date_issue_start, date_issue_end, date_created, date_updated)
      VALUES (1, 'test', 'FIRST_COME_FIRST_SERVED', 0, 1, 0, 0, NOW(3), NOW(3) + INTERVAL 1 DAY, NOW(3), NOW(3))`,
    readIssues: `SELECT sequence FROM coupon_issues WHERE coupon_id = ${couponId}`,
  };
}
