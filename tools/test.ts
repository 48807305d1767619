// Entry: `bun run test [unit | files…]`, all tests on private stores, or those of `test/unit`, which need none. Its last line counts;
// it fails when a test did, or when none ran.
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { helpOn } from './help.ts';
import { ensureMonitoringPrograms, howToGetMonitoringPrograms } from './monitor/programs.ts';
import { reasonToSkip, skippedIn } from '../test/other-stores.ts';
import { startRedisCluster } from '../test/redis-cluster.ts';
import { installPackages } from './packages.ts';
import { duration, say, step } from './progress.ts';
import { cleanUpOnSignals } from './stack/cleanup.ts';
import { findProgram } from './stack/find-program.ts';
import { tempFolder } from './leftovers.ts';
import { runCommand } from './stack/run-command.ts';
import { startStack } from './stack/stack.ts';
import { countsIn, countsLine, testsIn, type TestCounts } from './test-counts.ts';
import { failuresOf, groupsOf } from './test-groups.ts';
import { runMatrix } from './matrix/test-matrix.ts';
import {
  ensureBrowser,
  ensureFuzzer,
  ensureNginx,
  howToGetBrowser,
  howToGetFuzzer,
  howToGetNginx,
} from './test-programs.ts';

helpOn(`bun run test                 all tests, on private stores, as many groups at a time as there are cores
bun run test unit            only test/unit, which needs no server
bun run test FILE…           these files or folders, such as test/http or http
bun run test --matrix        the suites that touch the stores, on every server of docs/compatibility.md
bun run test --matrix TEXT [FILE…]   only on servers with TEXT in their names; these files or folders

TEST_REDIS_URL and TEST_DATABASE_URL select existing stores instead of private ones. TEST_REDIS=cluster uses a private Redis Cluster
of three masters, except for tests that need another kind of Redis.`);

const root = resolve(import.meta.dirname, '..');
// Generous for a loaded machine; a test that hangs still ends.
const testMsMax = 60_000;
const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped.' });

let counts: TestCounts = { passed: 0, failed: 1, skipped: 0 };
try {
  const [first, ...others] = process.argv.slice(2);
  counts = first === '--matrix' ? await runMatrix(others) : await test(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
} finally {
  await cleanup.run();
}
say(countsLine(counts));
process.exit(counts.failed > 0 ? 1 : 0);

async function test(args: readonly string[]): Promise<TestCounts> {
  const startMs = performance.now();
  const isUnit = args.length === 1 && args[0] === 'unit';
  await step(
    'packages',
    () => installPackages(root),
    (installed) => (installed ? 'installed' : 'as in bun.lock'),
  );
  const named = filesOf(isUnit ? ['test/unit'] : args.length > 0 ? args : ['test']);
  const folder = tempFolder('coupon-test-');
  cleanup.add(() => rmSync(folder, { recursive: true, force: true }));
  const environment = isUnit ? { ...process.env } : await prepare(folder);
  const files = named.filter((file) => !reasonToSkip(file, environment));
  const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const skipped = named.flatMap((file) => reasonToSkip(file, environment) ?? []);
  for (const file of named)
    if (!files.includes(file)) total.skipped += testsIn(readFileSync(resolve(root, file), 'utf8'));
  const { heavy, others } = groupsOf(files);
  let done = 0;
  const runAll = async (groups: string[][]): Promise<void> => {
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      const { counts: found, output } = await runGroup(group, mkdtempSync(join(folder, 'group-')), environment);
      total.passed += found.passed;
      total.failed += found.failed;
      total.skipped += found.skipped;
      if (found.failed > 0) failures.push(failuresOf(output));
      skipped.push(...skippedIn(output));
      done += group.length;
      say(`  ${String(done).padStart(3)} of ${files.length} files, ${total.passed} passed, ${total.failed} failed`);
    }
  };
  const runHeavy = async (): Promise<void> => {
    await runAll(heavy);
    await runAll(others);
  };
  const further = Array.from({ length: Math.max(1, availableParallelism() - 1) }, () => runAll(others));
  await Promise.all([runHeavy(), ...further]);
  for (const failure of failures) say(`\n${failure}`);
  for (const line of new Set(skipped)) say(line);
  say(`\nTests took ${duration(performance.now() - startMs)}, with the servers.`);
  // A selection that names nothing has shown nothing.
  return total.passed + total.failed === 0 ? { ...total, failed: 1 } : total;
}

/** Brings the stores and programs that tests need; returns the environment that names them. */
async function prepare(folder: string): Promise<Record<string, string | undefined>> {
  const cluster =
    process.env['TEST_REDIS'] === 'cluster'
      ? await startRedisCluster({ folder: join(folder, 'cluster'), masters: 3 })
      : null;
  cleanup.add(() => cluster?.stop());
  const stack = await startStack({
    folder,
    redisUrl: cluster?.url ?? process.env['TEST_REDIS_URL'],
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
  await step('nginx', ensureNginx, (path) =>
    path === undefined ? `not here, so the tests of the proxy are skipped: ${howToGetNginx}` : 'ready to be started',
  );
  await step('fuzzer', ensureFuzzer, (path) =>
    path === undefined
      ? `Schemathesis is not here, so its test is skipped: ${howToGetFuzzer}`
      : 'Schemathesis is ready to be started',
  );
  return {
    ...process.env,
    TEST_REDIS_URL: stack.redisUrl,
    TEST_DATABASE_URL: stack.databaseUrl,
    DENO_PATH: denoPath(),
    // What a test leaves behind when it is killed goes with this folder.
    TMPDIR: folder,
  };
}

/** @throws Error for a place without a test: a misspelt name must not look like a success of the others */
function filesOf(places: readonly string[]): string[] {
  const files = places.flatMap((place) => {
    // `model` for `test/model`.
    const path = existsSync(resolve(root, place)) ? place : `test/${place}`;
    const found = globSync(path.endsWith('.ts') ? path : `${path.replace(/\/+$/, '')}/**/*.test.ts`, { cwd: root });
    if (found.length === 0)
      throw new Error(`No test is in ${place}: name files such as test/unit/bloom-filter.test.ts, or folders`);
    return found;
  });
  return [...new Set(files)];
}

async function runGroup(files: readonly string[], folder: string, environment: Record<string, string | undefined>) {
  const report = join(folder, 'report.xml');
  const options = [`--timeout=${testMsMax}`, '--randomize', '--reporter=junit', `--reporter-outfile=${report}`];
  const args = ['test', ...options, ...files.map((file) => `./${file}`)];
  const { ended, output } = await runCommand(process.execPath, args, { folder: root, environment });
  const found = countsIn(existsSync(report) ? readFileSync(report, 'utf8') : '', ended);
  // A group may lack what its tests need, such as a browser. Whether any test ran is judged over all groups.
  const isSkipped = ended === 'code 0' && found.passed === 0 && found.skipped > 0;
  return { counts: isSkipped ? { ...found, failed: 0 } : found, output };
}

/** The program inside the package: the package's own launcher would need Node. */
function denoPath(): string | undefined {
  const inPackage = globSync('node_modules/@deno/*/deno', { cwd: root })[0];
  return inPackage === undefined ? findProgram('deno') : resolve(root, inPackage);
}
