// cost.ts -- Entry of `bun test/vitess/cost.ts`: the CPU that a row costs on MySQL, and on Vitess above the same MySQL, by process.
//
// Two ways to a row: what a worker writes (500 rows of a coupon in a transaction), and what `POST /v1/issue` decides (100 users).

import { cpuUsOf } from '../../bench/testbed/process-cost.ts';
import { lockedCoupon, lockStatement } from '../../src/coupon/catalog.ts';
import { closeDatabase, type Database, openDatabase, withConnection } from '../../src/mysql/database.ts';
import { readThenWrite } from '../../src/mysql/read-then-write.ts';
import { writeEntries } from '../../src/ledger/ledger.ts';
import { issueStatements } from '../../src/ledger/insert.ts';
import { applyMigrations } from '../../src/mysql/migrations.ts';
import { readConfig } from '../../src/config/config.ts';
import { cleanUpOnSignals } from '../../tools/stack/cleanup.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { say } from '../../tools/progress.ts';
import { findVitess, howToGetVitess, startVitess } from './vitess-server.ts';

const COUPONS = 8;
const WRITES = 200;
const ROWS_PER_WRITE = 500;
const DECISIONS = 500;
const USERS_PER_DECISION = 100;

/** A store with the processes whose CPU is counted. */
interface Store {
  readonly name: string;
  readonly url: string;
  readonly mysqlPid: () => number;
  readonly vitessPid?: () => number;
  readonly stop: () => Promise<void>;
}

const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
try {
  const programs = findVitess();
  if (!programs) throw new Error(howToGetVitess);
  const stores = [
    () => startMysql(programs.mysqld),
    () => startOnVitess(programs, 0, 'Vitess, not sharded'),
    () => startOnVitess(programs, 2, 'Vitess, two shards'),
  ];
  say('| store | rows | MySQL µs/row | Vitess µs/row | client µs/row | rows/s |\n|---|---|---|---|---|---|');
  for (const start of stores) {
    const store = await start();
    cleanup.add(store.stop);
    await measure(store);
    await store.stop();
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await cleanup.run();
}
process.exit();

async function startMysql(program: string): Promise<Store> {
  const folder = tempFolder('coupon-cost-');
  const server = await startMysqlServer({ folder, program, settings: { 'innodb-buffer-pool-size': '256M' } });
  return { name: 'MySQL', url: server.url, mysqlPid: () => server.pid, stop: () => server.stop() };
}

async function startOnVitess(programs: Parameters<typeof startVitess>[0]['programs'], shards: 0 | 2, name: string) {
  const { url, mysql, vitess, stop } = await startVitess({ programs, shards });
  return { name, url, mysqlPid: () => mysql.pid, vitessPid: () => vitess.pid, stop } satisfies Store;
}

async function measure(store: Store): Promise<void> {
  const config = readConfig(undefined, { DATABASE_URL: store.url, REDIS_URL: 'redis://127.0.0.1' });
  const database = openDatabase(config);
  await applyMigrations({ ...database, transactionMsMax: 60_000 }, 30);
  const ids = Array.from({ length: COUPONS }, (_, i) => i + 1);
  for (const id of ids) await insertCoupon(database, id);
  const next = new Map(ids.map((id) => [id, 1]));
  const advance = (id: number, by: number) => {
    const first = next.get(id) ?? 1;
    next.set(id, first + by);
    return first;
  };
  await compare(store, `${WRITES * ROWS_PER_WRITE} written by the ledger`, WRITES * ROWS_PER_WRITE, async () => {
    for (let i = 0; i < WRITES; i++) {
      const couponId = (i % COUPONS) + 1;
      const firstSequence = advance(couponId, ROWS_PER_WRITE);
      const users = Array.from({ length: ROWS_PER_WRITE }, (_, k) => `user-${firstSequence + k}`);
      await writeEntries(database, [{ couponId, epoch: 0, firstSequence, acceptedMs: Date.now(), users }]);
    }
  });
  const decided = DECISIONS * USERS_PER_DECISION;
  await compare(store, `${decided} by POST /v1/issue`, decided, async () => {
    for (let i = 0; i < DECISIONS; i++) await decide(database, (i % COUPONS) + 1, advance);
  });
  await closeDatabase(database);
}

async function compare({ name, mysqlPid, vitessPid }: Store, what: string, rows: number, work: () => Promise<void>) {
  const pids = [mysqlPid(), ...(vitessPid ? [vitessPid()] : []), process.pid];
  const before = pids.map(cpuUsOf);
  const startMs = performance.now();
  await work();
  const seconds = (performance.now() - startMs) / 1000;
  const spent = pids.map((pid, i) => ((cpuUsOf(pid) - (before[i] ?? 0)) / rows).toFixed(1));
  const [mysql, vitess, client] = vitessPid ? spent : [spent[0], '', spent[1]];
  say(`| ${name} | ${what} | ${mysql} | ${vitess} | ${client} | ${(rows / seconds).toFixed(0)} |`);
}

/** The statements of `POST /v1/issue`, in its two round trips. */
async function decide(database: Database, couponId: number, advance: (id: number, by: number) => number) {
  const highest = `SELECT COALESCE(MAX(sequence), 0) AS sequence FROM coupon_issues WHERE coupon_id = ${couponId}`;
  await readThenWrite(database, [lockStatement(couponId), highest], ([locked = []]) => {
    if (!lockedCoupon(locked)) throw new Error('the coupon is not there');
    const first = advance(couponId, USERS_PER_DECISION);
    const issues = Array.from({ length: USERS_PER_DECISION }, (_, i) => {
      const sequence = first + i;
      return { couponId, epoch: 0, sequence, userId: `user-${sequence}`, acceptedMs: Date.now() };
    });
    return { write: issueStatements(couponId, issues), result: null };
  });
}

async function insertCoupon(database: Database, id: number): Promise<void> {
  await withConnection(database, (_, connection) =>
    connection.query(`INSERT INTO coupons (id, title, coupon_type, discount_amount, min_available_amount, date_issue_start,
      date_issue_end, date_created, date_updated)
      VALUES (${id}, 'cost', 'FIRST_COME_FIRST_SERVED', 1, 0, NOW(3), NOW(3) + INTERVAL 1 DAY, NOW(3), NOW(3))`),
  );
}
