// api-keys.test.ts -- Shows that a key opens what it is made for, from the command line to a server, until it is revoked.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { sql } from 'drizzle-orm';
import { digestOf } from '../../src/auth/authority.ts';
import { createKey, KEYS_MAX, listKeys, revokeKey, validKeys } from '../../src/auth/api-key-store.ts';
import { withConnection } from '../../src/mysql/database.ts';
import { eventually } from '../eventually.ts';
import { openStores, type Stores } from '../stores.ts';

let stores: Stores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());
// Whether any caller can authenticate is what the next test may be about.
afterEach(async () => {
  for (const { digest } of await validKeys(stores.database)) {
    await withConnection(stores.database, (session) =>
      session.execute(sql`UPDATE api_keys SET date_revoked = NOW(3) WHERE digest = ${digest}`),
    );
  }
});

/** The environment of a process on the stores of this file, without anything that lets callers in. */
const environment = (change: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  PATH: process.env.PATH ?? '',
  DATABASE_URL: stores.config.DATABASE_URL,
  REDIS_URL: stores.config.REDIS_URL,
  KEY_PREFIX: stores.config.KEY_PREFIX ?? '',
  HOST: '127.0.0.1',
  PORT: '0',
  KEYS_MS_MAX: '100',
  ...change,
});

