// invariant.ts -- The one way to say "this cannot happen": a broken invariant is our bug, never the caller's.

/** Thrown when the program finds its own state impossible. It is logged with its cause and answered as `INTERNAL`. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/**
 * Asserts what must hold.
 *
 * @param condition what must be true
 * @param message which promise or rule is broken; must not hold personal data, since it is logged
 * @throws InvariantViolation when it is not
 */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantViolation(message);
}
