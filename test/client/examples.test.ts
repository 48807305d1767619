// examples.test.ts -- The examples run as they stand, where their tools are: before a server that loses its first reply, each ends with the number.

import { describe, expect, test } from 'bun:test';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { chromium } from 'playwright-core';
import { findProgram } from '../../tools/stack/find-program.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { findBrowser } from '../../tools/test-programs.ts';
import { httpFile, requestsFile } from '../../tools/docs/http-file.ts';
import { eventually } from '../eventually.ts';
import { fakeApp, fakeAuthority } from '../http/fakes.ts';
import { sign, tokensWith } from '../http/tokens.ts';
import { startFlakyServer } from './flaky-server.ts';
import { owningApp } from './owning-app.ts';

const root = resolve(import.meta.dirname, '../..');
const python = findProgram('python3');
const javac = findProgram('javac');
const java = findProgram('java');

test('requests.http is that of the document, and each of its requests is a path of it', async () => {
  expect(readFileSync(httpFile, 'utf8')).toBe(await requestsFile());
  expect(
    readFileSync(httpFile, 'utf8').match(/^(GET|POST|PATCH|DELETE) \{\{url\}\}\/[^{}]*$/gm)?.length,
  ).toBeGreaterThan(20);
});

test.if(python !== undefined)('the backend in Python issues for who is signed in', async () => {
  await using api = await startFlakyServer(owningApp().app, ['lost reply']);
  const port = await freePort();
  const env = { PATH: process.env['PATH'], PORT: `${port}`, COUPON_URL: api.url, COUPON_KEY: 'a-key' };
  const child = Bun.spawn([python ?? '', 'examples/python/shop.py'], {
    cwd: root,
    env,
    stdout: 'pipe',
    stderr: 'ignore',
  });
  try {
    await child.stdout.getReader().read();
    expect(await press(`http://127.0.0.1:${port}/coupons/1`)).toEqual([200, { result: 'issued', sequence: 1 }]);
    expect(await press(`http://127.0.0.1:${port}/coupons/1`)).toEqual([200, { result: 'already issued', sequence: 1 }]);
    expect(await press(`http://127.0.0.1:${port}/coupons/1`, {})).toEqual([401, {}]);
  } finally {
    child.kill();
    await child.exited;
  }
});

async function press(url: string, headers: Record<string, string> = { 'x-demo-user': 'kim' }): Promise<unknown> {
  const answer = await fetch(url, { method: 'POST', headers });
  return [answer.status, await answer.json()];
}

test('the route of Next.js issues for who is signed in', async () => {
  await using api = await startFlakyServer(owningApp().app, ['lost reply']);
  const script = `
    const { POST } = await import('./examples/nextjs/app/api/coupons/[couponId]/route.ts');
    const ask = async (headers, couponId) => {
      const request = new Request('http://shop.example/api/coupons/1', { method: 'POST', headers });
      const answer = await POST(request, { params: Promise.resolve({ couponId }) });
      return [answer.status, await answer.json()];
    };
    const kim = { 'x-demo-user': 'kim' };
    const answers = [await ask(kim, '1'), await ask(kim, '1'), await ask({}, '1'), await ask(kim, 'x')];
    console.log(JSON.stringify(answers));`;
  const environment = { ...process.env, COUPON_URL: api.url, COUPON_KEY: 'a-key' };
  expect(JSON.parse(await mustRun(process.execPath, ['-e', script], { folder: root, environment }))).toEqual([
    [200, { result: 'issued', sequence: 1 }],
    [200, { result: 'already issued', sequence: 1 }],
    [401, { result: 'sign in first' }],
    [404, { result: 'no such coupon' }],
  ]);
});

/** What of Spring the controller uses, so that it is compiled and run without the framework. */
const spring: Readonly<Record<string, string>> = {
  'beans.factory.annotation.Value': '@interface Value { String value(); }',
  'web.bind.annotation.PathVariable': '@interface PathVariable { String value(); }',
  'web.bind.annotation.PostMapping': '@interface PostMapping { String value(); }',
  'web.bind.annotation.RestController': '@interface RestController {}',
};

