// store-errors.ts -- A store that fails is an answer: 503, ambiguous. The cause is reported once, and never sent to the caller.

import { Unavailable } from '../coupon/outcome.ts';
import { InvariantViolation } from '../invariant.ts';

/** Asynchronous functions by name. */
type AsyncFunctions<Part> = { readonly [Name in keyof Part]: (...input: never[]) => Promise<unknown> };

/** Errors whose cause was reported, by the batch or by a function that another one is built on. */
const reported = new WeakSet<Error>();

/**
 * What to throw for a failure: Unavailable, or InvariantViolation for a bug.
 *
 * @param onFault is called with the failure, once, if a store is its cause
 */
export function asUnavailable(failure: unknown, onFault: (failure: unknown) => void): Error {
  if (failure instanceof InvariantViolation) return failure;
  const isUnavailable = failure instanceof Unavailable;
  if (isUnavailable && (failure.reason !== 'dependency' || reported.has(failure))) return failure;
  onFault(failure);
  const error = isUnavailable ? failure : new Unavailable('dependency', 'Redis or MySQL failed', { cause: failure });
  reported.add(error);
  return error;
}

/** The same functions, throwing only what `asUnavailable` makes of their failures. */
export function withStoreErrors<Part extends AsyncFunctions<Part>>(
  part: Part,
  onFault: (fault: unknown) => void,
): Part {
  const wrap =
    (run: (...input: never[]) => Promise<unknown>) =>
    async (...input: never[]): Promise<unknown> => {
      try {
        return await run(...input);
      } catch (failure) {
        throw asUnavailable(failure, onFault);
      }
    };
  const entries = Object.entries<(...input: never[]) => Promise<unknown>>(part);
  return Object.fromEntries(entries.map(([name, run]) => [name, wrap(run)])) as unknown as Part;
}

/** The same sequence, throwing only what `asUnavailable` makes of its failures. */
export async function* iterateWithStoreErrors<Item>(
  items: AsyncIterable<Item>,
  onFault: (fault: unknown) => void,
): AsyncGenerator<Item> {
  try {
    yield* items;
  } catch (failure) {
    throw asUnavailable(failure, onFault);
  }
}
