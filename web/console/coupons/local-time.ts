// local-time.ts -- Instants as a browser's input has them: local time in the reader's zone, without naming it.
//
// When the clocks change, an hour of local time does not exist and another exists twice. `Date` picks one; an operator is asked.

import { timeZone } from '../../shared/time-zone.ts';

/**
 * An instant in local time, with milliseconds only where it has some: `2027-03-14T10:00:00`. The last hours of the year 9999 are in the
 * year 10000 of some zones, which an input writes without the sign that `Date` wants.
 */
export function toLocal(iso: string): string {
  const date = new Date(iso);
  return new Date(date.getTime() - minutesBehindUtc(date.getTime()) * 60_000)
    .toISOString()
    .replace(/^\+0*|(\.000)?Z$/g, '');
}

/** As `getTimezoneOffset` says it, in the zone that the reader has chosen. */
function minutesBehindUtc(ms: number): number {
  const zone = timeZone.value;
  if (zone === null) return new Date(ms).getTimezoneOffset();
  const format = new Intl.DateTimeFormat('en', { timeZone: zone, timeZoneName: 'longOffset' });
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const [, sign = '+', hours = 0, minutes = 0] = /GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  const behind = Number(hours) * 60 + Number(minutes);
  return sign === '-' || behind === 0 ? behind : -behind;
}

/** Whether a local time, in whatever of its spellings, is that of an instant. */
export function isSame(local: string, iso: string): boolean {
  return asUtc(local) === asUtc(toLocal(iso));
}

/** The instant that a local time would be in UTC; NaN where it is none. */
function asUtc(local: string): number {
  return Date.parse(`${local.replace(/^\d{5,6}(?=-)/, (year) => `+${year.padStart(6, '0')}`)}Z`);
}

/**
 * The instants that a local time means: one, none while clocks are put forward, two while they are put back.
 *
 * @returns in RFC 3339, the earlier first
 */
export function instantsOf(local: string): readonly string[] {
  const asUtcMs = asUtc(local);
  if (Number.isNaN(asUtcMs)) return [];
  const dayMs = 86_400_000;
  // No zone is more than a day from UTC, and none changes twice within two days.
  const offsets = [asUtcMs - dayMs, asUtcMs + dayMs].map(minutesBehindUtc);
  const instants = [...new Set(offsets)].map((minutes) => asUtcMs + minutes * 60_000).sort((a, b) => a - b);
  return instants.map((ms) => new Date(ms).toISOString()).filter((iso) => asUtc(toLocal(iso)) === asUtcMs);
}

/** How far local time is from UTC at an instant: `UTC-04:00`. */
export function offsetOf(iso: string): string {
  const minutes = -minutesBehindUtc(Date.parse(iso));
  const two = (value: number) => String(Math.floor(value)).padStart(2, '0');
  return `UTC${minutes < 0 ? '-' : '+'}${two(Math.abs(minutes) / 60)}:${two(Math.abs(minutes) % 60)}`;
}
