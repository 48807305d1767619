// file-limit.test.ts -- A limit of open files that callers could exhaust is named at start, with what to do.

import { expect, test } from 'bun:test';
import { readConfig } from '../../src/config/config.ts';
import { fileLimitFault } from '../../src/runtime/file-limit.ts';

const config = readConfig(undefined, {
  DATABASE_URL: 'mysql://u@h/d',
  REDIS_URL: 'redis://h',
  MYSQL_CONNECTIONS_MAX: '10',
});
const limits = (count: number | string) =>
  `Max processes   100 100 processes\nMax open files            ${count}    ${count}    files\n`;

test('a limit below what callers may hold is a fault, and one above it is none', () => {
  // 1,000 listeners, 100 of operators, 10,000 who wait and 28 connections to MySQL are nine tenths of it.
  expect(fileLimitFault(config, limits(12_364))).toContain(
    'may open 12364 files, and needs 12365: raise the hard limit',
  );
  expect(fileLimitFault(config, limits(12_365))).toBeNull();
});

test('a limit that is not known, or that is none, is no fault', () => {
  for (const text of ['', limits('unlimited')]) expect(fileLimitFault(config, text)).toBeNull();
});
