// calendar.ts -- The start of a drop as a calendar file (iCalendar, RFC 5545), with a reminder five minutes before.

import type { DropView } from '../issues/drop-routes.ts';

/** @param url the page of the drop */
export function calendarFile(drop: DropView, url: string, reminder: string): string {
  const startMs = Date.parse(drop.dateIssueStart);
  // Long enough to be seen in a calendar; the drop itself may last for weeks.
  const endMs = Math.min(startMs + 15 * 60_000, Date.parse(drop.dateIssueEnd));
  const { host } = new URL(url);
  const lines = [
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//coupon-issuing//drop//EN',
    'BEGIN:VEVENT',
    `UID:drop-${drop.couponId}@${host}`,
    `SEQUENCE:${drop.version}`,
    `DTSTAMP:${stamp(Date.parse(drop.now))}`,
    `DTSTART:${stamp(startMs)}`,
    `DTEND:${stamp(endMs)}`,
    `SUMMARY:${escaped(drop.title)}`,
    `DESCRIPTION:${escaped(url)}`,
    `URL:${url}`,
    'BEGIN:VALARM',
    'ACTION:DISPLAY',
    'TRIGGER:-PT5M',
    `DESCRIPTION:${escaped(reminder)}`,
    'END:VALARM',
    'END:VEVENT',
    'END:VCALENDAR',
  ];
  return lines.map((line) => `${folded(line)}\r\n`).join('');
}

/** Such as `20261201T010000Z`. */
function stamp(instantMs: number): string {
  return new Date(instantMs).toISOString().replaceAll(/[-:]|[.]\d+/g, '');
}

function escaped(text: string): string {
  return text.replaceAll(/[\\;,]/g, String.raw`\$&`).replaceAll('\n', String.raw`\n`);
}

/** Lines have at most 75 bytes; a character is not cut. */
function folded(line: string): string {
  const encoder = new TextEncoder();
  let bytes = 0;
  let text = '';
  for (const character of line) {
    const length = encoder.encode(character).length;
    if (bytes + length > 73) {
      text += '\r\n ';
      bytes = 1;
    }
    text += character;
    bytes += length;
  }
  return text;
}
