// Reads the arguments and the environment of a suite: a name out of a list, whole numbers, durations; anything else is refused.

import { BenchError } from '../bench-error.ts';

/**
 * The argument as one of `names`; the first of them when it is missing.
 *
 * @throws BenchError
 */
export function oneOf<Name extends string>(
  what: string,
  names: readonly [Name, ...Name[]],
  given: string | undefined,
): Name {
  if (given === undefined) return names[0];
  const found = names.find((name) => name === given);
  if (found === undefined)
    throw new BenchError(`unknown ${what} ${JSON.stringify(given)}: expected one of ${names.join(', ')}`);
  return found;
}

/**
 * A variable of the environment as a whole number from 1 up; `undefined` when it is not set.
 *
 * @throws BenchError
 */
export function wholeSetting(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
): number | undefined {
  const given = environment[name]?.trim() ?? '';
  if (given === '') return undefined;
  if (!/^[1-9]\d{0,8}$/.test(given))
    throw new BenchError(`${name} is wrong: expected a whole number from 1 to 999999999`);
  return Number(given);
}

/**
 * A variable of the environment as a duration such as `30s`, `10m` or `1h`, in seconds; `undefined` when it is not set.
 *
 * @throws BenchError
 */
export function durationSetting(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
): number | undefined {
  const given = environment[name]?.trim() ?? '';
  if (given === '') return undefined;
  const match = /^([1-9]\d{0,5})(s|m|h)$/.exec(given);
  if (match === null) throw new BenchError(`${name} is wrong: expected a duration such as 30s, 10m or 1h`);
  const secondsPer = { s: 1, m: 60, h: 3600 };
  return Number(match[1]) * (match[2] === 'h' ? secondsPer.h : match[2] === 'm' ? secondsPer.m : secondsPer.s);
}

/** @throws BenchError when there are more arguments than are understood */
export function noMoreThan(args: readonly string[], most: number): void {
  const extra = args[most];
  if (extra !== undefined) throw new BenchError(`unknown argument ${JSON.stringify(extra)}`);
}
