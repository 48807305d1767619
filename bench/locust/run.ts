// Entry: `bun run bench:locust [class]`: runs a class of Locust users against a system of its own, or TARGET, and verifies it.
import { durationSetting, noMoreThan, oneOf, wholeSetting } from '../suites/setting.ts';
import { runSuite, type Suite } from '../suites/suite.ts';
import { locustFigures } from './figures.ts';
import { findLocust } from '../suites/tool.ts';

/** The classes of `locustfile.py` by the names of the command. */
const classes = {
  mixed: 'MixedUser',
  hello: 'HelloUser',
  issue: 'IssueUser',
  'issue-async-v1': 'IssueAsyncV1User',
  'issue-async-v2': 'IssueAsyncV2User',
} as const;

const usage = `bun run bench:locust [class]

  class      mixed (by default), hello, issue, issue-async-v1, issue-async-v2

Settings in the environment: USERS (60), PROCESSES (2), DURATION (15s), STOCK (2000; 0 for no limit), P99_MS_MAX (2000),
USER_ID_PREFIX (before each user's id).
Against a system that runs already: TARGET, with ADMIN_API_KEY, DATABASE_URL and REDIS_URL (METRICS_URL where metrics have a port of
their own); else one is started for the run.
Exit code: 0 all held; 1 something failed, was late, or a promise was broken; 2 it could not be run. More: bench/README.md`;

await runSuite(usage, readSuite);

function readSuite(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Suite {
  noMoreThan(args, 1);
  const name = oneOf('class', ['mixed', 'hello', 'issue', 'issue-async-v1', 'issue-async-v2'], args[0]);
  const users = wholeSetting(environment, 'USERS') ?? 60;
  const processes = wholeSetting(environment, 'PROCESSES') ?? 2;
  const durationS = durationSetting(environment, 'DURATION') ?? 15;
  const stock = environment['STOCK'] === '0' ? 0 : wholeSetting(environment, 'STOCK');
  return {
    name: 'locust',
    run: name,
    issues: name !== 'hello',
    findTool: () => findLocust(),
    settings: {
      USERS: String(users),
      PROCESSES: String(processes),
      DURATION: `${durationS}s`,
      STOCK: environment['STOCK'],
      P99_MS_MAX: environment['P99_MS_MAX'],
      USER_ID_PREFIX: environment['USER_ID_PREFIX'],
    },
    figuresOf: (folder) => locustFigures(folder, wholeSetting(environment, 'P99_MS_MAX') ?? 2_000),
    command: ({ url }, folder) => ({
      args: [
        '--locustfile=bench/locust/locustfile.py',
        '--headless',
        '--only-summary',
        `--users=${users}`,
        // All users start within the first seconds.
        `--spawn-rate=${Math.max(1, Math.ceil(users / 3))}`,
        `--run-time=${durationS}s`,
        // No request is cut off: each user waits for the answer, which may have issued a coupon.
        '--stop-timeout=15',
        // One master and so many workers, each a process.
        ...(processes > 1 ? [`--processes=${processes}`] : []),
        `--html=${folder}/report.html`,
        `--csv=${folder}/locust`,
        '--loglevel=WARNING',
        classes[name],
      ],
      environment: {
        STOCK: stock === undefined ? undefined : String(stock),
        USER_ID_PREFIX: environment['USER_ID_PREFIX'],
        TARGET: url,
        RECORD: folder,
        PYTHONDONTWRITEBYTECODE: '1',
      },
    }),
  };
}
