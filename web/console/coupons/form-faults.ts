// form-faults.ts -- What is wrong with a coupon's form, in the reader's language: all of it, each at its field.

import type { CouponDraft, Problem } from '../../../client/coupon-client.ts';
import { say } from '../say.ts';
import type { TextName } from '../texts.ts';

/** By the name of a field. */
export type FormFaults = Readonly<Record<string, string>>;

/** What each field must be. */
const musts: Readonly<Record<string, TextName>> = {
  title: 'mustTitle',
  totalQuantity: 'mustTotal',
  discountAmount: 'mustAmount',
  minAvailableAmount: 'mustAmount',
  currency: 'mustCurrency',
  usableFrom: 'mustInstant',
  usableUntil: 'mustUsableUntil',
  usableDays: 'mustUsableDays',
  timeZone: 'mustTimeZone',
  dateIssueStart: 'mustInstant',
  dateIssueEnd: 'mustEnd',
};

/** What can be seen without the server. */
export function faultsIn(form: HTMLFormElement, draft: CouponDraft): FormFaults {
  const faults: Record<string, string> = {};
  for (const field of form.elements) {
    if (!(field instanceof HTMLInputElement || field instanceof HTMLSelectElement) || field.validity.valid) continue;
    // The choice between two instants belongs to the field of the instant.
    const name = field.name.replace(/-instant$/, '');
    faults[name] = wordsFor(field, name);
  }
  const { dateIssueStart, dateIssueEnd, usableFrom, usableUntil, usableDays } = draft;
  const add = (name: keyof CouponDraft, text: TextName) => {
    faults[name] ??= say(text);
  };
  if (draft.title.trim() === '') add('title', 'mustTitle');
  if (Date.parse(dateIssueEnd) <= Date.parse(dateIssueStart)) add('dateIssueEnd', 'mustEnd');
  const hasDays = typeof usableDays === 'number';
  if (hasDays && (usableFrom || usableUntil)) add('usableDays', 'mustUsableDays');
  const untilMs = Date.parse(usableUntil ?? '');
  const fromMs = Math.max(Date.parse(dateIssueStart), usableFrom ? Date.parse(usableFrom) : 0);
  if (untilMs <= fromMs) add('usableUntil', 'mustUsableUntil');
  return faults;
}

function wordsFor(field: HTMLInputElement | HTMLSelectElement, name: string): string {
  if (field.validity.customError) return field.validationMessage;
  if (field instanceof HTMLSelectElement) return say('whichTime');
  if (field.validity.valueMissing && !field.validity.badInput) return say('mustGive');
  return say(musts[name] ?? 'mustGive');
}

/** What the server found: in the same words, by the names of the fields and by the code. Null: none of it is about a field. */
export function faultsOf({ code, faults = [], issuedQuantity = 0 }: Problem): FormFaults | null {
  if (code === 'COUPON_TOTAL_BELOW_ISSUED' || code === 'COUPON_TOTAL_ABOVE_CODES')
    return { totalQuantity: say(code, { issuedQuantity }) };
  const named = faults.flatMap(({ pointer }) => {
    const name = pointer.replace(/^\//, '');
    const must = musts[name];
    return must ? [[name, say(must)] as const] : [];
  });
  return named.length > 0 ? Object.fromEntries(named) : null;
}
