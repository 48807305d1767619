// dev.ts -- Entry of `bun run dev`, everything for a newcomer. It stops all that it started, in reverse order, and leaves only data behind.
import { randomInt } from 'node:crypto';
import { resolve } from 'node:path';
import { endpointLines } from './dev/endpoint-lines.ts';
import { keepRunning } from './dev/keep-running.ts';
import { localFolder, makeLocalFolder, recordDev } from './dev/local-folder.ts';
import { readableLine, RequestLines, requestOf } from './dev/log-lines.ts';
import { helpOn } from './help.ts';
import { installPackages } from './packages.ts';
import { duration, paint, say, step } from './progress.ts';
import { cleanUpOnSignals } from './stack/cleanup.ts';
import { freePort, isPortFree } from './stack/free-port.ts';
import { ReloadingProcess } from './stack/reloading-process.ts';
import { mustRun, runCommand } from './stack/run-command.ts';
import { type Stack, startStack } from './stack/stack.ts';
import { waitUntil } from './stack/wait-until.ts';
import { watchFiles } from './watch-files.ts';

helpOn(`bun run dev                  the whole system on private stores, restarted when a source file changes

Defaults: PORT=3000, HOST=localhost, AUTH=off, REQUEST_LOG=on. Every setting of docs/configuration.md can be set; REDIS_URL and
DATABASE_URL select existing stores instead of private ones. While it runs, \`bun run rehearse\` rehearses a drop on it,
\`bun run monitor\` shows it on dashboards, and commands such as \`bun run keys\` use its stores.`);

const root = resolve(import.meta.dirname, '..');
const readyMsMax = 60_000;
const cleanup = cleanUpOnSignals({ code: 0, words: 'Stopped. Your data stay in .local/.' });

try {
  await dev();
} catch (error) {
  await fail(error instanceof Error ? error.message : String(error));
}

async function fail(reason: string): Promise<never> {
  console.error(`\n${reason}`);
  await cleanup.run();
  process.exit(1);
}

