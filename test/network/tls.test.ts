// tls.test.ts -- MySQL, Redis and the issuer of tokens over TLS with an authority of their own, and over sockets: what works, and what each
// fault is called.

import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'drizzle-orm';
import { readConfig } from '../../src/config/config.ts';
import { closeDatabase, openDatabase, withConnection } from '../../src/mysql/database.ts';
import type { DatabaseAddress } from '../../src/mysql/url.ts';
import { connect, issuingConnection } from '../../src/redis/connection.ts';
import type { RedisAddress } from '../../src/redis/url.ts';
import { explainMysql, explainRedis } from '../../src/runtime/store-faults.ts';
import { freePort } from '../../tools/stack/free-port.ts';
import { startMysqlServer } from '../../tools/stack/mysql-server.ts';
import { startRedisServer } from '../../tools/stack/redis-server.ts';
import { mustRun } from '../../tools/stack/run-command.ts';
import { type Runtime, startSteered } from '../http/steered-process.ts';

const folder = mkdtempSync(join(tmpdir(), 'tls-'));
const certificates = await makeCertificates({
  server: 'IP:127.0.0.1,DNS:localhost',
  other: 'DNS:db.example',
  client: 'DNS:client',
});
const { ca, client } = certificates;
const [mysql, otherMysql, redis, otherRedis] = await Promise.all([
  startMysqlServer({
    folder: join(folder, 'mysql'),
    settings: { ...mysqlTls(certificates.server), socket: join(folder, 'mysql.sock') },
  }),
  startMysqlServer({ folder: join(folder, 'other-mysql'), settings: mysqlTls(certificates.other) }),
  startRedis('server', { 'tls-auth-clients': 'yes', unixsocket: join(folder, 'redis.sock') }),
  startRedis('other', { 'tls-auth-clients': 'no' }),
]);
afterAll(async () => {
  await Promise.all([mysql, otherMysql, redis.server, otherRedis.server].map((server) => server.stop()));
  rmSync(folder, { recursive: true });
});
await onMysql({ DATABASE_URL: mysql.url }, async (session) => {
  for (const [user, demand] of [
    ['tls', 'SSL'],
    ['x509', 'X509'],
  ] as const) {
    await session.execute(sql.raw(`CREATE USER ${user}@'%' IDENTIFIED BY 'pw' REQUIRE ${demand}`));
    await session.execute(sql.raw(`GRANT ALL ON *.* TO ${user}@'%'`));
  }
});

interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Signs one for each name, by an authority that no machine knows. */
async function makeCertificates<Name extends string>(names: Readonly<Record<Name, string>>) {
  const at = (name: string) => join(folder, name);
  const make = ['req', '-newkey', 'rsa:2048', '-nodes'];
  const days = ['-days', '2'];
  await mustRun('openssl', [
    ...make,
    '-x509',
    ...days,
    '-subj',
    '/CN=test',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  ]);
  const made: Partial<Record<string, Certificate>> = {};
  for (const [name, alternatives] of Object.entries<string>(names)) {
    const files = { cert: at(`${name}.pem`), key: at(`${name}.key`) };
    writeFileSync(at('extensions'), `subjectAltName=${alternatives}`);
    await mustRun('openssl', [...make, '-subj', `/CN=${name}`, '-keyout', files.key, '-out', at('request')]);
    const signer = ['-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial', '-extfile', at('extensions')];
    await mustRun('openssl', ['x509', '-req', '-in', at('request'), ...signer, ...days, '-out', files.cert]);
    made[name] = files;
  }
  return { ...(made as Record<Name, Certificate>), ca: at('ca.pem') };
}

function mysqlTls({ cert, key }: Certificate) {
  return { 'ssl-ca': join(folder, 'ca.pem'), 'ssl-cert': cert, 'ssl-key': key };
}

async function startRedis(name: 'server' | 'other', settings: Record<string, string>) {
  const { cert, key } = certificates[name];
  const tlsPort = await freePort();
  const tls = { 'tls-port': String(tlsPort), 'tls-cert-file': cert, 'tls-key-file': key, 'tls-ca-cert-file': ca };
  const server = await startRedisServer({ folder: join(folder, `redis-${name}`), settings: { ...tls, ...settings } });
  return { server, tlsUrl: `rediss://127.0.0.1:${tlsPort}` };
}

type Session = Parameters<Parameters<typeof withConnection>[1]>[0];

async function onMysql<Result>(address: DatabaseAddress, work: (session: Session) => Promise<Result>): Promise<Result> {
  const settings = readConfig(
    ['MYSQL_QUEUE_MAX', 'MYSQL_CONNECT_MS_MAX', 'MYSQL_CONNECTION_S_MAX', 'TRANSACTION_MS_MAX'],
    {},
  );
  const database = openDatabase({ ...settings, MYSQL_CONNECTIONS_MAX: 1, ...address });
  try {
    return await withConnection(database, work);
  } finally {
    await closeDatabase(database);
  }
}

/** The cipher of a session, '' without TLS, or what is wrong. */
function mysqlCipher(address: DatabaseAddress): Promise<string> {
  return onMysql(address, async (session) => {
    const [rows] = await session.execute(sql`SHOW SESSION STATUS LIKE 'Ssl_cipher'`);
    return String((rows as unknown as { Value: string }[])[0]?.Value);
  }).catch((error: unknown) => explainMysql(error).line);
}

