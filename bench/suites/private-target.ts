// A private target: durable stores, migrated, one API process and one worker, on free ports; gone afterwards.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ChildProcess, startChild } from '../../tools/stack/child-process.ts';
import type { Cleanup } from '../../tools/stack/cleanup.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { say, step } from '../../tools/progress.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { startStack } from '../../tools/stack/stack.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { tempFolder } from '../../tools/leftovers.ts';
import type { Target } from './target.ts';

const root = resolve(import.meta.dirname, '../..');
const readyMsMax = 60_000;

/**
 * Starts everything, and hands each stop to `cleanup`.
 *
 * @throws Error with the log of a process that does not come up
 */
export async function startPrivateTarget(cleanup: Cleanup): Promise<Target> {
  const folder = tempFolder('coupon-bench-');
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const stack = await startStack({ folder, say });
  cleanup.add(() => stack.stop());
  const port = await freePort();
  const environment = {
    ...process.env,
    DATABASE_URL: stack.databaseUrl,
    REDIS_URL: stack.redisUrl,
    HOST: '127.0.0.1',
    PORT: String(port),
    WORKER_PORT: '0',
    LOG_LEVEL: 'warn',
    AUTH: 'off',
    ADMIN_API_KEY: randomBytes(16).toString('hex'),
  };
  await step(
    'migrate',
    () => mustRun(process.execPath, ['src/commands/migrate.ts'], { folder: root, environment }),
    () => 'schema is current',
  );
  const url = `http://127.0.0.1:${port}`;
  await step(
    'target',
    async () => {
      for (const entry of ['src/server.ts', 'workers/worker.ts']) {
        await startProcess({ entry, log: join(folder, `${entry.replace('/', '-')}.log`), environment, cleanup });
      }
      await waitUntil('the API to be ready', () => isReady(url), { waitMsMax: readyMsMax });
    },
    () => `API and worker ready at ${url}`,
  );
  return { url, environment };
}

interface ProcessOptions {
  entry: string;
  log: string;
  environment: Record<string, string | undefined>;
  cleanup: Cleanup;
}

async function startProcess({ entry, log, environment, cleanup }: ProcessOptions): Promise<ChildProcess> {
  const file = openSync(log, 'w');
  const child = await startChild({
    program: process.execPath,
    args: [entry],
    stdio: ['ignore', file, file],
    folder: root,
    environment,
  });
  closeSync(file);
  let isWanted = true;
  cleanup.add(async () => {
    isWanted = false;
    await child.stop();
  });
  void child.ended.then((how) => {
    // A run whose target died goes on to its end, and fails there; this says why.
    if (isWanted) console.error(`${entry} ended with ${how}:\n${readFileSync(log, 'utf8').trimEnd()}`);
  });
  return child;
}

async function isReady(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Not listening yet: retried until the bound.
    return false;
  }
}
