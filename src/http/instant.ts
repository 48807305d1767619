// instant.ts -- Instants as text: RFC 3339 with an offset in, UTC with milliseconds out. An instant that cannot be is refused.

const dayPattern = '(1969-12-31|(19[7-9][0-9]|[2-9][0-9]{3})-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))';
const timePattern = '([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\\.[0-9]{1,3})?';

/** The form of an instant. A 31 February matches it too; `parseInstant` refuses it. */
export const INSTANT_PATTERN = `^${dayPattern}T${timePattern}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])$`;

const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,3}))?(?:Z|([+-])(\d\d):(\d\d))$/;

/** 9999-12-31T23:59:59.999Z: the last instant that a MySQL `datetime(3)` holds. */
const INSTANT_MS_MAX = 253_402_300_799_999;

/**
 * Reads an instant.
 *
 * @param text such as `2026-12-24T18:00:00+09:00`; at most three digits of a second, since more would be lost silently
 * @returns milliseconds since 1970 in UTC, from year 1970 to 9999; null if there is no such instant (a 30 February, a 25th hour)
 */
export function parseInstant(text: string): number | null {
  const match = parts.exec(text);
  if (!match) return null;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const fractionMs = Number((match[7] ?? '').padEnd(3, '0'));
  const offsetHours = Number(match[9] ?? 0);
  const offsetMinutes = Number(match[10] ?? 0);
  if (hour > 23 || minute > 59 || second > 59 || offsetHours > 23 || offsetMinutes > 59) return null;
  const date = new Date(0);
  // Not Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  const localMs = date.getTime() + ((hour * 60 + minute) * 60 + second) * 1000 + fractionMs;
  const offsetMs = (match[8] === '-' ? -1 : 1) * (offsetHours * 60 + offsetMinutes) * 60_000;
  const instantMs = localMs - offsetMs;
  return instantMs >= 0 && instantMs <= INSTANT_MS_MAX ? instantMs : null;
}

/** An instant as text in UTC, such as `2026-12-24T09:00:00.000Z`. */
export function formatInstant(instantMs: number): string {
  return new Date(instantMs).toISOString();
}
