// Shows that a wrong environment is reported as a whole, in words that name the setting and never the value.
import { afterAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { secretSettings, suspectNames } from '../../src/config/environment.ts';
import type { TSchema } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { readConfig } from '../../src/config/config.ts';
import { settings } from '../../src/config/settings.ts';
import { OperatorError } from '../../src/operator-error.ts';

const required = { DATABASE_URL: 'mysql://root@localhost/coupons', REDIS_URL: 'redis://localhost:6379' };

interface WholeSetting {
  name: string;
  minimum: number;
  maximum: number;
}

const schemas: [name: string, schema: TSchema][] = Object.entries(settings.properties);
const wholeSettings = schemas.flatMap(([name, schema]): WholeSetting[] => {
  const { type, minimum, maximum } = schema as { type?: string; minimum?: number; maximum?: number };
  return type === 'integer' && minimum !== undefined && maximum !== undefined ? [{ name, minimum, maximum }] : [];
});

/** The lines of the fault; none when the environment is fine. */
function faultsOf(environment: Record<string, string | undefined>): string[] {
  try {
    readConfig(undefined, environment);
    return [];
  } catch (fault) {
    expect(fault).toBeInstanceOf(OperatorError);
    return fault instanceof OperatorError ? fault.message.split('\n') : [];
  }
}

test('the two addresses are enough, and everything else has its default', () => {
  const defaults = schemas.flatMap(([name, { default: fallback }]): [string, unknown][] =>
    fallback === undefined ? [] : [[name, fallback]],
  );
  const config: Record<string, unknown> = readConfig(undefined, required);
  expect(config).toEqual({ ...Object.fromEntries(defaults), ...required });
});

test('every default is a value that the setting allows', () => {
  const wrong = schemas.filter(([, schema]) => schema.default !== undefined && !Value.Check(schema, schema.default));
  expect(wrong).toEqual([]);
});

test('every setting says what it is for', () => {
  expect(schemas.filter(([, schema]) => !schema.description).map(([name]) => name)).toEqual([]);
});

test('the configuration cannot be changed', () => {
  const config = readConfig(undefined, required);
  expect(Object.isFrozen(config)).toBe(true);
  expect(() => Object.assign(config, { PORT: 1 })).toThrow(TypeError);
});

test('all faults are reported together, each in a line that names its setting', () => {
  const faults = faultsOf({ REDIS_URL: 'http://localhost', PORT: '65536', LOG_LEVEL: 'loud', ADMIN_API_KEY: 'short' });
  expect(faults.map((line) => line.split(' ')[0])).toEqual([
    'DATABASE_URL',
    'REDIS_URL',
    'PORT',
    'ADMIN_API_KEY',
    'LOG_LEVEL',
  ]);
});

test('a fault says what is allowed', () => {
  expect(faultsOf({ ...required, PORT: '-1' })).toEqual([
    'PORT is wrong: expected integer 0-65535 (port of the API; 0: any free port)',
  ]);
  expect(faultsOf({ ...required, ALLOW_VOLATILE_REDIS: 'true' })[0]).toContain('expected one of on, off');
  expect(faultsOf({ ...required, ADMIN_API_KEY: 'short' })[0]).toContain('expected string of at least 16 characters');
});

test('no fault repeats a value, since it may be a secret', () => {
  const secret = 'hunter2-S3CRET';
  const environment = Object.fromEntries(schemas.map(([name]) => [name, secret]));
  const faults = faultsOf({ ...environment, WORKER_NAME: `${secret} ${secret}`, ADMIN_API_KEY: secret });
  expect(faults.length).toBeGreaterThan(30);
  expect(faults.filter((line) => line.includes(secret))).toEqual([]);
});

describe.each(wholeSettings)('$name', ({ name, minimum, maximum }) => {
  const read = (value: string): unknown => readConfig(undefined, { ...required, [name]: value })[name as 'PORT'];

  test('takes its bounds, and nothing beyond them', () => {
    expect([read(String(minimum)), read(String(maximum))]).toEqual([minimum, maximum]);
    for (const beyond of [minimum - 1, maximum + 1]) expect(() => read(String(beyond))).toThrow(`${name} is wrong`);
  });

  test.each(['1.5', '1e3', '0x10', '1,000', 'many', 'NaN', 'Infinity', '99999999999999999999'])(
    'does not take %p for an integer',
    (value) => {
      expect(() => read(value)).toThrow(`${name} is wrong: expected integer ${minimum}-${maximum}`);
    },
  );
});

test('blanks around a value do not count', () => {
  expect(readConfig(['PORT'], { PORT: ' 8080\n' })).toEqual({ PORT: 8080 });
});

test.each(['', '  ', undefined])('%p counts as not set', (value) => {
  expect(readConfig(['PORT'], { PORT: value })).toEqual({ PORT: 3000 });
  expect(readConfig(['ADMIN_API_KEY'], { ADMIN_API_KEY: value })).toEqual({});
  expect(() => readConfig(['REDIS_URL'], { REDIS_URL: value })).toThrow('REDIS_URL is not set');
});

test('a process is asked only for what it needs', () => {
  expect(readConfig(['DATABASE_URL'], { DATABASE_URL: required.DATABASE_URL, PORT: 'wrong' })).toEqual({
    DATABASE_URL: required.DATABASE_URL,
  });
});

test('variables that are no settings are left alone', () => {
  expect(Object.keys(readConfig(undefined, { ...required, PATH: '/bin' }))).not.toContain('PATH');
});

test.each(['postgres://u@h/d', 'mysql://', 'mysql://host', 'localhost'])('%p is no address of MySQL', (url) => {
  expect(() => readConfig(['DATABASE_URL'], { DATABASE_URL: url })).toThrow('DATABASE_URL is wrong');
});

test.each(['redis://localhost', 'rediss://user:password@host:6380/1'])('%p is an address of Redis', (url) => {
  expect(readConfig(['REDIS_URL'], { REDIS_URL: url })).toEqual({ REDIS_URL: url });
});

test.each(['redis://localhost:65536', 'redis://us er@[::1', 'redis://localhost/coupons', 'rediss://localhost/-1'])(
  '%p is no address of Redis',
  (url) => {
    const faults = faultsOf({ ...required, REDIS_URL: url });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toStartWith('REDIS_URL is wrong: expected a URL such as redis://user:password@host:6379/0');
  },
);

describe('a value in a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'settings-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileWith = (text: string) => {
    const path = join(folder, crypto.randomUUID());
    writeFileSync(path, text);
    return path;
  };

  test('every secret and address can stand in one', () => {
    const url = 'mysql://u:p@db.example/coupons';
    const environment = { DATABASE_URL_FILE: fileWith(`${url}\n`), REDIS_URL_FILE: fileWith('redis://localhost') };
    const config = readConfig(['DATABASE_URL', 'REDIS_URL'], environment);
    expect(config).toEqual({ DATABASE_URL: url, REDIS_URL: 'redis://localhost' });
    const known = Object.keys(settings.properties).filter((name) =>
      /_URL$|SECRET|_PASSWORD$|^ADMIN_API_KEY$/.test(name),
    );
    expect(secretSettings.toSorted()).toEqual(known.toSorted());
  });

  test('it is one of the two, and must be there', () => {
    expect(
      faultsOf({ ...required, ADMIN_API_KEY: 'x'.repeat(16), ADMIN_API_KEY_FILE: fileWith('y'.repeat(16)) }),
    ).toEqual(['ADMIN_API_KEY and ADMIN_API_KEY_FILE are both set']);
    expect(faultsOf({ ...required, JWT_SECRET_FILE: join(folder, 'none') })).toEqual([
      'JWT_SECRET_FILE: the file cannot be read (ENOENT)',
    ]);
    expect(faultsOf({ ...required, DATABASE_CA: folder })).toEqual(['DATABASE_CA: the file cannot be read (EISDIR)']);
  });

  test('an authority is what its file holds', () => {
    const ca = '-----BEGIN CERTIFICATE-----';
    expect(readConfig(['REDIS_CA'], { REDIS_CA: fileWith(`${ca}\n`) })).toEqual({ REDIS_CA: ca });
  });
});

