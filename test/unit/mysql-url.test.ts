// Shows what a database URL means, above all when it means TLS, and that a wrong one is never repeated.
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { readDatabaseUrl } from '../../src/mysql/url.ts';
import { OperatorError } from '../../src/operator-error.ts';

const base = 'mysql://root:secret@db.example:3307/coupons';
const checkedTls = { rejectUnauthorized: true, verifyIdentity: true, minVersion: 'TLSv1.2' };

test('a URL gives the whole address', () => {
  expect(readDatabaseUrl({ DATABASE_URL: base })).toEqual({
    host: 'db.example',
    port: 3307,
    user: 'root',
    password: 'secret',
    database: 'coupons',
  });
});

test('the port is 3306 and the password empty unless given', () => {
  expect(readDatabaseUrl({ DATABASE_URL: 'mysql://root@localhost/coupons' })).toMatchObject({
    port: 3306,
    password: '',
  });
});

test('an IPv6 address loses its brackets', () => {
  expect(readDatabaseUrl({ DATABASE_URL: 'mysql://root@[::1]/coupons' }).host).toBe('::1');
});

test('what is escaped in user, password and database is taken as it was meant', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), (user, password) => {
      const url = `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@localhost/my%20coupons`;
      expect(readDatabaseUrl({ DATABASE_URL: url })).toMatchObject({ user, password, database: 'my coupons' });
    }),
  );
});

describe('TLS checks certificate and host name whenever it is asked for', () => {
  test.each([
    'ssl={"rejectUnauthorized":true}',
    'ssl=%7B%22rejectUnauthorized%22%3Atrue%7D',
    'ssl=true',
    'ssl=',
    'sslaccept=strict',
    'sslmode=require',
    'sslmode=REQUIRED',
    'sslmode=verify_ca',
    'sslmode=verify-ca',
    'sslmode=VERIFY_IDENTITY',
    'sslmode=verify-full',
    'sslmode=disabled&sslaccept=strict',
    'ssl-mode=REQUIRED',
    'SSL_MODE=verify_ca',
    'useSSL=true',
    'tls=true',
  ])('?%s', (query) => {
    expect(readDatabaseUrl({ DATABASE_URL: `${base}?${query}` }).ssl).toEqual(checkedTls);
  });
});

test.each(['', '?sslmode=disable', '?sslmode=DISABLED', '?tls=false'])('there is no TLS with %p', (query) => {
  expect(readDatabaseUrl({ DATABASE_URL: base + query }).ssl).toBeUndefined();
});

test.each([
  'sslaccept=accept_invalid_certs',
  'sslaccept=',
  'ssl={"rejectUnauthorized":false}',
  'ssl=false',
  'ssl=0',
  'sslmode=prefer',
  'sslmode=',
  'ssl-mode=PREFERRED',
  'useSSL=maybe',
  'tls=skip-verify',
  'ssl={"ca":"/etc/ca.pem"}',
])('TLS that checks nothing is refused: ?%s', (query) => {
  expect(() => readDatabaseUrl({ DATABASE_URL: `${base}?${query}` })).toThrow(OperatorError);
});

test.each([
  'connection_limit=5',
  'connectTimeout=1',
  'charset=latin1',
  'ssl-ca=/etc/ca.pem',
  'sslcert=a&sslaccept=strict',
])('an option that would be ignored is refused by its name: ?%s', (query) => {
  expect(() => readDatabaseUrl({ DATABASE_URL: `${base}?${query}` })).toThrow(
    `the option ${query.replace(/=.*/, '').toLowerCase()} is not known`,
  );
});

test('a socket needs no host, and files of TLS set it', () => {
  const url = 'mysql://root@localhost/coupons?socketPath=/run/mysqld/mysqld.sock';
  expect(readDatabaseUrl({ DATABASE_URL: url }).socketPath).toBe('/run/mysqld/mysqld.sock');
  const files = { DATABASE_CA: 'a', DATABASE_CERT: 'b', DATABASE_KEY: 'c' };
  expect(readDatabaseUrl({ DATABASE_URL: base, ...files }).ssl).toEqual({
    ...checkedTls,
    ca: 'a',
    cert: 'b',
    key: 'c',
  });
});

test.each(['a#b', 'a/b', '12?b', '12/b'])(
  'the password %p, not encoded, gets a hint and is not repeated',
  (password) => {
    const read = () => readDatabaseUrl({ DATABASE_URL: `mysql://root:${password}@db.example:3306/coupons` });
    expect(read).toThrow('write # as %23');
    expect(read).not.toThrow(password);
  },
);

test('a part of a password that looks like an option is not repeated', () => {
  const read = () => readDatabaseUrl({ DATABASE_URL: 'mysql://root:12?secret=b@db.example:3306/coupons' });
  expect(read).toThrow('write # as %23');
  expect(read).not.toThrow('secret');
});

test.each([
  'localhost',
  '',
  'postgres://root:secret@localhost/coupons',
  'mysql://root:secret@localhost',
  'mysql://root:secret@localhost/',
  'mysql://root:secret@localhost/a/b',
  'mysql://root:secret@localhost/a%2Fb',
  'mysql:///coupons',
  'mysql://root:secret@localhost:99999/coupons',
  'mysql://root:100%secret@localhost/coupons',
  'mysql://root:secret@localhost/100%',
])('%p is refused without repeating it', (url) => {
  const read = () => readDatabaseUrl({ DATABASE_URL: url });
  expect(read).toThrow(OperatorError);
  expect(read).not.toThrow('secret');
});

test('any text at all is an address or a fault that says so', () => {
  const text = fc.oneof(
    fc.string(),
    fc.string().map((rest) => `mysql://${rest}`),
    fc.webUrl(),
  );
  fc.assert(
    fc.property(text, (url) => {
      try {
        expect(readDatabaseUrl({ DATABASE_URL: url }).database).not.toBe('');
      } catch (fault) {
        expect(fault).toBeInstanceOf(OperatorError);
      }
    }),
  );
});
