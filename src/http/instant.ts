// instant.ts -- Instants as text: RFC 3339 with an offset in, UTC with milliseconds out. An instant that cannot be is refused.

const dayPattern = '(1969-12-31|(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))';
const timePattern = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?';

/** The form of an instant. A 31 February matches it too; `parseInstant` refuses it. */
export const INSTANT_PATTERN = `^${dayPattern}T${timePattern}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`;

const instantExpression = new RegExp(INSTANT_PATTERN);

/** 9999-12-31T23:59:59.999Z: the last instant that a MySQL `datetime(3)` holds. */
export const INSTANT_MS_MAX = 253_402_300_799_999;

/**
 * Reads an instant.
 *
 * @param text such as `2026-12-24T18:00:00+09:00`; at most three digits of a second, since more would be lost silently
 * @returns milliseconds since 1970 in UTC, from year 1970 to 9999; null if there is no such instant (a 30 February, a 25th hour)
 */
export function parseInstant(text: string): number | null {
  if (!instantExpression.test(text)) return null;
  // Read as an instant, a 30 February would be a day of March.
  const [day = ''] = text.split('T');
  if (new Date(day).getUTCDate() !== Number(day.slice(-2))) return null;
  const instantMs = Date.parse(text);
  return instantMs >= 0 && instantMs <= INSTANT_MS_MAX ? instantMs : null;
}

/** An instant as text in UTC, such as `2026-12-24T09:00:00.000Z`. */
export function formatInstant(instantMs: number): string {
  return new Date(instantMs).toISOString();
}

/** The same of an instant that need not be there. */
export function formatOptional(instantMs: number | null): string | null {
  return instantMs === null ? null : formatInstant(instantMs);
}
