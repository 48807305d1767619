// environment.ts -- Variables of the environment as people write them: a value, or the file that holds it; and names that are not quite ours.

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { settings } from './settings.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that may be given as a file, as Docker and Kubernetes hand out secrets: `JWT_SECRET_FILE` holds `JWT_SECRET`. */
export const secretSettings: readonly string[] = [
  'DATABASE_URL',
  'REDIS_URL',
  'SENTINEL_PASSWORD',
  'ADMIN_API_KEY',
  'JWT_SECRET',
  'JWT_SECRET_PREVIOUS',
  'REQUEST_LOG_SECRET',
  'CAPTCHA_SECRET',
  'JWT_JWKS_URL',
  'CAPTCHA_VERIFY_URL',
  'DROP_LOGO_URL',
  'DROP_PICTURE_URL',
  'DROP_NEXT_URL',
  'DROP_MORE_URL',
];
/** Settings that name a file, and mean what is in it. */
const fileSettings: ReadonlySet<string> = new Set([
  'DATABASE_CA',
  'DATABASE_CERT',
  'DATABASE_KEY',
  'REDIS_CA',
  'REDIS_CERT',
  'REDIS_KEY',
  'JWT_JWKS_CA',
  'JWT_JWKS_CERT',
  'JWT_JWKS_KEY',
]);

/**
 * The value of a setting.
 *
 * @param fault called with what is wrong, in a line that begins with the setting's name and repeats no value
 * @returns undefined when it is not set, or is empty
 */
export function valueOf(name: string, environment: Environment, fault: (line: string) => void): string | undefined {
  const value = environment[name]?.trim() || undefined;
  const path = secretSettings.includes(name) ? environment[`${name}_FILE`]?.trim() || undefined : undefined;
  if (value !== undefined && path !== undefined) {
    fault(`${name} and ${name}_FILE are both set`);
    return undefined;
  }
  const text = path === undefined ? value : fileAt(path, `${name}_FILE`, fault);
  // `docker run --env-file` keeps them, where a shell takes them off.
  if (text !== undefined && /^(["'`]).*\1$/s.test(text)) {
    fault(`${name} has quotes around its value: leave them out`);
    return undefined;
  }
  return text !== undefined && fileSettings.has(name) ? fileAt(text, name, fault) : text;
}

function fileAt(path: string, name: string, fault: (line: string) => void): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim() || undefined;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    fault(`${name}: the file cannot be read (${code})`);
    return undefined;
  }
}

/** What a running `bun run dev` says of itself. */
const devFile = resolve(import.meta.dirname, '../../.local/dev.json');

/**
 * Takes the stores of a `bun run dev` that runs in this folder where none are set, so that commands find them. Never in production.
 *
 * @returns a line that says so; null when nothing was taken
 */
export function takeStoresOfDev(environment: Record<string, string | undefined> = process.env): string | null {
  const names = ['DATABASE_URL', 'REDIS_URL'];
  if (environment['NODE_ENV'] === 'production') return null;
  if (names.some((name) => environment[name] || environment[`${name}_FILE`])) return null;
  try {
    const dev = JSON.parse(readFileSync(devFile, 'utf8')) as Readonly<Record<string, unknown>>;
    // Throws when it was killed and could not take its record back.
    process.kill(Number(dev['pid']), 0);
    for (const name of names) environment[name] = String(dev[name]);
    return `Using the stores of the \`bun run dev\` that runs here, since neither ${names.join(' nor ')} is set.`;
  } catch {
    return null;
  }
}

/** Variables that are no settings and look like one: in other letters, or one edit away. A line for each, without its value. */
export function suspectNames(environment: Environment = process.env): string[] {
  const known = Object.keys(settings.properties).flatMap((name) => [name, `${name}_FILE`]);
  return Object.keys(environment).flatMap((name) => {
    if (known.includes(name)) return [];
    const plain = name.toUpperCase().replaceAll('-', '_');
    const meant = known.find((setting) => setting === plain || (setting.length >= 6 && isOneEdit(plain, setting)));
    return meant === undefined || meant.length < 6 ? [] : [`${name} is no setting; ${meant} is`];
  });
}

/** Whether one letter was left out, added or exchanged for another. */
function isOneEdit(one: string, other: string): boolean {
  if (Math.abs(one.length - other.length) > 1) return false;
  let at = 0;
  while (at < one.length && one[at] === other[at]) at += 1;
  const [rest, otherRest] = [one.slice(at), other.slice(at)];
  return rest.slice(1) === otherRest || rest === otherRest.slice(1) || rest.slice(1) === otherRest.slice(1);
}
