// store-errors.ts -- A store that fails is an answer: 503, indeterminate. Told once to whoever keeps the log, never to the caller.

import { InvariantViolation } from '../invariant.ts';
import { Unavailable } from '../coupon/outcome.ts';

/** Asynchronous functions by name. */
type Asking<Part> = { readonly [Name in keyof Part]: (...input: never[]) => Promise<unknown> };

/**
 * The same functions, throwing only `Unavailable` and `InvariantViolation`.
 *
 * @param onFault is told what really failed
 */
export function withStoreErrors<Part extends Asking<Part>>(part: Part, onFault: (fault: unknown) => void): Part {
  const wrap =
    (ask: (...input: never[]) => Promise<unknown>) =>
    async (...input: never[]): Promise<unknown> => {
      try {
        return await ask(...input);
      } catch (fault) {
        if (fault instanceof InvariantViolation) throw fault;
        if (fault instanceof Unavailable && fault.reason !== 'dependency') throw fault;
        onFault(fault);
        throw fault instanceof Unavailable
          ? fault
          : new Unavailable('dependency', 'Redis or MySQL failed', { cause: fault });
      }
    };
  const entries = Object.entries<(...input: never[]) => Promise<unknown>>(part);
  return Object.fromEntries(entries.map(([name, ask]) => [name, wrap(ask)])) as unknown as Part;
}
