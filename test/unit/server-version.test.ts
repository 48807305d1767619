// Shows that a server on which the last guard of P1 would not hold is distinguished from one that is new enough.
import { expect, test } from 'bun:test';
import { isTooOld, tooOld } from '../../src/mysql/server-version.ts';

test.each(['8.0.16', '8.0.30-Vitess', '8.4.3', '9.7.0', '10.11.19-MariaDB-0+deb12u1', '11.4.2-MariaDB', '8.1'])(
  '%s is new enough',
  (version) => {
    expect(isTooOld(version)).toBe(false);
  },
);

test.each(['5.7.44-log', '8.0.15', '8.0', '10.6.18-MariaDB', '5.5.68-MariaDB', 'unknown', ''])(
  '%p is too old',
  (version) => {
    expect(isTooOld(version)).toBe(true);
  },
);

test('a server that is too old is reported in a line that names the setting and the cure', () => {
  expect(tooOld('5.7.44-log')).toBe(
    'DATABASE_URL: MySQL 5.7.44-log is too old; use MySQL 8.0.16 or MariaDB 10.11, or newer',
  );
});
