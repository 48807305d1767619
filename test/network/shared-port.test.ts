// shared-port.test.ts -- Processes that share a port are replaced without a lost connection where the system hands over those that wait
// to be accepted, as the guide asks for.

import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { findProgram } from '../../tools/stack/find-program.ts';
import type { SharedPortResult } from './shared-port-entry.ts';

const root = resolve(import.meta.dir, '../..');
const setting = /^net\.ipv4\.(tcp_migrate_req) = 1$/m.exec(readFileSync(join(root, 'deploy/sysctl.conf'), 'utf8'))?.[1];
const unshare = findProgram('unshare');
const canRun =
  unshare !== undefined &&
  findProgram('ip') !== undefined &&
  process.getuid?.() === 0 &&
  existsSync(`/proc/sys/net/ipv4/${setting ?? ''}`);

/** What callers got while four processes on one port were each replaced so often. */
async function replaceAll(migrate: '0' | '1', rounds: number): Promise<SharedPortResult> {
  const entry = join(import.meta.dir, 'shared-port-entry.ts');
  const args = [unshare ?? '', '--net', process.execPath, entry, migrate, '4', String(rounds)];
  const child = Bun.spawn(args, { stdout: 'pipe', stderr: 'inherit' });
  const text = await new Response(child.stdout).text();
  expect(await child.exited).toBe(0);
  return JSON.parse(text) as SharedPortResult;
}

test.skipIf(!canRun)(
  'with the setting of deploy/sysctl.conf no connection is lost while all processes are replaced',
  async () => {
    const { answered, broken, refused } = await replaceAll('1', 3);
    expect({ broken, refused }).toEqual({ broken: 0, refused: 0 });
    expect(answered).toBeGreaterThan(500);
  },
);