test.if(javac !== undefined && java !== undefined)(
  'the controller of Spring issues for who is signed in',
  async () => {
    await using api = await startFlakyServer(owningApp().app, ['lost reply']);
    const folder = mkdtempSync(join(tmpdir(), 'coupon-spring-'));
    try {
      const stubs = Object.entries(spring).map(([name, declaration]) => {
        const file = join(folder, 'org/springframework', `${name.replaceAll('.', '/')}.java`);
        mkdirSync(dirname(file), { recursive: true });
        const inPackage = `org.springframework.${name.slice(0, name.lastIndexOf('.'))}`;
        writeFileSync(file, `package ${inPackage};\npublic ${declaration}\n`);
        return file;
      });
      cpSync(join(root, 'examples/spring/CouponController.java'), join(folder, 'CouponController.java'));
      const main = `public class Main { public static void main(String[] a) throws Exception {
      var controller = new CouponController("${api.url}", "a-key");
      System.out.println(controller.issue(1, () -> "kim").get("result") + " " + controller.issue(1, () -> "kim").get("sequence"));
    } }`;
      writeFileSync(join(folder, 'Main.java'), main);
      await mustRun(javac ?? '', [
        '-d',
        folder,
        ...stubs,
        join(folder, 'CouponController.java'),
        join(folder, 'Main.java'),
      ]);
      expect(await mustRun(java ?? '', ['-cp', folder, 'Main'])).toBe('issued 1');
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  60_000,
);

/** A page of its own server, for the user of a token. */
function pageAround(button: string, token: string): string {
  return `import { createRoot } from 'react-dom/client';
import { CouponButton } from ${JSON.stringify(button)};
const button = <CouponButton url={location.origin} couponId={1} token={() => ${JSON.stringify(token)}} />;
createRoot(document.getElementById('root')).render(button);`;
}

describe.skipIf(findBrowser() === undefined)('the button of the React page', () => {
  test('issues, retries, and says the number', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'coupon-react-'));
    const entry = join(folder, 'page.tsx');
    writeFileSync(entry, pageAround(join(root, 'examples/react/coupon-button.tsx'), await sign()));
    const { outputs } = await Bun.build({
      entrypoints: [entry],
      target: 'browser',
      plugins: [
        {
          name: 'React as it is here',
          setup: (build) => {
            // Preact speaks the same interface, and is what is installed.
            const modules = { react: 'preact/compat', 'react-dom/client': 'preact/compat/client' };
            build.onResolve({ filter: /^react(-dom)?(\/|$)/ }, ({ path }) => ({
              path: Bun.resolveSync(new Map(Object.entries(modules)).get(path) ?? 'preact/jsx-runtime', root),
            }));
          },
        },
      ],
    });
    const script = (await outputs[0]?.text()) ?? '';
    rmSync(folder, { recursive: true });
    const { app } = fakeApp({ authority: fakeAuthority({ isOn: true, tokens: tokensWith() }) });
    const page = '<!doctype html><div id="root"></div><script type="module" src="/page.js"></script>';
    let requests = 0;
    const server = Bun.serve({
      port: 0,
      fetch: (request) => {
        const { pathname } = new URL(request.url);
        if (pathname === '/') return new Response(page, { headers: { 'content-type': 'text/html' } });
        if (pathname === '/page.js') return new Response(script, { headers: { 'content-type': 'text/javascript' } });
        requests += 1;
        return requests === 1 ? new Response('', { status: 502 }) : app.fetch(request);
      },
    });
    const browser = await chromium.launch({ executablePath: findBrowser() ?? 'chromium', args: ['--no-sandbox'] });
    try {
      const tab = await browser.newPage();
      await tab.goto(String(server.url));
      await tab.getByRole('button', { name: 'Get the coupon' }).click();
      await tab.getByText('It is yours: number 37.').waitFor();
      await eventually('two requests', () => requests === 2);
    } finally {
      await browser.close();
      await server.stop(true);
    }
  }, 60_000);
});