async function dev(): Promise<void> {
  const startMs = performance.now();
  const port = await choosePort(process.env['PORT'] ?? '3000');
  makeLocalFolder();
  say(`${paint('bold', 'Coupon issuing, for development')}\n`);
  await step(
    'packages',
    () => installPackages(root),
    (installed) => (installed ? 'installed' : 'as in bun.lock'),
  );
  const stack = await startStores();
  const environment = await environmentFor(stack, port);
  const migrate = (): Promise<string> =>
    mustRun(process.execPath, ['src/commands/migrate.ts'], { folder: root, environment });
  await step('migrate', migrate, () => 'schema is current');
  const [api, worker] = [
    createProcess('api', 'src/server.ts', environment),
    createProcess('worker', 'workers/worker.ts', environment),
  ];
  await startProcesses([api, worker], migrate);
  const isOpenHere = ['localhost', '127.0.0.1', '0.0.0.0', '::', '::1'].includes(environment.HOST);
  const host = `http://${isOpenHere ? 'localhost' : environment.HOST}`;
  const apiUrl = `${host}:${port}`;
  const { redisUrl, databaseUrl } = stack;
  const adminApiKey = environment.ADMIN_API_KEY;
  const workerUrl = `${host}:${environment.WORKER_PORT}`;
  const record = { pid: process.pid, apiUrl, workerUrl, adminApiKey, DATABASE_URL: databaseUrl, REDIS_URL: redisUrl };
  cleanup.add(recordDev(record));
  if (!(await isReady('api', api, `${apiUrl}/readyz`))) return;
  await isReady('worker', worker, `${workerUrl}/livez`);
  const couponId = await seed(apiUrl, environment);
  say(`\n${paint('green', `Ready in ${duration(performance.now() - startMs)}.`)}\n`);
  const isAuthOn = environment.AUTH !== 'off';
  const firstUserId = randomInt(10_000, 100_000);
  const lines = endpointLines({ apiUrl, adminApiKey, isAuthOn, redisUrl, databaseUrl, couponId, firstUserId });
  for (const line of lines) say(line);
  if (!isAuthOn) say('\nAUTH is off, for development: everybody may issue for any user.');
  say('\nA saved file reloads API and worker. Ctrl-C stops everything.');
  say(`Next, in another terminal: ${paint('bold', 'bun run rehearse')} sends a crowd and counts the promises.\n`);
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

async function startStores(): Promise<Stack> {
  const stack = await startStack({
    folder: localFolder,
    redisUrl: process.env['REDIS_URL'],
    databaseUrl: process.env['DATABASE_URL'],
    say,
  });
  cleanup.add(() => stack.stop());
  const giveUp = (reason: string): void => void fail(reason);
  for (const { name, server } of stack.servers) cleanup.add(keepRunning({ name, server, say, giveUp }));
  return stack;
}

async function environmentFor(stack: Stack, port: number) {
  return {
    ...process.env,
    REDIS_URL: stack.redisUrl,
    DATABASE_URL: stack.databaseUrl,
    PORT: String(port),
    // AUTH is off, and the key below is known to everybody: this machine alone may call, unless HOST says otherwise.
    HOST: process.env['HOST'] ?? 'localhost',
    // A free one: an API that is moved to the next port must not collide with the worker.
    WORKER_PORT: process.env['WORKER_PORT'] ?? String(await freePort()),
    // The stores are ready; what is wrong is to be seen immediately.
    START_WAIT_S: process.env['START_WAIT_S'] ?? '0',
    // So that the printed lines are short; operators need the development key all the same.
    AUTH: process.env['AUTH'] ?? 'off',
    // A line for each request, which `log-lines.ts` makes readable.
    LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'info',
    REQUEST_LOG: process.env['REQUEST_LOG'] ?? 'on',
    REQUEST_LOG_SECRET: process.env['REQUEST_LOG_SECRET'] ?? 'local-development-only',
    // So that a receiver on this machine can be tried.
    WEBHOOK_PRIVATE: process.env['WEBHOOK_PRIVATE'] ?? 'on',
    // Known to everybody, and good for this stack alone, whose servers listen on loopback.
    ADMIN_API_KEY: process.env['ADMIN_API_KEY'] ?? 'local-development-key-not-a-secret',
  };
}

function createProcess(name: string, entry: string, environment: Record<string, string | undefined>): ReloadingProcess {
  let requests: RequestLines | undefined;
  const onLine = (line: string, show: (text: string) => void): void => {
    requests ??= new RequestLines(show);
    const request = requestOf(line);
    if (request === null) show(readableLine(line));
    else requests.add(request);
  };
  return new ReloadingProcess({ name, entry, folder: root, environment, say, onLine });
}

async function startProcesses(processes: readonly ReloadingProcess[], migrate: () => Promise<unknown>): Promise<void> {
  for (const process of processes) {
    cleanup.add(() => process.stop());
    await process.start();
  }
  // One reload after the other: two at the same time would start a process twice.
  let reload = Promise.resolve();
  const stopWatching = watchFiles(root, ['src', 'web', 'workers', 'drizzle'], (path) => {
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

/** Whether a process has come up; if not, its own lines say why, and a change to a file starts it again. */
async function isReady(name: string, process: ReloadingProcess, url: string): Promise<boolean> {
  let ready = false;
  const isReadyOrOver = async (): Promise<boolean> => {
    ready = await answers(url);
    return ready || process.hasEnded;
  };
  await step(
    name,
    () => waitUntil(`the ${name} to be ready`, isReadyOrOver, { waitMsMax: readyMsMax, pauseMs: 50 }),
    () => (ready ? `ready on port ${new URL(url).port}` : 'not ready: see its lines, mend it, and it starts again'),
  );
  return ready;
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(url, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    // Not listening yet: the caller asks again.
    return false;
  }
}

/** Makes the demo coupons, and returns the one that is open. */
async function seed(apiUrl: string, environment: Record<string, string | undefined>): Promise<number> {
  const { ok, output } = await runCommand(process.execPath, ['tools/dev/seed.ts'], {
    folder: root,
    environment: { ...environment, API_URL: apiUrl },
  });
  say(`\n${ok ? output : `The demo coupons could not be made:\n${output}`}`);
  // The seed says the open one first; with none, the lines below still show the way.
  return Number(/\bcoupon (\d+)\b/.exec(output)?.[1] ?? 1);
}
