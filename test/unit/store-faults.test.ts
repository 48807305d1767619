// store-faults.test.ts -- The reason of a failed start is a code, never a message that may hold addresses and names of users.
import { expect, test } from 'bun:test';
import { DrizzleQueryError } from 'drizzle-orm/errors';
import { explainMysql, explainRedis, reasonOf } from '../../src/runtime/store-faults.ts';
import { serverFault, socketFault } from './faults.ts';

test.each([
  ['a socket', socketFault(), 'ECONNREFUSED'],
  ['MySQL', serverFault(1045), 'ER_SOMETHING 1045'],
  ['Drizzle', new DrizzleQueryError('select 1', [], serverFault(1049)), 'ER_SOMETHING 1049'],
  ['Redis', Object.assign(new Error('WRONGPASS for alice'), { name: 'ReplyError' }), 'WRONGPASS'],
  ['an error without a code', new TypeError('at 10.0.0.7'), 'TypeError'],
  ['an error with an empty code', Object.assign(new Error('at 10.0.0.7'), { code: '' }), 'Error'],
  [
    'several addresses at once',
    Object.assign(new AggregateError([socketFault(), socketFault()], 'at 10.0.0.7'), { code: 'ECONNREFUSED' }),
    'ECONNREFUSED',
  ],
  ['a text', 'at 10.0.0.7', 'unknown reason'],
  ['nothing', undefined, 'unknown reason'],
])('the reason of a failure of %s', (_, failure, reason) => {
  expect(reasonOf(failure)).toBe(reason);
});

test('a reply of a cluster is no fault of TLS, whatever its letters', () => {
  const { line } = explainRedis(Object.assign(new Error('CROSSSLOT Keys in request'), { name: 'ReplyError' }));
  expect(line).toBe('REDIS_URL: Redis cannot be used (CROSSSLOT): see its log');
});

test('the number that Vitess has for most of its faults means nothing of any other server', () => {
  const lineOf = (server: { readonly isVitess?: boolean }) => explainMysql(serverFault(1105), { server }).line;
  expect(lineOf({ isVitess: true })).toContain('deploy/vitess/README.md');
  for (const server of [{ isVitess: false }, {}]) expect(lineOf(server)).toMatch(/ER_SOMETHING 1105\): see its log$/);
});
