// Shows that only what MySQL says of the data itself is final; everything else is transient, and must not cost a user an issue.
import { expect, test } from 'bun:test';
import { DrizzleQueryError } from 'drizzle-orm/errors';
import fc from 'fast-check';
import { errorNumber, isDataFault, rootCause } from '../../src/mysql/faults.ts';
import { resolverFault, serverFault, socketFault } from './faults.ts';

const dataErrors = [1264, 1265, 1292, 1366, 1406, 1411, 1690, 3819, 4025];

/** As Drizzle passes a failure on, and as we pass on what Drizzle did. */
const wrappers: [name: string, wrap: (cause: Error) => Error][] = [
  ['as it is', (cause) => cause],
  ['wrapped by Drizzle', (cause) => new DrizzleQueryError('insert into coupon_issues …', ['alice'], cause)],
  [
    'wrapped twice',
    (cause) => new Error('the batch failed', { cause: new DrizzleQueryError('select 1', ['alice'], cause) }),
  ],
];

for (const [name, wrap] of wrappers) {
  test.each(dataErrors)(`error %i of the data is final, ${name}`, (number) => {
    expect(isDataFault(wrap(serverFault(number)))).toBe(true);
  });

  test.each([
    [1040, 'too many connections'],
    [1048, 'a column is NULL, which none of ours is'],
    [1062, 'a duplicate, which the ledger resolves itself'],
    [1146, 'no such table, before a migration'],
    [1205, 'lock wait'],
    [1213, 'deadlock'],
    [1290, 'read-only'],
    [1114, 'table full'],
    [1142, 'missing privilege'],
    [1364, 'a column has no value, which each of ours has'],
    [3024, 'query took too long'],
  ])(`error %i is transient (%s), ${name}`, (number) => {
    expect(isDataFault(wrap(serverFault(number)))).toBe(false);
  });

  test(`a broken connection is transient, ${name}`, () => {
    expect(isDataFault(wrap(socketFault()))).toBe(false);
    expect(errorNumber(wrap(socketFault()))).toBeNull();
    expect(errorNumber(wrap(resolverFault()))).toBeNull();
  });

  test(`the error of the driver is found, ${name}`, () => {
    const fault = serverFault(1406);
    expect(rootCause(wrap(fault))).toBe(fault);
    expect(errorNumber(wrap(fault))).toBe(1406);
  });
}

test('everything thrown is classified, and only the listed numbers are permanent', () => {
  fc.assert(
    fc.property(fc.anything(), (thrown) => {
      expect(isDataFault(thrown)).toBe(false);
      expect(errorNumber(thrown)).toBeNull();
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -5000, max: 5000 }), (number) => {
      expect(isDataFault(serverFault(number))).toBe(dataErrors.includes(number));
    }),
  );
});
