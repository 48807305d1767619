// Entry: `bun run bench:k6 [scenario] [script]`: runs a k6 script against a system of its own, or TARGET, and verifies it.
import { existsSync, readFileSync } from 'node:fs';
import { figuresIn, generatorBound, type SummaryData } from './summary.ts';
import { noMoreThan, durationSetting, oneOf, wholeSetting } from '../suites/setting.ts';
import { runSuite, type Suite } from '../suites/suite.ts';
import { findK6 } from '../suites/tool.ts';

const usage = `bun run bench:k6 [scenario] [script]

  scenario   steady (by default), rush, spike, soak
  script     mixed (by default), hello, issue, issue-async-v1, issue-async-v2

Settings in the environment: RATE (the highest, per second), DURATION (30s, 10m, 1h), STOCK (rush), VIRTUAL_USERS, P99_MS_MAX,
USER_ID_PREFIX (before each user's number).
Against a system that runs already: TARGET, with ADMIN_API_KEY, DATABASE_URL and REDIS_URL (METRICS_URL where metrics have a port of
their own); else one is started for the run.
Exit code: 0 all held; 1 a threshold or a promise was broken; 2 it could not be run. More: bench/README.md`;

await runSuite(usage, readSuite);

function readSuite(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Suite {
  noMoreThan(args, 2);
  const scenario = oneOf('scenario', ['steady', 'rush', 'spike', 'soak'], args[0]);
  const script = oneOf('script', ['mixed', 'hello', 'issue', 'issue-async-v1', 'issue-async-v2'], args[1]);
  const settings = {
    SCENARIO: scenario,
    RATE: text(wholeSetting(environment, 'RATE')),
    DURATION: text(durationSetting(environment, 'DURATION')),
    STOCK: text(wholeSetting(environment, 'STOCK')),
    VIRTUAL_USERS: text(wholeSetting(environment, 'VIRTUAL_USERS')),
    P99_MS_MAX: text(wholeSetting(environment, 'P99_MS_MAX')),
    USER_ID_PREFIX: environment['USER_ID_PREFIX'],
  };
  return {
    name: 'k6',
    run: `${script}-${scenario}`,
    issues: script !== 'hello',
    findTool: () => findK6(),
    settings,
    boundOf: (folder) => generatorBound(readSummary(folder) ?? { metrics: {} }),
    figuresOf: (folder) => {
      const summary = readSummary(folder);
      return summary === null ? null : figuresIn(summary);
    },
    command: ({ url }, folder) => ({
      args: [
        'run',
        '--quiet',
        '--no-usage-report',
        // The console is the record of the answers.
        `--console-output=${folder}/k6.claims.log`,
        '--log-format=raw',
        `bench/k6/${script}.ts`,
      ],
      environment: {
        // Not as arguments: every user of the machine can read those, and the operators' key is among the variables.
        ...settings,
        TARGET: url,
        RECORD: folder,
        K6_WEB_DASHBOARD: 'true',
        // No server: only the report.
        K6_WEB_DASHBOARD_PORT: '-1',
        K6_WEB_DASHBOARD_PERIOD: '1s',
        K6_WEB_DASHBOARD_EXPORT: `${folder}/report.html`,
      },
    }),
  };
}

/** What k6 left; null when it was ended before. */
function readSummary(folder: string): SummaryData | null {
  const file = `${folder}/summary.json`;
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as SummaryData) : null;
}

function text(value: number | undefined): string | undefined {
  return value === undefined ? undefined : String(value);
}
