// Shows that what is logged of a failure helps to find it, and holds no user id.
import { expect, test } from 'bun:test';
import { inspect } from 'node:util';
import { DrizzleQueryError } from 'drizzle-orm/errors';
import { InvariantViolation } from '../../src/invariant.ts';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { describeFault } from '../../src/telemetry/log.ts';
import { secretUser, serverFault, socketFault } from './faults.ts';

const query = 'insert into `coupon_issues` values (?)';
const refused = new DrizzleQueryError(query, [secretUser], serverFault(1406));
const cutOff = new DrizzleQueryError(query, [secretUser], socketFault());

test.each([
  ['the driver', serverFault(1406)],
  ['Drizzle', refused],
  ['Drizzle without a connection', cutOff],
  ['Drizzle without a cause', new DrizzleQueryError(query, [secretUser])],
  ['an issuer, from the driver', new Unavailable('dependency', 'MySQL failed', { cause: serverFault(1406) })],
  ['an issuer, from Drizzle', new Unavailable('dependency', 'MySQL failed', { cause: refused })],
  ['an issuer, from Drizzle without a connection', new Unavailable('dependency', 'MySQL failed', { cause: cutOff })],
  [
    'an issuer, from Drizzle without a cause',
    new Unavailable('dependency', 'MySQL failed', {
      cause: new DrizzleQueryError(query, [secretUser]),
    }),
  ],
])('no parameter is logged of a failure of %s', (_, failure) => {
  // There is something to leak.
  expect(inspect(failure)).toContain(secretUser);
  expect(JSON.stringify(describeFault(failure))).not.toContain(secretUser);
});

test('a failure of MySQL is named by number and code', () => {
  expect(describeFault(refused)).toEqual({ name: 'MysqlError', number: 1406, code: 'ER_SOMETHING' });
});

test('a failure without an answer of MySQL is named by the code of the socket', () => {
  expect(describeFault(cutOff)).toEqual({ name: 'MysqlError', number: null, code: 'ECONNREFUSED' });
});

test('our own failure keeps its message and its cause', () => {
  const failure = new Unavailable('dependency', 'Redis or MySQL failed', { cause: socketFault() });
  expect(describeFault(failure)).toEqual({
    name: 'Unavailable',
    message: 'Redis or MySQL failed',
    code: 'ECONNREFUSED',
    cause: { name: 'Error', message: 'connect ECONNREFUSED 127.0.0.1:3306', code: 'ECONNREFUSED' },
  });
});

test('a broken invariant keeps its stack, since it is our bug', () => {
  const failure = new InvariantViolation('P2: broken');
  expect(describeFault(failure)).toEqual({
    name: 'InvariantViolation',
    message: 'P2: broken',
    stack: String(failure.stack),
  });
});

test.each([
  ['a text', secretUser, 'string'],
  ['an object', { userId: secretUser }, 'object'],
  ['nothing', undefined, 'undefined'],
])('of %s that was thrown only the type is logged', (_, thrown, name) => {
  expect(describeFault(thrown)).toEqual({ name });
});

test('equal warnings and failures are one line, and lines that stand for themselves are all there', () => {
  const script = `
    const { createLog } = await import('${import.meta.dir}/../../src/telemetry/log.ts');
    const log = createLog('worker', 'info');
    for (let i = 1; i <= 3; i++) {
      log.warn({ users: i }, 'a warning');
      log.error({ error: new Error('refused by 10.0.0.' + i) }, 'a failure');
      log.error({ users: i }, 'P3: a dead letter');
      log.info({ users: i }, 'opened');
      log.info('stopped');
    }
    log.error({ error: new Error('another cause') }, 'a failure');
    log.error({ error: new Error('refused by 10.0.0.1') }, 'another failure');`;
  const { stdout } = Bun.spawnSync([process.execPath, '-e', script]);
  const lines = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(lines).toEqual([
    'a warning',
    'a failure',
    ...Array.from({ length: 3 }, () => ['P3: a dead letter', 'opened', 'stopped']).flat(),
    'a failure',
    'another failure',
  ]);
});
