// Shows one request's way with fake issuers: refusal cache, combiner, issuer, and what each failure becomes.
import { expect, test } from 'bun:test';
import { InvariantViolation } from '../../src/invariant.ts';
import { RefusalCache } from '../../src/issuing/refusal-cache.ts';
import { createPipeline, type PipelineObserver } from '../../src/issuing/pipeline.ts';
import { type Issuer, type IssuerName, issuerNames } from '../../src/issuing/issuer.ts';
import { type Outcome, refusal, Unavailable } from '../../src/coupon/outcome.ts';
import { quiet } from './event-loop.ts';

const cacheBounds = { ageMsMax: 1000, entriesMax: 10, ownersMax: 10, skewMsMax: 0 };
const bounds = { usersPerBatchMax: 2, batchesInFlightMax: 1, waitingMax: 2 };

/** The pipeline over one way of deciding, with what was decided and reported. */
function issuanceOver(decide: Issuer['issue'], combinerBounds = bounds) {
  const decided: [issuer: IssuerName, couponId: number, users: readonly string[]][] = [];
  const reports = { batches: [] as unknown[], refusedByCache: 0, failed: [] as unknown[], requested: [] as number[] };
  const issuerCalled = (name: IssuerName): Issuer => ({
    issue: (couponId, users) => {
      decided.push([name, couponId, users]);
      return decide(couponId, users);
    },
  });
  const issuers = {
    synchronous: issuerCalled('synchronous'),
    locked: issuerCalled('locked'),
    scripted: issuerCalled('scripted'),
  };
  const refusals = new RefusalCache(
    () => Promise.resolve(null),
    cacheBounds,
    (fault) => reports.failed.push(fault),
  );
  const observer: PipelineObserver = {
    batch: (issuer, { users, failed }) => reports.batches.push([issuer, users, failed]),
    refusedByCache: () => {
      reports.refusedByCache += 1;
    },
    requested: (couponId) => reports.requested.push(couponId),
    failed: (issuer, failure) => reports.failed.push([issuer, failure]),
  };
  const issuance = createPipeline({ issuers, refusals, bounds: combinerBounds, observer });
  // At once or later is the same to most tests.
  const issue = async (...request: Parameters<typeof issuance.issue>) => issuance.issue(...request);
  return { issuance: { ...issuance, issue }, issueAtOnce: issuance.issue, refusals, decided, reports };
}

const winAll: Issuer['issue'] = (_, users) =>
  Promise.resolve(users.map((_user, i) => ({ kind: 'issued', sequence: i + 1 })));
const failureOf = (answer: Promise<unknown>) => answer.catch((failure: unknown) => failure);

test.each([...issuerNames])('a request for `%s` is decided by that issuer, and reported', async (name) => {
  const { issuance, decided, reports } = issuanceOver(winAll);
  const outcome: Outcome = { kind: 'issued', sequence: 1 };
  expect(await issuance.issue(name, 7, 'alice')).toEqual(outcome);
  await quiet();
  expect(decided).toEqual([[name, 7, ['alice']]]);
  expect(reports).toEqual({ batches: [[name, 1, false]], refusedByCache: 0, failed: [], requested: [7] });
});

test('what an issuer throws becomes indeterminate for every user of the batch, with its cause, and is reported once', async () => {
  const cause = new Error('Connection is closed.');
  const gate = Promise.withResolvers<readonly Outcome[]>();
  const { issuance, reports } = issuanceOver((_, users) =>
    users[0] === 'first' ? gate.promise : Promise.reject(cause),
  );
  const first = issuance.issue('scripted', 7, 'first');
  const others = ['a', 'b'].map((user) => failureOf(issuance.issue('scripted', 7, user)));
  gate.resolve([{ kind: 'issued', sequence: 1 }]);
  await first;
  const failures = await Promise.all(others);
  for (const failure of failures) {
    expect(failure).toBeInstanceOf(Unavailable);
    expect(failure).toMatchObject({ reason: 'dependency', cause });
    expect(String(failure)).not.toContain('Connection');
  }
  expect(reports.failed).toEqual([['scripted', cause]]);
});

test('what an issuer throws immediately, before it returns a promise, is treated the same', async () => {
  const cause = new Error('not ready');
  const { issuance } = issuanceOver(() => {
    throw cause;
  });
  expect(await failureOf(issuance.issue('locked', 7, 'alice'))).toMatchObject({ reason: 'dependency', cause });
});

test('a failure of a dependency that the issuer knew is passed as it is, and reported', async () => {
  const failure = new Unavailable('dependency', 'the state of a coupon does not stay in Redis');
  const { issuance, reports } = issuanceOver(() => Promise.reject(failure));
  expect(await failureOf(issuance.issue('locked', 7, 'alice'))).toBe(failure);
  expect(reports.failed).toEqual([['locked', failure]]);
});

test.each(['overloaded', 'stopping'] as const)(
  '`%s` is passed as it is, and is not reported as a failure',
  async (reason) => {
    const failure = new Unavailable(reason, 'not now');
    const { issuance, reports } = issuanceOver(() => Promise.reject(failure));
    expect(await failureOf(issuance.issue('locked', 7, 'alice'))).toBe(failure);
    expect(reports.failed).toEqual([]);
  },
);

