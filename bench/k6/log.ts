// An answer in one line for people: its status, and what it says or why there is none.
import type { Response } from 'k6/http';

/** `503 {"type":…}`, or `0 dial tcp: connection refused` when there was no answer. */
export function answerLine(response: Response): string {
  const text = typeof response.body === 'string' && response.body !== '' ? response.body : response.error;
  return `${response.status} ${text.slice(0, 300).replace(/\s+/g, ' ')}`;
}
