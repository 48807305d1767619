// Entry: `bun run check`, the gate: format, lint, types, import rules, dead code, known vulnerabilities, Lua, tests. It goes on to the end
// and then says what failed; its last line counts every step and every test.
import { existsSync, globSync } from 'node:fs';
import { resolve } from 'node:path';
import { canInstallWithApt, installWithApt } from './stack/apt-packages.ts';
import { cleanUpOnSignals } from './stack/cleanup.ts';
import { findProgram } from './stack/find-program.ts';
import { helpOn } from './help.ts';
import { ensureMonitoringPrograms, howToGetMonitoringPrograms } from './monitor/programs.ts';
import { type AuditResult, auditPackages, installPackages } from './packages.ts';
import { duration, say } from './progress.ts';
import { type CommandResult, runCommand } from './stack/run-command.ts';
import { countsFromLine, countsLine, type TestCounts } from './test-counts.ts';

helpOn('bun run check                runs all checks and all tests; the last line has both counts');

const root = resolve(import.meta.dirname, '..');

interface Check {
  name: string;
  run: () => Promise<AuditResult>;
}

const checks: Check[] = [
  { name: 'format', run: () => tool('biome', 'format', '--colors=off') },
  { name: 'lint', run: () => tool('oxlint') },
  { name: 'types', run: () => tool('tsc', '--noEmit') },
  { name: 'page types', run: () => tool('tsc', '--noEmit', '--project', 'web') },
  // Tests and benches may import what they like.
  { name: 'imports', run: () => tool('depcruise', ...folders('client', 'src', 'workers', 'drizzle', 'web')) },
  { name: 'dead code', run: () => tool('knip') },
  { name: 'audit', run: () => auditPackages(root) },
  { name: 'lua', run: lintLua },
  { name: 'rules', run: checkRules },
  { name: 'tests', run: () => runCommand(process.execPath, ['tools/test.ts'], { folder: root }) },
];

// A check in hand ends with us, by its lifeline; there is nothing else to undo.
cleanUpOnSignals({ code: 130, words: 'Stopped.' });
await installPackages(root);
const total: TestCounts = { passed: 0, failed: 0, skipped: 0 };
const failedNames: string[] = [];
for (const check of checks) {
  const counts = await runCheck(check);
  total.passed += counts.passed;
  total.failed += counts.failed;
  total.skipped += counts.skipped;
  if (counts.failed > 0) failedNames.push(check.name);
}
say(failedNames.length === 0 ? '\nAll is well.' : `\nFailed: ${failedNames.join(', ')}`);
if (total.skipped > 0) say(`${total.skipped} skipped`);
say(countsLine({ ...total, skipped: 0 }));
process.exit(total.failed > 0 ? 1 : 0);

/** Runs one check and says how it went, with its output when it failed. A step counts as one, the tests as many as they are. */
async function runCheck({ name, run }: Check): Promise<TestCounts> {
  const startMs = performance.now();
  process.stdout.write(`  ${name.padEnd(10)} `);
  const result: AuditResult = await run().catch((error: unknown) => ({
    ok: false,
    ended: 'not started',
    output: String(error),
  }));
  const took = duration(performance.now() - startMs);
  const counts = (name === 'tests' ? countsFromLine(result.output) : undefined) ?? { passed: 0, failed: 0, skipped: 0 };
  if (result.ok) {
    say(`ok (${took})${result.note === undefined ? '' : `: ${result.note}`}`);
    return name === 'tests' ? counts : { ...counts, passed: 1 };
  }
  say(`FAILED with ${result.ended} (${took})\n${result.output}\n`);
  return { ...counts, failed: Math.max(1, counts.failed) };
}

/** Runs a program of a package on Bun, so that no Node is needed. */
function tool(name: string, ...args: string[]): Promise<CommandResult> {
  return runCommand(process.execPath, ['--bun', 'run', name, ...args], { folder: root });
}

function folders(...names: string[]): string[] {
  return names.filter((name) => existsSync(resolve(root, name)));
}

async function lintLua(): Promise<CommandResult> {
  const files = globSync(['src/**/*.lua', 'bench/**/*.lua'], { cwd: root });
  if (files.length === 0) return { ok: true, ended: 'code 0', output: '' };
  if (findProgram('luacheck') === undefined && canInstallWithApt()) await installWithApt([[['lua-check']]]);
  const program = findProgram('luacheck');
  if (program === undefined) {
    throw new Error('luacheck not found: install it (Debian, Ubuntu: lua-check; macOS: brew install luacheck).');
  }
  return await runCommand(program, ['--no-color', ...files], { folder: root });
}

/** The configuration of Prometheus, its rules, and the cases in which each rule must speak or be silent. */
async function checkRules(): Promise<CommandResult> {
  const programs = await ensureMonitoringPrograms();
  if (programs === undefined) throw new Error(`promtool not found: ${howToGetMonitoringPrograms}.`);
  const folder = resolve(root, 'monitoring');
  const commands = [
    ['check', 'config', 'prometheus.yml'],
    ['check', 'rules', ...globSync('rules/*.yml', { cwd: folder })],
    ['test', 'rules', ...globSync('tests/*.yml', { cwd: folder })],
  ];
  const results = await Promise.all(commands.map((args) => runCommand(programs.promtool, args, { folder })));
  return {
    ok: results.every(({ ok }) => ok),
    ended: results.map(({ ended }) => ended).join(', '),
    output: results.map(({ output }) => output).join('\n'),
  };
}
