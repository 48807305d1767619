// export.ts -- Entry of `bun bench/export/export.ts`: the issues of one coupon as CSV, and how much memory the API holds while it sends them.

import { rmSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { hasGrown, residentMb } from '../../test/chaos/resident-memory.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import { duration, say, step } from '../../tools/progress.ts';
import type { Cleanup } from '../../tools/stack/cleanup.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { BenchError, FailedRun } from '../bench-error.ts';
import { runCommand } from '../command.ts';
import { markdownTable, number } from '../report/tables.ts';
import { bindToCores } from '../testbed/cores.ts';
import { makeCoupon } from '../testbed/coupons.ts';
import { openTestbed, type Testbed } from '../testbed/testbed.ts';

const USAGE = `bun bench/export/export.ts [--rows N]

Fills a private MySQL with the rows of one coupon (10,000,000), reads them from one API as CSV, and samples the memory of the API meanwhile.
Fails unless every row comes once and in order, and the memory of the second half is that of the first. Everything is on two cores. Needs
some 2 GB of disk.`;

const CORES = 2;
const ADMIN_KEY = 'the key of this run';
/** Rows of one statement: a transaction of a few seconds. */
const CHUNK = 100_000;
/** On a busy machine a page may take longer than the API waits for MySQL. */
const BROKEN_MAX = 20;
/** Between two looks at the memory, and before a new connection. */
const SAMPLE_MS = 500;
/** Of the rows, each with the highest memory while it was sent. */
const PARTS = 10;
/** In the first part, caches and compiled code still grow. */
const WARM_PARTS = 1;

await runCommand(USAGE, async (args, cleanup) => {
  const rows = readRows(args);
  await bindToCores(CORES);
  const testbed = await openPrivate(cleanup);
  await testbed.restartApi({ ADMIN_API_KEY: ADMIN_KEY });
  const couponId = await makeCoupon(testbed, null);
  await step(
    `${number(rows)} rows`,
    () => fill(testbed, couponId, rows),
    () => 'inserted',
  );
  const idleMb = residentMb(testbed.api.pid);
  const { bytes, durationMs, broken, parts } = await readAll(testbed, couponId, rows);
  const rate = number((rows / durationMs) * 1000);
  say(`\n${number(rows)} rows, ${number(bytes / 1e6)} MB in ${duration(durationMs)}: ${rate} rows a second`);
  say(`${broken} connections broke`);
  say(`the API had ${number(idleMb)} MB before; the least and the most while each tenth was sent:`);
  say(markdownTable([['tenth', 'least MB', 'most MB'], ...parts.map((part, i) => [String(i + 1), ...spanOf(part)])]));
  const warm = parts.slice(WARM_PARTS);
  const half = Math.ceil(warm.length / 2);
  const meanMb = (of: readonly (readonly number[])[]) => of.flat().reduce((sum, mb) => sum + mb, 0) / of.flat().length;
  if (hasGrown(meanMb(warm.slice(0, half)), meanMb(warm.slice(half))))
    throw new FailedRun('the memory of the API grew');
  return true;
});

function readRows(args: readonly string[]): number {
  const { values } = parseArgs({ args: [...args], options: { rows: { type: 'string', default: '10000000' } } });
  if (/^[1-9]\d{2,8}$/.test(values.rows)) return Number(values.rows);
  throw new BenchError('--rows needs a whole number from 100 to 999999999');
}

async function openPrivate(cleanup: Cleanup): Promise<Testbed> {
  const folder = tempFolder('coupon-export-');
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const redis = await startRedisServer({ folder });
  cleanup.add(() => redis.stop());
  const mysql = await startMysqlServer({ folder, settings: { 'innodb-buffer-pool-size': '512M' } });
  cleanup.add(() => mysql.stop());
  const stores = { redisUrl: redis.url, databaseUrl: mysql.url, redisPid: redis.pid, mysqlPid: mysql.pid };
  return openTestbed({ cleanup, stores });
}

/** The first rows are doubled until they are a chunk, and the chunk is repeated. */
async function fill({ config }: Testbed, couponId: number, rows: number): Promise<void> {
  const connection = await createConnection(config.DATABASE_URL);
  const repeat = (offset: number, count: number) =>
    connection.query(
      `INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued, endpoint)
       SELECT coupon_id, sequence + ?, CONCAT('user-', LPAD(sequence + ?, 9, '0')), date_issued, endpoint
       FROM coupon_issues WHERE coupon_id = ? AND sequence <= ?`,
      [offset, offset, couponId, count],
    );
  try {
    await connection.query(
      `INSERT INTO coupon_issues (coupon_id, sequence, user_id, date_issued, endpoint)
       VALUES (?, 1, 'user-000000001', UTC_TIMESTAMP(3), 'POST /v2/issue-async')`,
      [couponId],
    );
    for (let filled = 1; filled < rows; ) {
      const count = Math.min(filled, CHUNK, rows - filled);
      await repeat(filled, count);
      filled += count;
    }
    await connection.query('UPDATE coupons SET issued_quantity = ? WHERE id = ?', [rows, couponId]);
  } finally {
    await connection.end();
  }
}

interface Reading {
  readonly bytes: number;
  readonly durationMs: number;
  /** Connections that broke. */
  readonly broken: number;
  /** Memory of the API in MB, while each part of the rows was sent. */
  readonly parts: readonly (readonly number[])[];
}

/** Reads on after the last row where a connection breaks, as a reader should. Throws FailedRun for a row that is missing or comes twice. */
async function readAll({ api }: Testbed, couponId: number, rows: number): Promise<Reading> {
  const startMs = performance.now();
  const parts = Array.from({ length: PARTS }, (): number[] => []);
  const count = { rows: 0, bytes: 0, broken: 0 };
  let sampledMs = Number.NEGATIVE_INFINITY;
  while (count.rows < rows) {
    const lines = createLineReader(count.rows);
    try {
      const response = await fetch(`${api.url}/v1/coupons/${couponId}/issues?after=${count.rows}`, {
        headers: { accept: 'text/csv', authorization: `Bearer ${ADMIN_KEY}` },
      });
      if (response.status !== 200 || !response.body) throw new BenchError(`the API answered ${response.status}`);
      const body: ReadableStream<Uint8Array> = response.body;
      for await (const chunk of body) {
        count.bytes += chunk.length;
        lines.read(chunk);
        count.rows = lines.rows();
        if (performance.now() - sampledMs < SAMPLE_MS) continue;
        sampledMs = performance.now();
        const part = parts[Math.min(Math.floor((count.rows / rows) * PARTS), PARTS - 1)];
        if (part?.length === 0) say(`  ${number(count.rows)} rows after ${duration(sampledMs - startMs)}`);
        part?.push(residentMb(api.pid));
      }
      if (count.rows < rows) throw new FailedRun(`${count.rows} of ${rows} rows came`);
    } catch (error) {
      count.broken += 1;
      if (error instanceof FailedRun || count.broken > BROKEN_MAX) throw error;
      await Bun.sleep(SAMPLE_MS);
    }
  }
  return { bytes: count.bytes, durationMs: performance.now() - startMs, broken: count.broken, parts };
}

/** Counts rows that follow each other without a gap. */
function createLineReader(after: number) {
  const decoder = new TextDecoder();
  let rest = '';
  // The header is no row.
  let rows = after - 1;
  return {
    rows: () => Math.max(rows, after),
    read(chunk: Uint8Array): void {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        rows += 1;
        if (rows > after && !line.startsWith(`${rows},`)) throw new FailedRun(`row ${rows} is: ${line}`);
      }
    },
  };
}

function spanOf(samples: readonly number[]): readonly [string, string] {
  return [number(Math.min(...samples)), number(Math.max(...samples))];
}
