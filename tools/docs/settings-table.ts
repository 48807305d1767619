// settings-table.ts -- The settings as people read them: docs/configuration.md and `.env.example`, both generated from the schema, so
// that they cannot differ from what the code does. `bun run docs` writes both.

import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { allowedValues, settings } from '../../src/config/settings.ts';

const root = resolve(import.meta.dirname, '../..');

/** Where the two documents are. */
export const documents = {
  table: resolve(root, 'docs/configuration.md'),
  example: resolve(root, '.env.example'),
} as const;

interface Setting {
  readonly name: string;
  readonly description: string;
  readonly allowed: string;
  /** The value it has when it is not set; null when that differs from machine to machine, or when there is none. */
  readonly fallback: string | null;
  /** What stands in its place when it is null. */
  readonly fallbackName: string;
}

/** Between two of these the table stands; the second may be written as an end, with a slash. */
const block = /(<!-- settings -->\n)[\s\S]*?(<!-- \/?settings -->)/;

/**
 * The document with its table made again.
 *
 * @throws Error when it has no markers
 */
export function withSettingsTable(text: string): string {
  if (!block.test(text)) throw new Error('there is no table between two <!-- settings --> markers');
  return text.replace(block, (_, start: string, end: string) => `${start}\n${settingsTable()}\n${end}`);
}

/** The table, in Markdown. */
export function settingsTable(): string {
  const rows = describeSettings().map(({ name, fallback, fallbackName, allowed, description }) => {
    const value = fallback === null ? fallbackName : `\`${fallback}\``;
    return [`\`${name}\``, value, allowed, description].map(cell);
  });
  const lines = [['setting', 'default', 'allowed', 'what and why'], ['---', '---', '---', '---'], ...rows];
  return lines.map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

/** The text of `.env.example`: every setting with its default, none of them active. */
export function environmentExample(): string {
  const head = [
    'Every setting with its default. `bun run dev` and `bun run test` need none of them. For the other commands copy this file',
    'to `.env`, set the two addresses, and take the mark off what you want to change. Made by `bun run docs`.',
    '',
    'In this file `$` begins the name of a variable: write `\\$` in a secret that has one. Secrets and addresses may also stand in files',
    'of their own: DATABASE_URL_FILE, REDIS_URL_FILE, ADMIN_API_KEY_FILE, JWT_SECRET_FILE, JWT_SECRET_PREVIOUS_FILE, CAPTCHA_SECRET_FILE.',
  ];
  const settingLines = describeSettings().flatMap(({ name, fallback, fallbackName, allowed, description }) => [
    '',
    `# ${description}`,
    `# ${allowed}${fallback === null ? `; ${fallbackName}` : ''}`,
    `# ${name}=${fallback ?? ''}`,
  ]);
  return [...head.map((line) => `# ${line}`), ...settingLines, ''].join('\n');
}

function describeSettings(): Setting[] {
  return Object.entries(settings.properties).map(([name, schema]) => {
    const described: { default?: string | number; defaultName?: string; description?: string } = schema;
    const required = described.default === undefined && settings.required?.some((each) => each === name) === true;
    const named = described.defaultName !== undefined || described.default === undefined;
    return {
      name,
      description: described.description ?? '',
      allowed: allowedValues(schema),
      fallback: named ? null : String(described.default),
      fallbackName: described.defaultName ?? (required ? 'must be set' : 'not set'),
    };
  });
}

/** Text that does not end its cell. */
function cell(value: string): string {
  return value.replaceAll('|', String.raw`\|`);
}

if (import.meta.main) {
  writeFileSync(documents.example, environmentExample());
  writeFileSync(documents.table, withSettingsTable(readFileSync(documents.table, 'utf8')));
}
