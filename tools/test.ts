// Entry: `bun run test [files…]`, all tests on private stores. Its last line counts; it fails when a test did, or when none ran.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ensureBrowser, howToGetBrowser } from './browser-program.ts';
import { startChild } from './stack/child-process.ts';
import { cleanUpOnSignals } from './stack/cleanup.ts';
import { findProgram } from './stack/find-program.ts';
import { ensureMonitoringPrograms, howToGetMonitoringPrograms } from './monitoring-programs.ts';
import { installPackages } from './packages.ts';
import { duration, say, step } from './progress.ts';
import { startStack } from './stack/stack.ts';
import { countsIn, countsLine, type TestCounts } from './test-counts.ts';

const root = resolve(import.meta.dirname, '..');
// Generous for a loaded machine; a test that hangs still ends.
const testMsMax = 60_000;
const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });

let counts: TestCounts = { passed: 0, failed: 1, skipped: 0 };
try {
  counts = await test(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
} finally {
  await cleanup.run();
}
say(countsLine(counts));
process.exit(counts.failed > 0 ? 1 : 0);

async function test(args: readonly string[]): Promise<TestCounts> {
  const startMs = performance.now();
  await step(
    'packages',
    () => installPackages(root),
    (installed) => (installed ? 'installed' : 'as in bun.lock'),
  );
  const folder = mkdtempSync(join(tmpdir(), 'coupon-test-'));
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const stack = await startStack({
    folder,
    redisUrl: process.env['TEST_REDIS_URL'],
    databaseUrl: process.env['TEST_DATABASE_URL'],
    say,
  });
  cleanup.add(() => stack.stop());
  await step('prometheus', ensureMonitoringPrograms, (programs) =>
    programs === undefined ? `not here, so its test is skipped: ${howToGetMonitoringPrograms}` : 'ready to be started',
  );
  await step('browser', ensureBrowser, (path) =>
    path === undefined ? `not here, so the tests of pages are skipped: ${howToGetBrowser}` : 'ready to be started',
  );
  const reportFile = join(folder, 'report.xml');
  const runner = await startChild({
    program: process.execPath,
    args: [
      'test',
      '--randomize',
      `--timeout=${testMsMax}`,
      '--reporter=junit',
      `--reporter-outfile=${reportFile}`,
      ...(args.length > 0 ? args : ['./test/']),
    ],
    stdio: ['ignore', 'inherit', 'inherit'],
    folder: root,
    environment: {
      ...process.env,
      TEST_REDIS_URL: stack.redisUrl,
      TEST_DATABASE_URL: stack.databaseUrl,
      DENO_PATH: denoPath(),
    },
  });
  cleanup.add(() => runner.stop());
  const ended = await runner.ended;
  say(`\nTests took ${duration(performance.now() - startMs)}, with the servers.`);
  return countsIn(existsSync(reportFile) ? readFileSync(reportFile, 'utf8') : '', ended);
}

/** The program inside the package: the package's own launcher would need Node. */
function denoPath(): string | undefined {
  const inPackage = globSync('node_modules/@deno/*/deno', { cwd: root })[0];
  return inPackage === undefined ? findProgram('deno') : resolve(root, inPackage);
}
