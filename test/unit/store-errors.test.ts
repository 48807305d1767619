// Shows that a failed store becomes one answer, whose cause is reported once, however many functions it passes through.
import { expect, test } from 'bun:test';
import { Unavailable } from '../../src/coupon/outcome.ts';
import { InvariantViolation } from '../../src/invariant.ts';
import { withStoreErrors } from '../../src/issuing/store-errors.ts';

/** A function that fails, wrapped twice, as one that is built on another; and what was reported. */
function failing(failure: Error) {
  const reported: unknown[] = [];
  const report = (fault: unknown) => reported.push(fault);
  const inner = withStoreErrors({ run: () => Promise.reject(failure) }, report);
  const { run } = withStoreErrors({ run: () => inner.run() }, report);
  return { run, reported };
}

test('a failure becomes Unavailable with its cause, and is reported once', async () => {
  const failure = new Error('Connection is closed.');
  const { run, reported } = failing(failure);
  expect(await run().catch((error: unknown) => error)).toMatchObject({ reason: 'dependency', cause: failure });
  expect(reported).toEqual([failure]);
  // The next failure is another one.
  await expect(run()).rejects.toThrow(Unavailable);
  expect(reported).toEqual([failure, failure]);
});

test('a dependency that is unavailable is reported once, and passed on as it is', async () => {
  const failure = new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
  const { run, reported } = failing(failure);
  expect(await run().catch((error: unknown) => error)).toBe(failure);
  expect(reported).toEqual([failure]);
});

test.each([
  new Unavailable('overloaded', 'too many accepted issues wait for MySQL'),
  new Unavailable('stopping', 'the server is stopping'),
  new InvariantViolation('P3: a bug'),
])('what no store is to blame for is passed on, and not reported: %s', async (failure) => {
  const { run, reported } = failing(failure);
  expect(await run().catch((error: unknown) => error)).toBe(failure);
  expect(reported).toEqual([]);
});
