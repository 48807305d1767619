// leftovers.test.ts -- A run that is ended from outside leaves nothing: its servers end with it, its folder goes with the next run.

import { expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProcess } from '../../tools/stack/process-identity.ts';
import { removeLeftovers, tempFolder } from '../../tools/leftovers.ts';
import { eventually } from '../eventually.ts';

test.each(['SIGTERM', 'SIGKILL'] as const)('a run that gets %s leaves no server and no folder', async (signal) => {
  await using run = await startRun();
  run.kill(signal);
  await run.exited;
  await eventually('its Redis to end', () => findProcess(run.redisPid) === undefined);
  removeLeftovers();
  expect(existsSync(run.folder)).toBe(false);
});

test('the folder of a run that is still there is left alone, and so is one that names no owner', () => {
  const owned = tempFolder('coupon-kept-');
  const unowned = mkdtempSync(join(tmpdir(), 'coupon-without-owner-'));
  try {
    removeLeftovers();
    expect([existsSync(owned), existsSync(unowned)]).toEqual([true, true]);
  } finally {
    rmSync(owned, { recursive: true });
    rmSync(unowned, { recursive: true });
  }
});

/** A run in a process of its own: a folder with a Redis in it, and what every command does when it is told to stop. */
async function startRun() {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'leftovers-entry.ts')], {
    stdout: 'pipe',
    stderr: 'inherit',
  });
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  const [folder = '', redisPid = ''] = new TextDecoder().decode(value).trim().split('\n');
  return {
    folder,
    redisPid: Number(redisPid),
    exited: child.exited,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}
