// drop.test.ts -- The page for people, in real Chromium: it tells what is true, whatever the network and the drop do meanwhile.

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { resolve } from 'node:path';
import type { Page, Route } from 'playwright-core';
import { findBrowser } from '../../tools/test-programs.ts';
import { eventually } from '../eventually.ts';
import { sign } from '../http/tokens.ts';
import type { PartitionedConfig } from '../stores.ts';
import { type LiveSystem, startLiveSystem } from './live-system.ts';
import { passes } from './page-checks.ts';

let system: LiveSystem;

describe.skipIf(findBrowser() === undefined)('the page for people', () => {
  beforeAll(async () => {
    system = await startLiveSystem();
  }, 30_000);
  afterAll(() => system[Symbol.asyncDispose](), 30_000);

  test.concurrent('the drop page counts down by the clock of the server, and issues at its start', async () => {
    const { id } = await system.stores.coupon({
      title: 'Winter sale',
      discountAmount: 5000,
      minAvailableAmount: 20_000,
      startMs: Date.now() + 3_600_000,
    });
    const { page, faults } = await system.open();
    // A clock that is wrong by a day changes nothing.
    await page.addInitScript('{ const now = Date.now; Date.now = () => now() - 86_400_000 }');
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Not yet open' }).waitFor();
    await page.getByRole('timer').waitFor();
    await passes(page, 'drop-before');
    // Brought forward while people wait: they see it, and the countdown ends when it should.
    await system.stores.edit(id, { dateIssueStart: new Date(Date.now() + 3000) });
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    await passes(page, 'drop-won');
    // Who comes back is told without asking, also when it is over.
    await system.stores.edit(id, { dateIssueEnd: new Date() });
    await page.reload();
    await page.getByText('You already have it, with number 1.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a late visitor sees it sell out without sending a request', async () => {
    const { id } = await system.stores.coupon({ title: '겨울 세일', totalQuantity: 30, discountAmount: 5000 });
    const { page, faults } = await system.open({ phone: true, dark: true, language: 'ko-KR' });
    await page.goto(`/drop/${id}`);
    await page.getByText('30장 중 30장 남았어요').waitFor();
    expect(await system.rush(id, 12)).toBe(12);
    await page.getByText('30장 중 18장 남았어요').waitFor();
    await passes(page, 'drop-open-phone-dark-korean');
    expect(await system.rush(id, 40)).toBe(18);
    await page.getByText('모두 소진됐어요').waitFor();
    expect(await page.getByRole('button').count()).toBe(0);
    await passes(page, 'drop-sold-out-phone-dark-korean');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('during a rush one user gets a sequence, and the next sees the last pieces go', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale', totalQuantity: 2400, discountAmount: 5000 });
    const [{ page }, { page: late }] = await Promise.all([system.open({ dark: true }), system.open({ phone: true })]);
    await Promise.all([page.goto(`/drop/${id}`), late.goto(`/drop/${id}`)]);
    const get = page.getByRole('button', { name: 'Get the coupon' });
    await get.waitFor();
    {
      await using _ = system.crowd([id]);
      await get.click();
      await page.getByText(/^You are number [\d,]+\.$/).waitFor();
      await passes(late, 'drop-open-under-load-phone');
      await late.getByText('Sold out').waitFor();
      await Promise.all([passes(page, 'drop-won-under-load-dark'), passes(late, 'drop-sold-out-under-load-phone')]);
    }
    await system.worker.drained();
    const rows = await system.stores.rows(id);
    const mine = rows.find(({ userId }) => userId.startsWith('guest-'));
    await page.getByText(`You are number ${mine?.sequence.toLocaleString('en')}.`).waitFor();
    expect(rows).toHaveLength(2400);
    await Promise.all([page.context().close(), late.context().close()]);
  });

  test.concurrent('a request whose answer was lost is retried, and never shown as a refusal', async () => {
    const { id } = await system.stores.coupon({ title: 'Lost and found' });
    const { page } = await system.open();
    let asked = 0;
    await page.route('**/v2/issue-async', async (route) => {
      asked += 1;
      // The first is decided, and its answer lost on the way; the second meets an overloaded server.
      if (asked === 1) await route.fetch();
      if (asked === 1) await route.abort();
      else if (asked === 2) await route.fulfill({ status: 503, json: { code: 'FAIL_COUPON_ISSUE_REQUEST' } });
      else await route.continue();
    });
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    expect(asked).toBe(3);
    await page.context().close();
  });

  test.concurrent.each([
    ['was decided before its answer was lost', true, 'You are number 1.'],
    ['never arrived', false, 'This is over'],
  ])('an attempt that %s shows its true result, though the coupon has ended since', async (_, arrives, truth) => {
    const { id } = await system.stores.coupon({ title: 'Ends in between' });
    const { page } = await system.open();
    let asked = 0;
    await page.route('**/v2/issue-async', async (route) => {
      asked += 1;
      if (asked > 1) return await route.continue();
      if (arrives) await route.fetch();
      await system.stores.edit(id, { dateIssueEnd: new Date() });
      return await route.abort();
    });
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText(truth).waitFor();
    // The page may know of the end before it knows of the attempt.
    await page.getByRole('button').waitFor({ state: 'detached' });
    expect(asked).toBe(2);
    await page.getByText(truth).waitFor();
    await page.context().close();
  });

  test.concurrent('an ambiguous result is shown as unknown, and a retry resolves it, also after the end', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale' });
    const { page } = await system.open({ phone: true });
    let asked = 0;
    let underWay = 0;
    const lose = async (route: Route) => {
      asked += 1;
      underWay += 1;
      if (asked === 1) await route.fetch();
      await route.abort();
      underWay -= 1;
    };
    await page.clock.install();
    await page.route('**/v2/issue-async', lose);
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('No answer yet.').waitFor();
    await passes(page, 'drop-still-asking-phone');
    await skipPausesUntil(page, 'We could not find out', () => underWay === 0);
    expect(asked).toBe(8);
    await passes(page, 'drop-unknown-phone');
    await system.stores.edit(id, { dateIssueEnd: new Date() });
    await page.unroute('**/v2/issue-async', lose);
    await page.getByRole('button', { name: 'Ask again' }).click();
    await page.getByText('You are number 1.').waitFor();
    await page.context().close();
  });

  test.concurrent('on a small phone and a slow network the button says what it does, and a second press asks nothing', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale', totalQuantity: 1000, discountAmount: 5000 });
    const { page, faults } = await system.open({ phone: true, width: 360 });
    let asked = 0;
    await page.route('**/v2/issue-async', async (route) => {
      asked += 1;
      await Bun.sleep(1500);
      await route.continue();
    });
    await page.goto(`/drop/${id}`);
    const button = page.getByRole('button', { name: 'Get the coupon' });
    await button.waitFor();
    await passes(page, 'drop-open-360');
    await button.dblclick();
    const busy = page.getByRole('button', { name: 'Asking…' });
    await busy.waitFor();
    expect(await busy.isDisabled()).toBe(true);
    // What a screen reader reads out when it is there.
    await page.getByRole('status').getByText('You are number 1.').waitFor();
    expect(await page.getByRole('status').getAttribute('aria-live')).toBe('polite');
    expect(asked).toBe(1);
    await passes(page, 'drop-won-360');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('in a second tab of the same user, and after a return, the coupon is the same one', async () => {
    const { id } = await system.stores.coupon({ title: 'Two tabs', totalQuantity: 10 });
    const { page, faults } = await system.open();
    const second = await page.context().newPage();
    await page.goto(`/drop/${id}`);
    await second.goto(`/drop/${id}`);
    await second.getByRole('button', { name: 'Get the coupon' }).waitFor();
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    // Without a press, and without a request.
    await second.getByText('You already have it, with number 1.').waitFor();
    expect(await second.getByRole('button').count()).toBe(0);
    await system.stores.edit(id, { dateIssueEnd: new Date() });
    const third = await page.context().newPage();
    await third.goto(`/drop/${id}`);
    await third.getByText('You already have it, with number 1.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('a waiting visitor sees a drop pause, resume and end', async () => {
    const { id } = await system.stores.coupon({ title: 'Winter sale', totalQuantity: 1000, discountAmount: 5000 });
    const { page, faults } = await system.open();
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Get the coupon' }).waitFor();
    await passes(page, 'drop-open');
    await system.stores.edit(id, { paused: true });
    await page.getByText('Paused for a moment').waitFor();
    await passes(page, 'drop-paused');
    await system.stores.edit(id, { paused: false });
    await page.getByRole('button', { name: 'Get the coupon' }).and(page.locator(':enabled')).waitFor();
    await system.stores.edit(id, { dateIssueEnd: new Date() });
    await page.getByText('This is over').waitFor();
    await passes(page, 'drop-ended');
    await page.goto('/drop/1');
    await page.getByRole('heading', { name: 'This coupon does not exist' }).waitFor();
    await passes(page, 'drop-missing');
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('with authentication on, the token in the link authenticates, and a page without one says so', async () => {
    const { id } = await system.stores.coupon({ title: 'For members' });
    const { page, faults } = await system.open({ at: system.guardedUrl });
    await page.goto(`/drop/${id}`);
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('Please sign in first.').waitFor();
    await passes(page, 'drop-sign-in');
    await page.goto(`/hello`);
    // As an identity provider names a user.
    const user = 'Zm9v+YmFy/YmF6==';
    await page.goto(`/drop/${id}#user=${user}&token=${await sign({ claims: { sub: user } })}`);
    await page.getByRole('button', { name: `Go on as ${user}` }).click();
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    expect(page.url()).toEndWith(`/drop/${id}`);
    await page.reload();
    await page.getByText('You already have it, with number 1.').waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
  });

  test.concurrent('on Deno the built pages are served, and a coupon is issued as on Bun', async () => {
    const { id } = await system.stores.coupon({ title: 'From Deno', totalQuantity: 2 });
    await using server = await startOnDeno(system.stores.config);
    const { page, faults } = await system.open({ at: server.url });
    await page.goto(`/drop/${id}`);
    await page.getByText('2 of 2 left').waitFor();
    await page.getByRole('button', { name: 'Get the coupon' }).click();
    await page.getByText('You are number 1.').waitFor();
    // What people and operators see of it comes as events, to a page of another server.
    const { page: other } = await system.open();
    await other.goto(`/drop/${id}`);
    await other.getByText('1 of 2 left').waitFor();
    await other.context().close();
    await page.goto('/console');
    await page.getByRole('button', { name: 'Sign in' }).waitFor();
    expect(faults).toEqual([]);
    await page.context().close();
    await eventually('the coupon to be a row', async () => (await system.stores.rows(id)).length === 1);
    expect(await server.stop()).toBe(0);
  });
});

/** Starts the API as the README says. */
async function startOnDeno({ DATABASE_URL, REDIS_URL, KEY_PREFIX, PARTITIONS }: PartitionedConfig) {
  const built = Bun.spawn([process.execPath, 'src/commands/build-pages.ts'], { cwd: root, stdout: 'ignore' });
  expect(await built.exited).toBe(0);
  const server = Bun.spawn(
    [process.env.DENO_PATH ?? 'deno', 'run', '--quiet', '--allow-all', '--node-modules-dir=manual', 'src/server.ts'],
    {
      cwd: root,
      env: {
        PATH: process.env.PATH,
        DATABASE_URL,
        REDIS_URL,
        KEY_PREFIX,
        PARTITIONS: String(PARTITIONS),
        HOST: '127.0.0.1',
        PORT: '0',
        AUTH: 'off',
      },
      stdout: 'pipe',
      stderr: 'inherit',
    },
  );
  const stop = () => {
    server.kill('SIGTERM');
    return server.exited;
  };
  return { url: await addressIn(server.stdout), stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}

const root = resolve(import.meta.dirname, '../..');

/** Where a server listens, as its log tells. Reads on to the end, since a process whose log nobody reads cannot write it. */
function addressIn(log: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const found = Promise.withResolvers<string>();
  const read = async () => {
    let text = '';
    for await (const piece of log.pipeThrough(new TextDecoderStream())) {
      text += piece;
      const url = /"url":"([^"]+)".*"listening"/.exec(text)?.[1];
      if (url !== undefined) found.resolve(url);
    }
    found.reject(new Error(`the server ended without listening: ${text}`));
  };
  read().catch(found.reject);
  return found.promise;
}

/** Lets the clock of the page run ahead of its pauses, until it says so. */
async function skipPausesUntil(page: Page, text: string, isQuiet: () => boolean): Promise<void> {
  const said = page.getByText(text);
  for (let rounds = 0; rounds < 400; rounds += 1) {
    if (await said.isVisible()) return;
    // Only pauses are skipped: a request that takes long on a busy machine would else use up the time for all of them.
    await eventually('no request to be under way', isQuiet);
    await page.clock.fastForward(500);
  }
  throw new Error(`the page never said ${text}`);
}