/** PONG, or what is wrong. */
async function redisPing(address: RedisAddress): Promise<string> {
  const settings = readConfig(['REDIS_COMMAND_MS_MAX', 'REDIS_CONNECT_MS_MAX'], {});
  const connection = issuingConnection({ ...settings, ...address }, () => undefined);
  try {
    await connect(connection);
    return await connection.ping();
  } catch (error) {
    return explainRedis(error).line;
  } finally {
    connection.disconnect();
  }
}

const read = (path: string) => readFileSync(path, 'utf8');
const withUser = (user: string, url = mysql.url) => url.replace(/^mysql:\/\/[^@]*@/, `mysql://${user}:pw@`);

describe('MySQL', () => {
  const trusted = { DATABASE_CA: read(ca) };

  test.each([
    '',
    '?ssl-mode=REQUIRED',
    '?sslmode=verify-full',
    '?sslaccept=strict',
    '?ssl={"rejectUnauthorized":true}',
    '?tls=true',
  ])('its authority sets TLS, with %p too', async (query) => {
    const cipher = await mysqlCipher({ DATABASE_URL: withUser('tls') + query, ...trusted });
    expect(cipher).toMatch(/^TLS_|^ECDHE/);
  });

  test('a user who must show a certificate shows one', async () => {
    const files = { DATABASE_CERT: read(client.cert), DATABASE_KEY: read(client.key) };
    expect(await mysqlCipher({ DATABASE_URL: withUser('x509'), ...trusted, ...files })).toMatch(/^TLS_|^ECDHE/);
    expect(await mysqlCipher({ DATABASE_URL: withUser('x509'), ...trusted })).toContain('1045');
  });

  test('an unknown authority, another host name and a server without TLS are three sentences', async () => {
    const strict = '?ssl-mode=REQUIRED';
    expect(await mysqlCipher({ DATABASE_URL: mysql.url + strict })).toContain(
      'its certificate is of an authority that is not known; name the file of that authority in DATABASE_CA',
    );
    expect(await mysqlCipher({ DATABASE_URL: otherMysql.url, ...trusted })).toContain(
      'its certificate is for another host name',
    );
    const plain = process.env['TEST_DATABASE_URL'] ?? '';
    expect(await mysqlCipher({ DATABASE_URL: `${plain}${strict}`, ...trusted })).toContain('it does not support TLS');
  });

  test('it is reached over its socket', async () => {
    const url = new URL(mysql.url);
    url.port = '1';
    url.searchParams.set('socketPath', join(folder, 'mysql.sock'));
    expect(await mysqlCipher({ DATABASE_URL: url.href })).toBe('');
  });
});

describe('Redis', () => {
  const trusted = { REDIS_CA: read(ca) };
  const files = { REDIS_CERT: read(client.cert), REDIS_KEY: read(client.key) };

  test('it is reached over TLS, with a certificate where it wants one, and over its socket', async () => {
    expect(await redisPing({ REDIS_URL: otherRedis.tlsUrl.replace('127.0.0.1', 'localhost'), ...trusted })).toContain(
      'another host name',
    );
    expect(await redisPing({ REDIS_URL: redis.tlsUrl, ...trusted, ...files })).toBe('PONG');
    expect(await redisPing({ REDIS_URL: `redis+unix://${join(folder, 'redis.sock')}?db=3` })).toBe('PONG');
  });

  test('each fault has its sentence', async () => {
    expect(await redisPing({ REDIS_URL: redis.tlsUrl, ...files })).toContain(
      'name the file of that authority in REDIS_CA',
    );
    expect(await redisPing({ REDIS_URL: redis.server.url.replace('redis:', 'rediss:'), ...trusted })).toContain(
      'remove TLS if it does not support it',
    );
    expect(await redisPing({ REDIS_URL: redis.tlsUrl, ...trusted })).toContain('REDIS_CERT');
    expect(await redisPing({ REDIS_URL: redis.tlsUrl.replace('rediss:', 'redis:') })).toContain(
      'supports TLS if the URL uses it',
    );
  });
});

describe('the issuer of tokens', () => {
  const { cert, key } = certificates.server;
  const tls = { cert: read(cert), key: read(key), ca: read(ca), requestCert: true, rejectUnauthorized: true };
  const issuer = createServer(tls, (_, response) =>
    response.setHeader('content-type', 'application/json').end('{"keys":[]}'),
  );
  afterAll(() => void issuer.close());

  test.each<Runtime>(['bun', 'deno'])(
    'on %s its keys are fetched with an authority of its own, and a certificate where it wants one',
    async (runtime) => {
      if (!issuer.listening) await new Promise<void>((done) => issuer.listen(0, '127.0.0.1', done));
      const url = `https://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys`;
      const faults = async (...files: readonly string[]) =>
        JSON.parse(await startSteered(runtime, 'issuer-keys-entry.ts', url, ...files).line()) as string[];
      expect(await faults(ca, client.cert, client.key)).toEqual([]);
      expect(await faults(ca)).toHaveLength(1);
      expect(await faults()).toHaveLength(1);
    },
  );
});
