// Entry: `bun run dev`, everything for a newcomer. It stops all that it started, in reverse order, and leaves only data behind.
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { cleanUpOnSignals } from './stack/cleanup.ts';
import { isPortFree } from './stack/free-port.ts';
import { endpointLines } from './endpoint-lines.ts';
import { helpOn } from './help.ts';
import { installPackages } from './packages.ts';
import { duration, say, step } from './progress.ts';
import { ReloadingProcess } from './stack/reloading-process.ts';
import { mustRun, runCommand } from './stack/run-command.ts';
import { startStack } from './stack/stack.ts';
import { waitUntil } from './stack/wait-until.ts';
import { watchFiles } from './watch-files.ts';

helpOn(
  'bun run dev                  the whole system on private stores, restarted when a source file changes; PORT is 3000 and HOST localhost unless set',
);

const root = resolve(import.meta.dirname, '..');
const readyMsMax = 60_000;
const cleanup = cleanUpOnSignals({ code: 0, words: 'Stopped. Your data stay in .local/.' });

try {
  await dev();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  await cleanup.run();
  process.exit(1);
}

async function dev(): Promise<void> {
  const startMs = performance.now();
  const port = await choosePort(process.env['PORT'] ?? '3000');
  say('Coupon issuing, for development\n');
  await step(
    'packages',
    () => installPackages(root),
    (installed) => (installed ? 'installed' : 'as in bun.lock'),
  );
  const stack = await startStack({
    folder: resolve(root, '.local'),
    redisUrl: process.env['REDIS_URL'],
    databaseUrl: process.env['DATABASE_URL'],
    say,
  });
  cleanup.add(() => stack.stop());
  const environment = {
    ...process.env,
    REDIS_URL: stack.redisUrl,
    DATABASE_URL: stack.databaseUrl,
    PORT: String(port),
    // AUTH is off, and the key below is known to everybody: this machine alone may call, unless told otherwise.
    HOST: process.env['HOST'] ?? 'localhost',
    // A free one: whoever moves the API to the next port must not collide with the worker.
    WORKER_PORT: process.env['WORKER_PORT'] ?? '0',
    // The stores are ready; what is wrong is to be seen at once.
    START_WAIT_S: process.env['START_WAIT_S'] ?? '0',
    // So that the lines below work as they are; operators need the development key all the same.
    AUTH: process.env['AUTH'] ?? 'off',
    // What goes wrong; the rest would bury the lines that a newcomer needs.
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn',
    // Known to everybody, and good for this stack alone, whose servers listen on loopback.
    ADMIN_API_KEY: process.env['ADMIN_API_KEY'] ?? 'local-development-key-not-a-secret',
  };
  const migrate = (): Promise<string> =>
    mustRun(process.execPath, ['src/commands/migrate.ts'], { folder: root, environment });
  await step('migrate', migrate, () => 'schema is current');
  const processes = ['src/server.ts', 'workers/worker.ts'].map(
    (entry) =>
      new ReloadingProcess({
        name: entry === 'src/server.ts' ? 'api' : 'worker',
        entry,
        folder: root,
        environment,
        say,
      }),
  );
  await startProcesses(processes, migrate);
  const isOpenHere = ['localhost', '127.0.0.1', '0.0.0.0', '::', '::1'].includes(environment.HOST);
  const apiUrl = `http://${isOpenHere ? 'localhost' : environment.HOST}:${port}`;
  const couponId = await seedWhenReady(apiUrl, processes, environment);
  if (couponId === undefined) return;
  say(`\nReady in ${duration(performance.now() - startMs)}.\n`);
  const firstUserId = randomInt(100_000, 1_000_000_000);
  for (const line of endpointLines({ apiUrl, adminApiKey: environment.ADMIN_API_KEY, couponId, firstUserId }))
    say(line);
  if (environment.AUTH === 'off') say('\nAUTH is off, for development: everybody may issue for any user.');
  say('\nA saved file reloads API and worker. Ctrl-C stops everything.\n');
}

async function choosePort(text: string): Promise<number> {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new Error(`PORT is ${JSON.stringify(text)}: it must be a port from 1 to 65535.`);
  }
  if (await isPortFree(port)) return port;
  throw new Error(
    `PORT ${port} is taken by another program: stop that one, or choose another, as in PORT=${port + 1} bun run dev`,
  );
}

async function startProcesses(processes: readonly ReloadingProcess[], migrate: () => Promise<unknown>): Promise<void> {
  for (const process of processes) {
    cleanup.add(() => process.stop());
    await process.start();
  }
  // One reload after the other: two at once would start a process twice.
  let reload = Promise.resolve();
  const stopWatching = watchFiles(root, ['src', 'web', 'workers', 'drizzle'], (path) => {
    if (path.startsWith('tools/stack/')) return;
    reload = reload.then(async () => {
      say(`reload │ ${path} changed`);
      if (path.startsWith('drizzle/')) await migrate();
      await Promise.all(processes.map((process) => process.restart()));
    });
    reload = reload.catch((error: unknown) => say(`reload │ ${String(error)}`));
  });
  // Last in, so first out: nothing may start again while we stop.
  cleanup.add(async () => {
    stopWatching();
    await reload;
  });
}

/** The demo coupon that is open, or undefined when the API does not come up: then its own lines say why, and a change mends it. */
async function seedWhenReady(
  apiUrl: string,
  processes: readonly ReloadingProcess[],
  environment: Record<string, string | undefined>,
): Promise<number | undefined> {
  let ready = false;
  const isReadyOrOver = async (): Promise<boolean> => {
    ready = await answers(`${apiUrl}/readyz`);
    return ready || processes.some((process) => process.hasEnded);
  };
  await step(
    'api',
    () => waitUntil('the API to be ready', isReadyOrOver, { waitMsMax: readyMsMax, pauseMs: 50 }),
    () => (ready ? `ready on port ${new URL(apiUrl).port}` : 'not ready: see its lines, mend it, and it starts again'),
  );
  if (!ready) return undefined;
  const { ok, output } = await runCommand(process.execPath, ['tools/seed.ts'], {
    folder: root,
    environment: { ...environment, API_URL: apiUrl },
  });
  say(`\n${ok ? output : `The demo coupons could not be made:\n${output}`}`);
  // The seed says the open one first; with none, the lines below still show the way.
  return Number(/\bcoupon (\d+)\b/.exec(output)?.[1] ?? 1);
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Not listening yet: the caller asks again.
    return false;
  }
}