async function run(args: readonly string[], change: Readonly<Record<string, string>> = {}) {
  const child = Bun.spawn([process.execPath, ...args], {
    env: environment(change),
    cwd: `${import.meta.dir}/../..`,
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

describe('the store', () => {
  test('holds digests alone, and gives those that are valid', async () => {
    const made = await createKey(stores.database, { name: 'shop', scopes: ['issue', 'read'] });
    const next = await createKey(stores.database, { name: 'shop, next', scopes: ['issue', 'read'] });
    expect(made.key).toMatch(/^ck_[\w-]{43}$/);
    expect(next.key).not.toBe(made.key);
    const [rows] = await withConnection(stores.database, (session) => session.execute(sql`SELECT * FROM api_keys`));
    expect(JSON.stringify(rows)).not.toContain(made.key.slice(3, 20));
    expect(await validKeys(stores.database)).toContainEqual({
      keyId: made.id,
      name: 'shop',
      digest: digestOf(made.key),
      scopes: ['issue', 'read'],
    });
    expect(await revokeKey(stores.database, made.id)).toBe(true);
    expect(await revokeKey(stores.database, made.id)).toBe(false);
    const digests = (await validKeys(stores.database)).map(({ digest }) => digest);
    expect([digests.includes(digestOf(made.key)), digests.includes(digestOf(next.key))]).toEqual([false, true]);
    const listed = (await listKeys(stores.database)).filter(({ id }) => id === made.id || id === next.id);
    expect(listed.map(({ name, scopes, dateRevoked }) => [name, scopes, dateRevoked instanceof Date])).toEqual([
      ['shop', ['issue', 'read'], true],
      ['shop, next', ['issue', 'read'], false],
    ]);
    await revokeKey(stores.database, next.id);
  });
});

describe('bun run keys', () => {
  const key = (...args: string[]) => run(['src/commands/keys.ts', ...args]);

  test('makes a key that alone is on standard output, lists it without the key, and revokes it', async () => {
    const made = await key('create', '--scope', 'read,issue', '--name', 'a shop');
    expect(made.code).toBe(0);
    expect(made.out).toMatch(/^ck_[\w-]{43}\n$/);
    const [, id = ''] = /^Key (\d+), a shop: issue, read\./.exec(made.err) ?? [];
    const listed = await key('list');
    expect(listed.out).toMatch(new RegExp(`^${id}\ta shop\tissue,read\tmade \\S+\tvalid$`, 'm'));
    expect(listed.out).not.toContain(made.out.trim());
    expect(await key('revoke', id)).toMatchObject({ code: 0 });
    expect(await key('revoke', id)).toMatchObject({ code: 1, err: `there is no valid key ${id}\n` });
    expect((await key('list')).out).toMatch(new RegExp(`^${id}\t.*\trevoked `, 'm'));
  });

  test('revokes all keys, and says how many were valid', async () => {
    for (const name of ['one', 'two']) await createKey(stores.database, { name, scopes: ['read'] });
    expect(await key('revoke', '--all')).toMatchObject({ code: 0, err: '2 key(s) are revoked.\n' });
    expect(await validKeys(stores.database)).toEqual([]);
    expect(await key('revoke', '--all')).toMatchObject({ code: 0, err: '0 key(s) are revoked.\n' });
    expect(await key('revoke', '1', '--all')).toMatchObject({ code: 2 });
  });

  test('prints its usage for unknown arguments', async () => {
    // A line end, nothing to be seen, and a character too many.
    const names = ['a\nb', '\u3164', '\u{1f39f}'.repeat(101)].map((name) => [
      'create',
      '--scope',
      'read',
      '--name',
      name,
    ]);
    const wrong = [[], ['create'], ['create', '--scope', 'root'], ['revoke', 'x'], ['list', '--all'], ...names];
    const results = await Promise.all(wrong.map((args) => key(...args)));
    const faults = [
      'missing command',
      'wrong (command|option): .*',
      '--scope must be of: issue, read, admin',
      '--name must be a line of 1 to 100 characters',
    ];
    for (const { code, err, out } of results) {
      expect({ code, out }).toEqual({ code: 2, out: '' });
      expect(err).toMatch(new RegExp(`^(${faults.join('|')})\nusage: bun run keys create`));
    }
    for (const { err } of results.slice(-names.length)) expect(err).toStartWith('--name must be a line');
    const help = await key('--help');
    expect({ ...help, out: help.out.split(' --')[0] }).toEqual({ code: 0, err: '', out: 'usage: bun run keys create' });
  });

  test('says in a line that there are too many keys, and does not take that for a fault of MySQL', async () => {
    const row = (i: number) => sql`('full', 'read', ${digestOf(`full ${i}`)}, NOW(3))`;
    const rows = sql.join(
      Array.from({ length: KEYS_MAX }, (_, i) => row(i)),
      sql`,`,
    );
    await withConnection(stores.database, (session) =>
      session.execute(sql`INSERT INTO api_keys (name, scopes, digest, date_created) VALUES ${rows}`),
    );
    try {
      expect(await key('create', '--scope', 'read')).toEqual({
        code: 1,
        out: '',
        err: `there are ${KEYS_MAX} valid keys; revoke one first\n`,
      });
    } finally {
      await withConnection(stores.database, (session) =>
        session.execute(sql`DELETE FROM api_keys WHERE name = 'full'`),
      );
    }
  });

  test('names the setting when MySQL cannot be reached', async () => {
    const { code, err } = await run(['src/commands/keys.ts', 'list'], {
      DATABASE_URL: 'mysql://root@127.0.0.1:1/coupons',
    });
    expect({ code, err }).toEqual({
      code: 1,
      err: 'DATABASE_URL: MySQL cannot be used (ECONNREFUSED): nothing listens there; start it, or correct host and port\n',
    });
  });
});

describe('bun run start', () => {
  test('refuses when no caller could authenticate, and names the ways out', async () => {
    const { code, err } = await run(['src/server.ts']);
    expect(code).toBe(1);
    expect(err).toMatch(/^AUTH: no caller could be authenticated.* JWT_SECRET.* ADMIN_API_KEY.* AUTH=off/);
  });

  test('a running server accepts a new key, and refuses a revoked one, within the age of the list', async () => {
    const { id, key } = await createKey(stores.database, { name: 'first', scopes: ['issue'] });
    const server = Bun.spawn([process.execPath, 'src/server.ts'], {
      env: environment({ METRICS_PORT: '0' }),
      cwd: `${import.meta.dir}/../..`,
      stdout: 'pipe',
      stderr: 'inherit',
    });
    try {
      const { url, metricsUrl } = await addressesOf(server.stdout);
      const coupon = await stores.coupon();
      const issue = async (credential: string, userId: string) => {
        const headers = { 'content-type': 'application/json', authorization: `Bearer ${credential}` };
        const body = JSON.stringify({ couponId: coupon.id, userId });
        return (await fetch(`${url}/v2/issue-async`, { method: 'POST', headers, body })).status;
      };
      expect([await issue(key, 'u1'), await issue('wrong', 'u2')]).toEqual([202, 401]);
      const next = await createKey(stores.database, { name: 'next', scopes: ['issue'] });
      await eventually('the new key to be known', async () => (await issue(next.key, 'u3')) !== 401);
      expect(await issue(key, 'u4')).toBe(202);
      await revokeKey(stores.database, id);
      await eventually('the old key to be forgotten', async () => (await issue(key, 'u5')) === 401);
      expect(await issue(next.key, 'u6')).toBe(202);
      expect((await fetch(`${url}/metrics`)).status).toBe(404);
      expect(await (await fetch(`${metricsUrl}/metrics`)).text()).toContain('outcome="unauthenticated"');
    } finally {
      server.kill('SIGTERM');
      await server.exited;
    }
  });

  test('uses the CAPTCHA service that is configured', async () => {
    const service = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => Response.json({ success: true }) });
    const server = Bun.spawn([process.execPath, 'src/server.ts'], {
      env: environment({
        AUTH: 'off',
        METRICS_PORT: '0',
        CAPTCHA_VERIFY_URL: `http://127.0.0.1:${service.port}/siteverify`,
        CAPTCHA_SECRET: 's',
      }),
      cwd: `${import.meta.dir}/../..`,
      stdout: 'pipe',
      stderr: 'inherit',
    });
    try {
      const { url } = await addressesOf(server.stdout);
      const coupon = await stores.coupon();
      const issue = async (token: Record<string, string>) => {
        const headers = { 'content-type': 'application/json', ...token };
        const body = JSON.stringify({ couponId: coupon.id, userId: 'u1' });
        return (await fetch(`${url}/v2/issue-async`, { method: 'POST', headers, body })).status;
      };
      expect([await issue({}), await issue({ 'x-captcha-token': 'person' })]).toEqual([403, 202]);
    } finally {
      server.kill('SIGTERM');
      await Promise.all([server.exited, service.stop(true)]);
    }
  });
});

/** Where a server listens, by its log. Reads on to the end, since a process blocks when its log is not read. */
function addressesOf(log: ReadableStream<Uint8Array>): Promise<{ url: string; metricsUrl: string }> {
  const found = Promise.withResolvers<{ url: string; metricsUrl: string }>();
  const decoder = new TextDecoder();
  let text = '';
  const read = async () => {
    for await (const piece of log as AsyncIterable<Uint8Array>) {
      text += decoder.decode(piece, { stream: true });
      const line = text.split('\n').find((each) => each.includes('"listening"') && each.endsWith('}'));
      if (line !== undefined) found.resolve(JSON.parse(line) as { url: string; metricsUrl: string });
    }
    found.reject(new Error(`the server ended without listening: ${text}`));
  };
  read().catch(found.reject);
  return found.promise;
}
