// Entry: `bun run bench`, how fast the system is beside its ceiling and the ordinary ways, and whether it stayed exact meanwhile.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type Cleanup, cleanUpOnSignals } from '../tools/stack/cleanup.ts';
import { say } from '../tools/progress.ts';
import { ensureServerPrograms } from '../tools/stack/stack.ts';
import { alone } from './compare/alone.ts';
import { compare } from './compare/compare.ts';
import { type Flags, help, readFlags } from './compare/flags.ts';
import { growth } from './growth/growth.ts';
import { reportPage } from './report/page.ts';
import { profileTable } from './report/profile.ts';
import { withBenchSection } from './report/readme.ts';
import { type Report, readReport, reportFolder, writeReport } from './report/report.ts';
import { comparisonTable, markdownTable } from './report/tables.ts';
import { targetTable } from './report/targets.ts';
import { rush } from './rush/million.ts';
import { bindToCores } from './testbed/cores.ts';
import { describeMachine, type Machine } from './testbed/machine.ts';
import { openStand, type Stand } from './testbed/testbed.ts';
import { ensureWrk } from './testbed/wrk.ts';

const profileFolder = join(reportFolder, 'profiles');
const cleanup = cleanUpOnSignals({ code: 130, words: 'Stopped. Nothing of the run is kept.' });
let code = 0;
try {
  const flags = readFlags(process.argv.slice(2));
  await bench(flags, cleanup);
  // A process writes its profile when it ends.
  await cleanup.run();
  if (flags.profile) sayProfiles();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  code = 1;
} finally {
  await cleanup.run();
}
process.exit(code);

async function bench(flags: Flags, undo: Cleanup): Promise<void> {
  if (flags.help) return say(help);
  if (flags.readme) return writeSection();
  await ensureWrk();
  await ensureServerPrograms(say);
  const cores = await bindToCores(flags.cores);
  if (flags.profile) {
    rmSync(profileFolder, { recursive: true, force: true });
    mkdirSync(profileFolder, { recursive: true });
  }
  const stand = await openStand({ cleanup: undo, profileFolder: flags.profile ? profileFolder : undefined });
  const machine = await describeMachine(cores, stand.redis, stand.database);
  say(`  on cores ${cores.join(', ')} of ${machine.cpu}, commit ${machine.commit}\n`);
  if (flags.parts.has('compare')) await runCompare(stand, flags, machine);
  if (flags.parts.has('alone')) keep({ alone: { machine, findings: await alone(stand) } });
  if (flags.parts.has('growth')) keep({ growth: { machine, findings: await growth(stand) } });
  if (flags.parts.has('million')) await runMillion(stand, machine);
  say(`\n${markdownTable(targetTable(readReport()))}\n\nReport: reports/bench.html, reports/bench.json`);
}

async function runCompare(stand: Stand, flags: Flags, machine: Machine): Promise<void> {
  const { rounds, seconds, connections } = flags;
  const cases = await compare(stand, flags);
  // Profiling slows what it watches, so such figures are shown and not kept.
  if (!flags.profile) keep({ compare: { machine, findings: { rounds, seconds, connections, cases } } });
  say(`\n${markdownTable(comparisonTable(cases))}`);
}

async function runMillion(stand: Stand, machine: Machine): Promise<void> {
  const found = await rush(stand);
  keep({ million: { machine, findings: found } });
  if (found.broken.length > 0) throw new Error(`A million requests were not exact:\n${found.broken.join('\n')}`);
}

/** Puts a part in place of the last of its kind. */
function keep(part: Partial<Report>): void {
  const report = { ...readReport(), ...part };
  writeReport(report);
  writeFileSync(join(reportFolder, 'bench.html'), reportPage(report));
}

function writeSection(): void {
  const file = resolve(import.meta.dirname, '../docs/performance.md');
  writeFileSync(file, withBenchSection(readFileSync(file, 'utf8'), readReport()));
}

function sayProfiles(): void {
  for (const name of ['api', 'worker']) {
    const table = profileTable(profileFolder, name);
    if (table !== null) say(`\nCPU of ${name}, by own time\n${markdownTable(table)}`);
  }
}
