// cost.ts -- Entry of `bun test/codes/cost.ts [codes]`: what an upload of codes takes: seconds, CPU of API and MySQL, and memory of the API.

import { cpuUsOf } from '../../bench/testbed/process-cost.ts';
import { readConfig } from '../../src/config/config.ts';
import { closeDatabase, openDatabase } from '../../src/mysql/database.ts';
import { applyMigrations } from '../../src/mysql/migrations.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { say } from '../../tools/progress.ts';
import { cleanUpOnSignals } from '../../tools/stack/cleanup.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { residentMb } from '../chaos/resident-memory.ts';
import { endStarted, startEntry } from '../started-entry.ts';

const KEY = 'a-key-of-the-operator-of-codes';
const CODES = Number(process.argv[2] ?? 1_000_000);
const LINES_PER_PIECE = 1000;

const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });
try {
  const folder = tempFolder('coupon-codes-cost-');
  const mysql = await startMysqlServer({ folder });
  cleanup.add(() => mysql.stop());
  const redis = await startRedisServer({ folder });
  cleanup.add(() => redis.stop());
  cleanup.add(endStarted);
  const config = { ...readConfig(undefined, { DATABASE_URL: mysql.url, REDIS_URL: redis.url }), PARTITIONS: 4 };
  const database = openDatabase(config);
  await applyMigrations({ ...database, transactionMsMax: 60_000 }, 30);
  await closeDatabase(database);
  const server = startEntry({ config }, 'src/server.ts', { environment: { ADMIN_API_KEY: KEY } });
  const url = await server.url();
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
  const draft = { title: 'Codes', totalQuantity: 1, discountAmount: 0, minAvailableAmount: 0 };
  const period = { dateIssueStart: '2026-01-01T00:00:00Z', dateIssueEnd: '2036-01-01T00:00:00Z' };
  const body = JSON.stringify({ ...draft, ...period });
  const made = await fetch(`${url}/v1/coupons`, { method: 'POST', headers, body });
  const { id } = (await made.json()) as { id: number };
  await measure(`${url}/v1/coupons/${id}/codes/import`, server.child.pid, mysql.pid);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await cleanup.run();
}
process.exit();

async function measure(path: string, apiPid: number, mysqlPid: number): Promise<void> {
  const beforeMb = residentMb(apiPid);
  let mostMb = beforeMb;
  const watching = setInterval(() => {
    mostMb = Math.max(mostMb, residentMb(apiPid));
  }, 50);
  const cpu = [apiPid, mysqlPid].map(cpuUsOf);
  const startMs = performance.now();
  const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'text/csv' };
  const sent = await fetch(path, { method: 'POST', headers, body: piecesOf(CODES) });
  const answer = await sent.text();
  const seconds = (performance.now() - startMs) / 1000;
  clearInterval(watching);
  const [api = 0, mysql = 0] = [apiPid, mysqlPid].map((pid, i) => (cpuUsOf(pid) - (cpu[i] ?? 0)) / 1e6);
  say(`${sent.status} ${answer}`);
  say(
    '| codes | seconds | CPU of the API, s | CPU of MySQL, s | memory of the API before, MB | at most, MB |\n|---|---|---|---|---|---|',
  );
  const memory = `${beforeMb.toFixed(0)} | ${mostMb.toFixed(0)}`;
  say(`| ${CODES} | ${seconds.toFixed(1)} | ${api.toFixed(1)} | ${mysql.toFixed(1)} | ${memory} |`);
}

/** Made as they are sent, in no order that an index would like. */
function piecesOf(count: number): ReadableStream<Uint8Array> {
  let made = 0;
  const encoder = new TextEncoder();
  return new ReadableStream({
    pull(controller) {
      const lines = Array.from({ length: Math.min(LINES_PER_PIECE, count - made) }, (_, i) => lineOf(made + i));
      made += lines.length;
      if (lines.length > 0) controller.enqueue(encoder.encode(lines.join('')));
      else controller.close();
    },
  });
}

/** Different ones, since the factor is odd. */
function lineOf(i: number): string {
  return `${(Math.imul(i, 0x9e3779b1) >>> 0).toString(36).toUpperCase().padStart(7, '0')}-SUMMER\n`;
}