test('a broken invariant is passed as it is, since it is our bug and no outage', async () => {
  const failure = new InvariantViolation('P2: broken');
  const { issuance, reports } = issuanceOver(() => Promise.reject(failure));
  expect(await failureOf(issuance.issue('synchronous', 7, 'alice'))).toBe(failure);
  expect(reports.failed).toEqual([['synchronous', failure]]);
});

test('a refusal is cached, and answers the next request of every endpoint without a decision', async () => {
  const { issuance, issueAtOnce, decided, reports } = issuanceOver((_, users) =>
    Promise.resolve(users.map(() => refusal.ended)),
  );
  await issuance.issue('scripted', 7, 'alice');
  for (const name of issuerNames) expect(await issuance.issue(name, 7, 'bob')).toEqual(refusal.ended);
  expect(decided).toEqual([['scripted', 7, ['alice']]]);
  expect(reports.refusedByCache).toBe(issuerNames.length);
  expect(await issuance.issue('scripted', 8, 'bob')).toEqual(refusal.ended);
  expect(decided).toHaveLength(2);
  // Nothing to wait for: a rush gets hardly any other answer.
  expect(issueAtOnce('scripted', 7, 'one more')).toEqual(refusal.ended);
});

test('the last outcome of a batch is the one that is cached', async () => {
  const gate = Promise.withResolvers<readonly Outcome[]>();
  const { issuance, decided } = issuanceOver((_, users) =>
    users[0] === 'first'
      ? gate.promise
      : Promise.resolve([refusal.paused, { kind: 'issued', sequence: 2 }] satisfies Outcome[]),
  );
  const answers = ['first', 'a', 'b'].map((user) => issuance.issue('scripted', 7, user));
  gate.resolve([{ kind: 'issued', sequence: 1 }]);
  await Promise.all(answers);
  await issuance.issue('synchronous', 7, 'c').catch(() => 'decided');
  expect(decided).toHaveLength(3);
});

test('a decision that an edit overtook is not cached', async () => {
  const gate = Promise.withResolvers<readonly Outcome[]>();
  const { issuance, refusals, decided } = issuanceOver(() => gate.promise);
  const answer = issuance.issue('scripted', 7, 'alice');
  refusals.invalidate(7);
  gate.resolve([refusal.paused]);
  expect(await answer).toEqual(refusal.paused);
  expect(await issuance.issue('scripted', 7, 'bob')).toEqual(refusal.paused);
  expect(decided).toHaveLength(2);
});

test('an issuer that takes a lock has one batch in flight, whatever the bound', async () => {
  const gate = Promise.withResolvers<void>();
  const wide = { ...bounds, batchesInFlightMax: 2 };
  const { issuance } = issuanceOver((couponId, users) => gate.promise.then(() => winAll(couponId, users)), wide);
  const answers = issuerNames.flatMap((name) => ['a', 'b'].map((user) => issuance.issue(name, 7, user)));
  const underWay = issuerNames.map((name) => [name, issuance.load(name).batchesInFlight]);
  expect(Object.fromEntries(underWay)).toEqual({ synchronous: 1, locked: 1, scripted: 2 });
  gate.resolve();
  await Promise.all(answers);
});

test('endpoints do not wait for one another, and each reports its own load', async () => {
  const gate = Promise.withResolvers<readonly Outcome[]>();
  const { issuance } = issuanceOver((_, users) => (users[0] === 'slow' ? gate.promise : winAll(7, users)));
  const slow = issuance.issue('synchronous', 7, 'slow');
  const waiting = issuance.issue('synchronous', 7, 'next');
  expect(issuance.load('synchronous')).toEqual({ waiting: 1, batchesInFlight: 1 });
  expect(await issuance.issue('scripted', 7, 'fast')).toEqual({ kind: 'issued', sequence: 1 });
  await quiet();
  expect(issuance.load('scripted')).toEqual({ waiting: 0, batchesInFlight: 0 });
  gate.resolve([{ kind: 'issued', sequence: 1 }]);
  await Promise.all([slow, waiting]);
});

test('closing answers what was accepted, on every endpoint, and refuses what comes later', async () => {
  const gate = Promise.withResolvers<void>();
  const { issuance } = issuanceOver((couponId, users) => gate.promise.then(() => winAll(couponId, users)));
  const answers = issuerNames.map((name) => issuance.issue(name, 7, 'alice'));
  let closed = false;
  const closing = issuance.drain().then(() => {
    closed = true;
  });
  for (const name of issuerNames)
    expect(await failureOf(issuance.issue(name, 7, 'bob'))).toMatchObject({ name: 'Unavailable', reason: 'stopping' });
  await quiet();
  expect(closed).toBe(false);
  gate.resolve();
  expect(await Promise.all(answers)).toEqual(issuerNames.map(() => ({ kind: 'issued', sequence: 1 })));
  await closing;
  expect(closed).toBe(true);
});
