// operator-command.ts -- A command of operators on the stores of a chaos run, which may be killed anywhere in its work.

import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Cluster } from './cluster.ts';

/**
 * Runs `src/commands/<name>.ts` to its end, or kills it after some time.
 *
 * @returns its exit code, null if it was killed, and what it said on standard error
 */
export async function runOperatorCommand(
  { config: { DATABASE_URL, REDIS_URL, PARTITIONS, REPLICAS_MIN } }: Cluster,
  [name, ...args]: readonly string[],
  killAfterMs: number | null,
): Promise<{ readonly code: number | null; readonly said: string }> {
  const settings = { DATABASE_URL, REDIS_URL, PARTITIONS, REPLICAS_MIN };
  const child = Bun.spawn([process.execPath, `src/commands/${name}.ts`, ...args], {
    cwd: join(import.meta.dirname, '../..'),
    env: { PATH: process.env['PATH'] ?? '', ...mapped(settings) },
    stdout: 'ignore',
    stderr: 'pipe',
  });
  const said = new Response(child.stderr).text();
  if (killAfterMs !== null) await Promise.race([child.exited, pause(killAfterMs)]);
  const code = killAfterMs === null ? await child.exited : child.exitCode;
  child.kill('SIGKILL');
  await child.exited;
  return { code, said: await said };
}

function mapped(settings: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).map(([key, value]) => [key, String(value)]));
}