test.each(['"secret"', "'secret'", '`secret`'])('quotes that were not taken off are refused: %s', (value) => {
  expect(faultsOf({ ...required, ADMIN_API_KEY: value })).toEqual([
    'ADMIN_API_KEY has quotes around its value: leave them out',
  ]);
});

test('a variable that is nearly a setting is named, and others are not', () => {
  const others = {
    HOME: '/',
    host: 'h',
    PATH: '',
    PORTS: '1',
    PWD: '/',
    REDIS_TLS_URL: '',
    DATABASE_POOL: '',
    npm_config_x: '',
  };
  const near = { REDIS_URI: 's3cret', partitions: '8', PARTITION: '8', 'REDIS-URL': '', JWT_SECRETS_FILE: '' };
  const lines = suspectNames({ ...required, ...others, ...near });
  expect(lines).toEqual([
    'REDIS_URI is no setting; REDIS_URL is',
    'partitions is no setting; PARTITIONS is',
    'PARTITION is no setting; PARTITIONS is',
    'REDIS-URL is no setting; REDIS_URL is',
    'JWT_SECRETS_FILE is no setting; JWT_SECRET_FILE is',
  ]);
});

test('an address of MySQL with an impossible port is reported with the other faults', () => {
  expect(
    faultsOf({ ...required, DATABASE_URL: 'mysql://u@h:65536/d', PORT: 'x' }).map((line) => line.split(' ')[0]),
  ).toEqual(['PORT', 'DATABASE_URL']);
});

