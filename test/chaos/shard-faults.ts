// shard-faults.ts -- What a chaos run does to one shard of Vitess, while the others go on: through the MySQL below its tablet.

import { setTimeout as pause } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { VitessServer } from '../vitess/vitess-server.ts';
import type { Fault } from './faults.ts';

const PAUSE_MS_MIN = 100;
const PAUSE_MS_MAX = 2500;

export function shardFaults({ mysql, shardDatabases }: VitessServer): readonly Fault[] {
  return [
    {
      name: 'the tablet of a shard loses all connections to its MySQL, several times',
      inflict: (_, random) =>
        asRoot(mysql.url, async (root) => {
          const database = random.pick(shardDatabases);
          for (let i = 0; i < 5; i++) {
            await killConnections(root, database);
            await pause(random.between(50, 300));
          }
        }),
    },
    {
      name: 'a shard stands still',
      inflict: (_, random) =>
        asRoot(mysql.url, async (root) => {
          await root.query('SET SESSION lock_wait_timeout = 5');
          const locked = root.query(`FLUSH TABLES \`${random.pick(shardDatabases)}\`.coupon_issues WITH READ LOCK`);
          // It waits for the transactions under way, as others then wait for it.
          await locked.catch(() => undefined);
          await pause(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
        }),
    },
    {
      name: 'the MySQL of the tablets becomes read-only, and writable again',
      inflict: (_, random) =>
        asRoot(mysql.url, async (root) => {
          try {
            await root.query('SET GLOBAL super_read_only = 1');
            await pause(random.between(PAUSE_MS_MIN, PAUSE_MS_MAX));
          } finally {
            await root.query('SET GLOBAL super_read_only = 0');
            await root.query('SET GLOBAL read_only = 0');
          }
        }),
    },
  ];
}

async function killConnections(root: Connection, database: string): Promise<void> {
  const [rows] = await root.query<RowDataPacket[]>('SELECT id FROM information_schema.processlist WHERE db = ?', [
    database,
  ]);
  for (const { id } of rows) {
    await root.query(`KILL ${Number(id)}`).catch(() => {
      // It has ended by itself.
    });
  }
}

async function asRoot(url: string, work: (root: Connection) => Promise<void>): Promise<void> {
  const root = await createConnection(url);
  try {
    await work(root);
  } finally {
    root.destroy();
  }
}
