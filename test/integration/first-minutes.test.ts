// first-minutes.test.ts -- The first minutes of a developer, in a clone and a real terminal: `bun run dev` on private stores, the lines that it
// prints, its stores under other commands, a killed store, a restart, and the rehearsal with its verdict.

import { afterAll, beforeAll, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../tools/stack/free-port.ts';
import { waitUntil } from '../../tools/stack/wait-until.ts';
import { makeClone, plainEnvironment } from '../tools/clone.ts';

const COLUMNS = 80;
/** A first start makes a whole database. */
const waitMsMax = 90_000;

const clone = makeClone();
let dev: Dev;

interface Dev {
  readonly url: string;
  /** What the terminal got so far. */
  said(): string;
  stop(): Promise<void>;
}

/** Starts it in a terminal, as `bun run dev` does. */
async function startDev(folder: string, environment: Record<string, string> = {}): Promise<Dev> {
  const port = await freePort();
  const terminal = openTerminal(folder, ['tools/dev.ts'], { PORT: `${port}`, ...environment });
  const isReady = () => terminal.said().includes('Next, in another terminal') || terminal.child.exitCode !== null;
  await waitUntil('dev to be ready', isReady, { waitMsMax });
  return {
    url: `http://localhost:${port}`,
    said: terminal.said,
    async stop() {
      terminal.child.kill('SIGTERM');
      await terminal.child.exited;
    },
  };
}

function openTerminal(folder: string, args: readonly string[], environment: Record<string, string> = {}) {
  let text = '';
  const decoder = new TextDecoder();
  const child = Bun.spawn([process.execPath, ...args], {
    cwd: folder,
    env: { ...plainEnvironment(), TERM: 'xterm', ...environment },
    terminal: { cols: COLUMNS, rows: 40, data: (_, data) => void (text += decoder.decode(data, { stream: true })) },
  });
  return { child, said: () => text };
}

beforeAll(async () => {
  dev = await startDev(clone.folder);
}, waitMsMax);

afterAll(async () => {
  await dev.stop();
  clone[Symbol.dispose]();
}, waitMsMax);

const plain = (text: string) => Bun.stripANSI(text).replaceAll('\r', '');

/** The commands that it prints, each in one piece. */
const printedCommands = (text: string) =>
  [...plain(text).matchAll(/^ {2}(curl -i (?:[^\n]*\\\n)*(?:[^\n]*\{"title[^']*'|[^\n]*))/gm)].map(
    ([, command = '']) => command,
  );

async function run(command: readonly string[], environment: Record<string, string> = {}) {
  const child = Bun.spawn([...command], {
    cwd: clone.folder,
    env: { ...plainEnvironment(), ...environment },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

const tooLong = (commands: readonly string[]) =>
  commands.flatMap((command) => `  ${command}`.split('\n')).filter((line) => line.length > COLUMNS);

const statusOf = (answer: string) => Number(/^HTTP\/1.1 (\d+)/.exec(answer)?.[1]);

async function statusesOf(commands: readonly string[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const command of commands) statuses.push(statusOf((await run(['sh', '-c', command])).out));
  return statuses;
}

const expected = [201, 202, 202, 200, 201, 200, 200, 201, 200, 200, 200, 200, 200];

test(
  'the terminal is coloured, API and worker are ready, and each printed line fits and works as it is',
  async () => {
    const said = dev.said();
    expect(said).toContain('\x1b[32mReady in ');
    expect(plain(said)).toMatch(/ {2}api +ready on port \d+/);
    expect(plain(said)).toMatch(/ {2}worker +ready on port \d+/);
    const commands = printedCommands(said);
    expect(await statusesOf(commands)).toEqual(expected);
    expect(tooLong(commands)).toEqual([]);
    await waitUntil(
      'the lines of these requests',
      () => /201 POST {2}\/v1\/issue {2}coupon \d+ {2}[\d.]+ ms {2}batch of 1/.test(plain(dev.said())),
      { waitMsMax },
    );
    expect(plain(dev.said())).not.toContain('{"level"');
  },
  waitMsMax,
);

test(
  'it prints how to open both stores, and these lines open them',
  async () => {
    const said = plain(dev.said());
    const [, mysql = ''] = /^ {2}look in +(\S.*)$/m.exec(said) ?? [];
    const [, redis = ''] = /^ +(redis-cli .*)$/m.exec(said) ?? [];
    expect((await run(['sh', '-c', `${mysql} -e 'SELECT COUNT(*) FROM coupons'`])).out).toMatch(
      /^COUNT\(\*\)\n[4-9]\n$/,
    );
    expect((await run(['sh', '-c', `${redis} ping`])).out).toBe('PONG\n');
  },
  waitMsMax,
);

test.each([
  [['src/commands/migrate.ts'], 'The database is up to date.\n', 0],
  [['src/commands/keys.ts', 'list'], '', 0],
  [['src/commands/dead-letters.ts', 'list'], 'There are no dead letters.\n', 0],
  [['src/commands/partitions.ts', '64'], '', 1],
])(
  '%p finds the stores of the running dev',
  async (args, out, code) => {
    const ran = await run([process.execPath, ...args]);
    expect({ out: ran.out, code: ran.code }).toEqual({ out, code });
    expect(ran.err).toStartWith('Using the stores of the `bun run dev` that runs here');
    expect(ran.err).not.toContain('is not set:');
  },
  waitMsMax,
);

test('a command that revokes keys takes no stores but those that are named', async () => {
  expect((await run([process.execPath, 'src/commands/detach.ts'])).err).toMatch(/^DATABASE_URL is not set/);
});

test(
  'a rehearsal shows a bar and ends with every promise held, and dev counts its rush',
  async () => {
    const rehearsal = openTerminal(clone.folder, [
      'tools/rehearse.ts',
      '--users',
      '400',
      '--pieces',
      '100',
      '--wait',
      '3',
    ]);
    expect(await rehearsal.child.exited).toBe(0);
    const said = rehearsal.said();
    // Written over in place.
    expect(said).toContain('\x1b[3A');
    expect(plain(said)).toContain('opens in 2 s');
    expect(plain(said)).toMatch(/█{40} 100 of 100/);
    const verdict = plain(said).slice(plain(said).lastIndexOf('P1'));
    expect(verdict.match(/✓/g)).toHaveLength(5);
    expect(verdict).toContain('100 rows for 100 pieces');
    expect(verdict).toContain('100 of 100 successes are rows with their number');
    expect(verdict).toMatch(/\d\d\d times sold out, 0 pieces left/);
    expect(verdict).toMatch(/[1-9]\d* requests came early, 0 of them got one/);
    expect(verdict).toContain('Exact: every promise held.');
    await waitUntil(
      'the count of the rush',
      () => /and in this second .* × 409 INVALID_COUPON_ISSUE_QUANTITY/.test(plain(dev.said())),
      { waitMsMax },
    );
  },
  waitMsMax,
);

test(
  'without a terminal a rehearsal prints lines, without colours',
  async () => {
    const { out, code } = await run([
      process.execPath,
      'tools/rehearse.ts',
      '--users',
      '30',
      '--pieces',
      '10',
      '--wait',
      '2',
    ]);
    expect(code).toBe(0);
    expect(out).not.toContain('\x1b');
    expect(out).toContain('10 of 10');
  },
  waitMsMax,
);

test(
  'a store that is killed is started again with its data, and issuing goes on',
  async () => {
    const { REDIS_URL } = JSON.parse(readFileSync(join(clone.folder, '.local/dev.json'), 'utf8')) as {
      REDIS_URL: string;
    };
    const record = JSON.parse(readFileSync(join(clone.folder, '.local/redis.process.json'), 'utf8')) as {
      server: { pid: number };
    };
    process.kill(record.server.pid, 'SIGKILL');
    await waitUntil(
      'Redis to be back',
      () => plain(dev.said()).includes(`Redis is back on port ${new URL(REDIS_URL).port}`),
      { waitMsMax },
    );
    expect(plain(dev.said())).toContain('Redis ended with SIGKILL; it is started again with its data');
    const [, couponId = ''] = /coupon (\d+) {3}open now/.exec(plain(dev.said())) ?? [];
    const issue = async () => {
      const body = JSON.stringify({ couponId: Number(couponId), userId: 'after-the-kill' });
      const response = await fetch(`${dev.url}/v2/issue-async`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      return response.status;
    };
    await waitUntil('issuing to go on', async () => [202, 409].includes(await issue()), { waitMsMax, pauseMs: 200 });
  },
  waitMsMax,
);

/** The open coupon, and what is left of it, as a start says it. */
function openCoupon({ said }: Dev) {
  const [, id, left] = /coupon (\d+) {3}open now, ([\d,]+) of 1,000 left/.exec(plain(said())) ?? [];
  return { id: Number(id), left: Number(left?.replace(',', '')) };
}

test(
  'a restarted dev says what is left, and makes a new coupon when one is over; with AUTH=on its lines work too',
  async () => {
    using other = makeClone();
    const issue = async ({ url }: Dev, couponId: number, users: readonly string[]) => {
      const headers = {
        'content-type': 'application/json',
        authorization: 'Bearer local-development-key-not-a-secret',
      };
      for (const userId of users) {
        const body = JSON.stringify({ couponId, userId });
        await (await fetch(`${url}/v2/issue-async`, { method: 'POST', body, headers })).text();
      }
    };
    const users = (count: number) => Array.from({ length: count }, (_, i) => `user-${i}`);

    const first = await startDev(other.folder);
    expect(openCoupon(first)).toEqual({ id: 1, left: 1_000 });
    await issue(first, 1, users(25));
    await first.stop();

    const second = await startDev(other.folder, { AUTH: 'on', NO_COLOR: '1' });
    expect(openCoupon(second)).toEqual({ id: 1, left: 975 });
    expect(second.said()).not.toContain('\x1b[32m');
    expect(plain(second.said())).toMatch(/coupon 4 {3}opens in \d+ s: watch http:\/\/localhost:\d+\/drop\/4/);
    const commands = printedCommands(second.said());
    expect(await statusesOf(commands)).toEqual(expected);
    expect(tooLong(commands)).toEqual([]);
    // The rest of the stock goes.
    await issue(second, 1, users(1_000));
    await second.stop();

    const third = await startDev(other.folder);
    expect(openCoupon(third)).toMatchObject({ left: 1_000 });
    expect(openCoupon(third).id).toBeGreaterThan(4);
    await third.stop();
  },
  4 * waitMsMax,
);
