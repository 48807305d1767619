// Entry: `bun run bench`, how fast the system is beside its ceiling and the ordinary ways, and whether it stayed exact meanwhile.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Cleanup } from '../tools/stack/cleanup.ts';
import { say } from '../tools/progress.ts';
import { ensureServerPrograms } from '../tools/stack/stack.ts';
import { FailedRun, withBenchError } from './bench-error.ts';
import { runCommand } from './command.ts';
import { burst } from './open-model/burst.ts';
import { latency } from './open-model/latency.ts';
import { alone } from './compare/alone.ts';
import { compare } from './compare/compare.ts';
import { type Flags, help, readFlags } from './compare/flags.ts';
import { flood } from './flood/flood.ts';
import { growth } from './growth/growth.ts';
import { many } from './many/many.ts';
import { profileTable } from './report/profile.ts';
import { withBenchSection } from './report/readme.ts';
import { type Report, readReport, reportFolder, writeReport } from './report/report.ts';
import { writeReports } from './runs/write-reports.ts';
import { comparisonTable, markdownTable } from './report/tables.ts';
import { targetTable } from './report/targets.ts';
import { rush } from './rush/million.ts';
import { scale } from './scaling/scale.ts';
import { sizes } from './sizes/sizes.ts';
import { bindToCores } from './testbed/cores.ts';
import { describeMachine, type Machine } from './testbed/machine.ts';
import { openTestbed, type Testbed } from './testbed/testbed.ts';
import { ensureWrk } from './testbed/wrk.ts';

const profileFolder = join(reportFolder, 'profiles');
await runCommand(help, async (args, cleanup) => {
  const flags = readFlags(args);
  if (flags.readme) writeSection();
  else await bench(flags, cleanup);
  return true;
});

async function bench(flags: Flags, cleanup: Cleanup): Promise<void> {
  await ensureWrk();
  await withBenchError(() => ensureServerPrograms(say));
  const cores = await bindToCores(flags.cores);
  if (flags.profile) {
    rmSync(profileFolder, { recursive: true, force: true });
    mkdirSync(profileFolder, { recursive: true });
  }
  const testbed = await withBenchError(() =>
    openTestbed({ cleanup, profileFolder: flags.profile ? profileFolder : undefined }),
  );
  const machine = await describeMachine(cores, testbed.redis, testbed.database);
  say(`  on cores ${cores.join(', ')} of ${machine.cpu}, commit ${machine.commit}\n`);
  if (flags.parts.has('compare')) await runCompare(testbed, flags, machine);
  if (flags.parts.has('alone')) keep({ alone: { machine, findings: await alone(testbed) } });
  if (flags.parts.has('growth')) keep({ growth: { machine, findings: await growth(testbed) } });
  if (flags.parts.has('flood')) say(`\n${markdownTable(await flood(testbed, flags))}`);
  if (flags.parts.has('latency')) await latency(testbed, flags);
  if (flags.parts.has('burst')) await burst(testbed, flags);
  if (flags.parts.has('million')) await runMillion(testbed, machine);
  if (flags.parts.has('many')) say(`\n${markdownTable(await many(testbed, flags))}`);
  if (flags.parts.has('scale')) for (const table of await scale(testbed, flags)) say(`\n${markdownTable(table)}`);
  // Last: it stops the worker.
  if (flags.parts.has('sizes')) say(`\n${markdownTable(await sizes(testbed))}`);
  say(`\n${markdownTable(targetTable(readReport()))}\n\nReport: reports/report.html, reports/bench.json`);
  if (!flags.profile) return;
  // A process writes its profile when it ends.
  await cleanup.run();
  sayProfiles();
}

async function runCompare(testbed: Testbed, flags: Flags, machine: Machine): Promise<void> {
  const { rounds, seconds, connections } = flags;
  const cases = await compare(testbed, flags);
  // Profiling slows what it watches, so such figures are shown and not kept.
  if (!flags.profile) keep({ compare: { machine, findings: { rounds, seconds, connections, cases } } });
  say(`\n${markdownTable(comparisonTable(cases))}`);
}

async function runMillion(testbed: Testbed, machine: Machine): Promise<void> {
  const found = await rush(testbed);
  keep({ million: { machine, findings: found } });
  if (found.broken.length > 0) throw new FailedRun(`A million requests were not exact:\n${found.broken.join('\n')}`);
}

/** Puts a part in place of the last of its kind. */
function keep(part: Partial<Report>): void {
  const report = { ...readReport(), ...part };
  writeReport(report);
  writeReports();
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