describe('settings that are wrong together', () => {
  const tokens = { JWT_SECRET: 'a-secret-of-more-than-32-characters', JWT_ISSUER: 'i', JWT_AUDIENCE: 'a' };
  const url = 'https://issuer.example/keys';

  test('tokens with a secret, and with an address of keys, are fine', () => {
    const { JWT_SECRET: _secret, ...names } = tokens;
    expect(faultsOf({ ...required, ...tokens })).toEqual([]);
    expect(faultsOf({ ...required, ...tokens, JWT_ALGORITHMS: 'HS256,HS512' })).toEqual([]);
    expect(faultsOf({ ...required, ...names, JWT_JWKS_URL: url, JWT_ALGORITHMS: 'ES256,EdDSA' })).toEqual([]);
  });

  test.each([
    ['both ways to sign', { ...tokens, JWT_JWKS_URL: url }, 'JWT_SECRET and JWT_JWKS_URL are both set'],
    ['no issuer', { ...tokens, JWT_ISSUER: '' }, 'JWT_ISSUER is not set'],
    ['no audience', { ...tokens, JWT_AUDIENCE: '' }, 'JWT_AUDIENCE is not set'],
    [
      'a previous secret without a current one',
      { JWT_SECRET_PREVIOUS: tokens.JWT_SECRET },
      'JWT_SECRET_PREVIOUS is set without JWT_SECRET',
    ],
    ['an issuer alone', { JWT_ISSUER: 'i' }, 'JWT_ISSUER is set without JWT_SECRET or JWT_JWKS_URL'],
    ['a public key for a secret', { ...tokens, JWT_ALGORITHMS: 'HS256,RS256' }, 'JWT_ALGORITHMS is wrong'],
    ['no signature', { ...tokens, JWT_ALGORITHMS: 'none' }, 'JWT_ALGORITHMS is wrong'],
    [
      'keys without TLS',
      { JWT_ISSUER: 'i', JWT_AUDIENCE: 'a', JWT_JWKS_URL: 'http://issuer.example/keys' },
      'JWT_JWKS_URL is wrong',
    ],
    ['a network that is none', { TRUSTED_PROXIES: '10.0.0.0/33' }, 'TRUSTED_PROXIES is wrong'],
    ['an address that is none', { TRUSTED_PROXIES: '10.0.0.1,10.0.0.256' }, 'TRUSTED_PROXIES is wrong'],
    ['metrics of any process', { REUSE_PORT: 'on' }, 'REUSE_PORT is on without METRICS_PORT'],
    ['a CAPTCHA without its secret', { CAPTCHA_VERIFY_URL: url }, 'CAPTCHA_VERIFY_URL and CAPTCHA_SECRET'],
    ['a CAPTCHA without its address', { CAPTCHA_SECRET: 's' }, 'CAPTCHA_VERIFY_URL and CAPTCHA_SECRET'],
    ['any origin', { CORS_ORIGINS: '*' }, 'CORS_ORIGINS is wrong'],
    ['an origin with a path', { CORS_ORIGINS: 'https://shop.example/' }, 'CORS_ORIGINS is wrong'],
    ['any origin as a frame', { FRAME_ANCESTORS: '*' }, 'FRAME_ANCESTORS is wrong'],
    ['a colour with more in it', { DROP_COLOR: '#ffd400}' }, 'DROP_COLOR is wrong'],
    ['a link that is a script', { DROP_NEXT_URL: 'javascript:alert(1)' }, 'DROP_NEXT_URL is wrong'],
    [
      'a picture that ends a directive',
      { DROP_PICTURE_URL: 'https://a.example;script-src *' },
      'DROP_PICTURE_URL is wrong',
    ],
  ])('%s', (_, environment, fault) => {
    expect(faultsOf({ ...required, ...environment })).toEqual([expect.stringContaining(fault) as unknown as string]);
  });

  test('are reported together with those that are wrong by themselves, each in one line', () => {
    const faults = faultsOf({ ...required, PORT: 'x', JWT_ISSUER: 'i', JWT_ALGORITHMS: 'none', REUSE_PORT: 'on' });
    expect(faults.map((line) => line.split(' ')[0])).toEqual(['PORT', 'JWT_ALGORITHMS', 'JWT_ISSUER', 'REUSE_PORT']);
  });

  test('a secret that is too short is a secret all the same', () => {
    expect(faultsOf({ ...required, ...tokens, JWT_SECRET: 'short' })).toEqual([
      expect.stringContaining('JWT_SECRET is wrong') as unknown as string,
    ]);
  });

  test('proxies are addresses or networks, of both kinds', () => {
    expect(faultsOf({ ...required, TRUSTED_PROXIES: '10.0.0.0/8,192.0.2.1,fd00::/8,::1' })).toEqual([]);
  });
});
