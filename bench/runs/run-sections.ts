// run-sections.ts -- A run of a load tool as notes and tables: for the page and for Markdown.

import type { Section } from '../report/sections.ts';
import { number, secondsTable, type Table } from '../report/tables.ts';
import { wasBusy } from '../testbed/machine.ts';
import type { Earlier, Figures, RunReport } from './run-report.ts';

export function runSection(run: RunReport): Section {
  const { tool, run: name, settings, figures, watched, promises, earlier } = run;
  const given = Object.entries(settings).map(([setting, value]) => `${setting}=${value}`);
  return {
    title: `${tool} ${name}`,
    notes: [
      `${verdictOf(run)} ${hostText(run)}`,
      `Settings: ${given.length === 0 ? 'defaults' : given.join(', ')}.`,
      promisesText(promises),
    ],
    tables: [
      ...(figures === null ? [] : [figuresTable(run, earlier), thresholdsTable(figures.thresholds)]),
      ...(watched.responseTimes.length === 0 ? [] : [responseTimesTable(watched.responseTimes)]),
      ...(watched.seconds.length === 0 ? [] : [secondsTable(watched.seconds)]),
    ],
    link: { text: `The page of ${tool}`, href: run.toolPage },
  };
}

function verdictOf({ passed, undecided }: RunReport): string {
  if (!passed) return 'FAILED.';
  return undecided === null ? 'Passed.' : `Everything held; speed is not decided: ${undecided}.`;
}

function hostText({ host }: RunReport): string {
  const { cpu, coresOfMachine, memoryGib, kernel, bun, commit, takenAt, loadBefore } = host;
  return [
    `Commit ${commit}, ${takenAt}, generator and system on ${coresOfMachine} cores of ${cpu}, ${memoryGib} GiB, Linux ${kernel}, Bun ${bun};`,
    `load before the run: ${loadBefore}.`,
    ...(wasBusy(host) ? ['The machine was busy with other work: figures of speed are rough.'] : []),
  ].join(' ');
}

function promisesText(promises: RunReport['promises']): string {
  if (promises === null) return 'Nothing was issued, so there are no promises to verify.';
  if (promises.faults.length === 0) return `P1 to P5 verified: ${promises.account}.`;
  return `P1 to P5 NOT verified: ${promises.faults.join('; ')}. ${promises.account}.`;
}

/** Beside those of the run before it, where there is one. */
function figuresTable({ host, figures }: RunReport, earlier: Earlier | null): Table {
  const columns = [{ host, figures }, ...(earlier === null ? [] : [earlier])];
  const row = (name: string, pick: (figures: Figures) => number | undefined, digits = 1): string[] => [
    name,
    ...columns.map((column) => number((column.figures && pick(column.figures)) ?? null, digits)),
    ...changeOf(columns.map((column) => (column.figures === null ? undefined : pick(column.figures)))),
  ];
  const heads = ['commit', ...columns.map((column) => column.host.commit), ...(earlier === null ? [] : ['change'])];
  return [
    heads,
    row('requests', ({ requests }) => requests, 0),
    row('requests/s', ({ requestsPerS }) => requestsPerS),
    ...Object.keys(figures?.latencyMs ?? {}).map((name) => row(`${name} ms`, ({ latencyMs }) => latencyMs[name])),
  ];
}

function changeOf([now, before]: readonly (number | undefined)[]): string[] {
  if (before === undefined) return [];
  if (now === undefined || before === 0) return [''];
  const percent = Math.round((100 * (now - before)) / before);
  return [`${percent > 0 ? '+' : ''}${percent} %`];
}

function thresholdsTable(thresholds: NonNullable<RunReport['figures']>['thresholds']): Table {
  return [['threshold', ''], ...thresholds.map(({ rule, held }) => [rule, held ? 'held' : 'BROKEN'])];
}

function responseTimesTable(responseTimes: RunReport['watched']['responseTimes']): Table {
  const all = responseTimes.reduce((sum, [, answers]) => sum + answers, 0);
  const rows = responseTimes.map(([boundMs, answers]) => [
    boundMs === null ? 'more' : `up to ${number(boundMs, 1)}`,
    number(answers),
    `${number((100 * answers) / all, 1)} %`,
  ]);
  return [['response time in the API, ms', 'answers', 'share'], ...rows];
}
