// exact-json.ts -- JSON whose numbers are what they say: an id must not become another one by rounding.

/** A number with a sign, a fraction or an exponent. It may also stand in a string: then the longer way finds nothing. */
const NOT_PLAIN = /[:,[\s](?:-|\d+[.eE])/;

/**
 * Like `JSON.parse`, but a number that is not written in plain digits becomes NaN, which no schema takes: `42.0`, `1e3`, `-0`.
 * What is beyond 2^53 is not exact either, and above every maximum.
 *
 * @throws SyntaxError
 */
export function parseExactly(text: string): unknown {
  return NOT_PLAIN.test(text) ? JSON.parse(text, plainOrNaN) : JSON.parse(text);
}

function plainOrNaN(_name: string, value: unknown, context?: { readonly source?: string }): unknown {
  return typeof value !== 'number' || /^\d+$/.test(context?.source ?? '') ? value : Number.NaN;
}
