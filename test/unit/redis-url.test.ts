// redis-url.test.ts -- What a Redis URL means; that nothing in it overrides our own options, and that a wrong one is never repeated.

import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { OperatorError } from '../../src/operator-error.ts';
import { readRedisUrl } from '../../src/redis/url.ts';

const tls = { rejectUnauthorized: true, minVersion: 'TLSv1.2' };
const understood: [string, object][] = [
  ['redis://localhost', { host: 'localhost', port: 6379, db: 0 }],
  ['redis://[::1]:6380/3', { host: '::1', port: 6380, db: 3 }],
  ['redis://:p%40ss@db.example/', { host: 'db.example', port: 6379, password: 'p@ss', db: 0 }],
  [
    'rediss://kim:100%25@db.example:1/15',
    { host: 'db.example', port: 1, username: 'kim', password: '100%', db: 15, tls },
  ],
  [
    'redis+cluster://kim:p%40ss@a.example:7000,[::1]:7001,b.example',
    {
      username: 'kim',
      password: 'p@ss',
      db: 0,
      nodes: [
        { host: 'a.example', port: 7000 },
        { host: '::1', port: 7001 },
        { host: 'b.example', port: 6379 },
      ],
    },
  ],
  ['rediss+cluster://a.example/0', { db: 0, nodes: [{ host: 'a.example', port: 6379 }], tls }],
  ['redis+unix:///run/redis.sock', { path: '/run/redis.sock', db: 0 }],
  ['unix://kim:p@localhost/run/redis.sock?db=2', { path: '/run/redis.sock', username: 'kim', password: 'p', db: 2 }],
];
test.each(understood)('%s', (url, options) => {
  expect(readRedisUrl({ REDIS_URL: url })).toEqual(options);
});

test('sentinels are asked for the primary, and TLS is for them too', () => {
  const options = readRedisUrl({
    REDIS_URL: 'rediss+sentinel://kim:secret@a.example,b.example:5000/coupons/3',
    SENTINEL_PASSWORD: 'other',
  });
  expect(options).toMatchObject({
    sentinels: [
      { host: 'a.example', port: 26_379 },
      { host: 'b.example', port: 5000 },
    ],
    name: 'coupons',
    role: 'master',
    db: 3,
    username: 'kim',
    password: 'secret',
    sentinelPassword: 'other',
    tls,
    sentinelTLS: tls,
    enableTLSForSentinelMode: true,
  });
});

test('TLS takes an authority and a certificate of the client', () => {
  const files = { REDIS_CA: 'a', REDIS_CERT: 'b', REDIS_KEY: 'c' };
  const options = readRedisUrl({ REDIS_URL: 'rediss://db.example', ...files });
  expect(options.tls).toMatchObject({ ...tls, ca: 'a', cert: 'b', key: 'c' });
  expect(() => readRedisUrl({ REDIS_URL: 'redis://db.example', ...files })).toThrow('rediss://');
});

test.each(['autoResendUnfulfilledCommands=true', 'protocol=3', 'connectTimeout=1', 'tls=true', 'family=6'])(
  'an option is refused by its name: ?%s',
  (query) => {
    expect(() => readRedisUrl({ REDIS_URL: `redis://localhost?${query}` })).toThrow(
      `takes no options (${query.replace(/=.*/, '')});`,
    );
  },
);

test.each([
  'redis://:secret@localhost?autoResendUnfulfilledCommands=true',
  'redis://:secret@localhost?protocol=3',
  'redis://:secret@localhost?connectTimeout=1',
  'redis://:secret@localhost/0?db=1',
  'redis://:secret@localhost/one',
  'redis://:secret@localhost/123456',
  'redis://:secret@localhost/0#1',
  'redis://:sec%ret@localhost',
  'redis://:12?secret@localhost',
  'redis://kim:12?secret=1@localhost',
  'redis://:sec/ret@localhost',
  'redis://:secret@',
  'redis+unix://:secret@db.example/run/redis.sock',
  'redis+cluster://:secret@a,b/1',
  'redis+cluster://:secret@a,,b',
  'redis+cluster://:sec/ret@a,b',
  'redis+cluster://:secret@a,b?scaleReads=slave',
  'redis+sentinel://:secret@a,b',
  'redis+sentinel://:secret@a,b/name/one',
  'http://:secret@localhost',
  'localhost',
])('%p is refused without repeating it', (url) => {
  const read = () => readRedisUrl({ REDIS_URL: url });
  expect(read).toThrow(OperatorError);
  expect(read).not.toThrow(/secret|sec.?ret/);
});

test('any text at all is an address or a fault that says so', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.string().map((rest) => `redis://${rest}`),
        fc.string().map((rest) => `redis+cluster://${rest}`),
        fc.webUrl(),
      ),
      (url) => {
        try {
          const { host, nodes = [], sentinels = [] } = readRedisUrl({ REDIS_URL: url });
          for (const each of [{ host }, ...nodes, ...sentinels]) expect(each.host).not.toBe('');
        } catch (fault) {
          expect(fault).toBeInstanceOf(OperatorError);
        }
      },
    ),
  );
});
