// say.ts -- What the console says: texts in the current language, and news that screen readers read out wherever the reader is.

import { signal } from '@preact/signals';
import type { Ambiguous, Refused } from '../../client/coupon-client.ts';
import { fill, language } from '../shared/language.ts';
import { problemTexts } from './problem-texts.ts';
import { consoleTexts, type TextName } from './texts.ts';

/** A text with its values filled in. */
export function say(name: TextName, values?: Readonly<Record<string, string | number>>): string {
  return fill(consoleTexts[language.value][name], values);
}

/** The newest news; drawn in a live region. */
export const news = signal<{ readonly text: string; readonly bad: boolean; readonly address: string } | null>(null);

export function announce(text: string, bad = false): void {
  news.value = { text, bad, address: location.hash };
}

export function announceFailure(failure: Refused | Ambiguous): void {
  announce(failureText(failure), true);
}

/** Another page was opened: what was said on the one before is no news there. Go first, then announce. */
export function forgetNews(): void {
  if (news.value !== null && news.value.address !== location.hash) news.value = null;
}

/** Why a request was not done, in the reader's language where the code has words of its own. Without a problem there was no answer. */
export function failureText({ problem }: Refused | Ambiguous): string {
  if (problem === null) return say('UNREACHABLE');
  const { code, detail, issuedQuantity = 0 } = problem;
  return code in problemTexts.en
    ? say(code as keyof typeof problemTexts.en, { issuedQuantity })
    : say('failed', { detail });
}
