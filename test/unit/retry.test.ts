// Shows that the worker tries until it works, waits longer each time up to its bound, and stops on its signal.
import { expect, test } from 'bun:test';
import { type RetryDependencies, Stopped, retryUntilSuccess } from '../../workers/retry.ts';

class Passing extends Error {}
class Final extends Error {}

/** Dependencies that record the failures and pauses that are reported to them. */
function recording({ pauseMsMax = 1, stop = new AbortController().signal } = {}) {
  const reports: { failure: unknown; pauseMs: number }[] = [];
  const observer = { retrying: (failure: unknown, pauseMs: number) => void reports.push({ failure, pauseMs }) };
  const retry: RetryDependencies = { settings: { RETRY_MS_MAX: pauseMsMax }, observer, stop };
  return { retry, reports };
}

const isPassing = (failure: unknown) => failure instanceof Passing;

/** Work that throws each of `failures` once, then succeeds. */
function failing(failures: readonly Error[]) {
  let tries = 0;
  const work = () => {
    const failure = failures[tries++];
    return failure ? Promise.reject(failure) : Promise.resolve('done');
  };
  return { work, tries: () => tries };
}

test('work that succeeds is done once', async () => {
  const { retry, reports } = recording();
  const { work, tries } = failing([]);
  expect(await retryUntilSuccess(retry, work, isPassing)).toBe('done');
  expect({ tries: tries(), reports }).toEqual({ tries: 1, reports: [] });
});

test('a transient failure is reported, and the work retried until it succeeds', async () => {
  const { retry, reports } = recording();
  const failures = Array.from({ length: 30 }, (_, i) => new Passing(`failure ${i}`));
  const { work, tries } = failing(failures);
  expect(await retryUntilSuccess(retry, work, isPassing)).toBe('done');
  expect({ tries: tries(), reports: reports.map(({ failure }) => failure) }).toEqual({ tries: 31, reports: failures });
});

test('a permanent failure is thrown immediately, and not reported', async () => {
  const { retry, reports } = recording();
  const final = new Final('bad data');
  const { work, tries } = failing([final]);
  expect(await retryUntilSuccess(retry, work, isPassing).catch((failure: unknown) => failure)).toBe(final);
  expect({ tries: tries(), reports }).toEqual({ tries: 1, reports: [] });
});

test('the pause doubles with each failure, up to its bound', async () => {
  const { retry, reports } = recording({ pauseMsMax: 45 });
  await retryUntilSuccess(retry, failing([new Passing(), new Passing(), new Passing(), new Passing()]).work, isPassing);
  expect(reports.map(({ pauseMs }) => pauseMs)).toEqual([20, 40, 45, 45]);
});

test('no pause is longer than its bound, not even the first', async () => {
  const { retry, reports } = recording({ pauseMsMax: 3 });
  await retryUntilSuccess(retry, failing([new Passing(), new Passing()]).work, isPassing);
  expect(reports.map(({ pauseMs }) => pauseMs)).toEqual([3, 3]);
});

test('a stop ends a pause immediately, without another try', async () => {
  const stopping = new AbortController();
  const { retry, reports } = recording({ pauseMsMax: 20, stop: stopping.signal });
  const { work, tries } = failing([new Passing(), new Passing()]);
  const retrying = (failure: unknown, pauseMs: number) => {
    retry.observer.retrying(failure, pauseMs);
    // Comes when the pause has begun, and before any timer.
    setImmediate(() => stopping.abort());
  };
  const result = retryUntilSuccess({ ...retry, observer: { retrying } }, work, isPassing).catch(
    (failure: unknown) => failure,
  );
  expect(await result).toBeInstanceOf(Stopped);
  expect({ tries: tries(), reports: reports.length }).toEqual({ tries: 1, reports: 1 });
});

test('after a stop nothing is tried again', async () => {
  const stopping = new AbortController();
  const { retry, reports } = recording({ stop: stopping.signal });
  let tries = 0;
  const work = () => {
    tries += 1;
    stopping.abort();
    return Promise.reject(new Passing());
  };
  expect(await retryUntilSuccess(retry, work, isPassing).catch((failure: unknown) => failure)).toBeInstanceOf(Stopped);
  expect({ tries, reports: reports.length }).toEqual({ tries: 1, reports: 1 });
});

test('work that succeeds while a stop comes has succeeded', async () => {
  const stopping = new AbortController();
  const { retry } = recording({ stop: stopping.signal });
  const work = () => {
    stopping.abort();
    return Promise.resolve('done');
  };
  expect(await retryUntilSuccess(retry, work, isPassing)).toBe('done');
});
