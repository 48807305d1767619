// form.tsx -- The form of a coupon: what was typed stays until it is saved, also when somebody else has saved meanwhile.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Coupon, CouponDraft, RequestResult } from '../../../client/coupon-client.ts';
import { instant } from '../../shared/language.ts';
import { Confirm } from '../confirm.tsx';
import { addressBefore, addressOf, go } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { CouponFields } from './coupon-fields.tsx';
import { type FormFaults, faultsIn, faultsOf } from './form-faults.ts';
import { instantsOf, isSame } from './local-time.ts';
import { readUsable } from './usable-fields.tsx';

export interface FormProps {
  /** As it was read. */
  readonly base: CouponDraft;
  /** What was typed over an earlier version of it. */
  readonly typed: Partial<CouponDraft>;
  readonly verb: string;
  /** @param draft what the form holds, @param changes what of it is not as in `base` */
  save(draft: CouponDraft, changes: Partial<CouponDraft>): Promise<RequestResult<Coupon>>;
  /** Whether the coupon has issues: what they promise cannot be changed. */
  readonly areTermsFixed?: boolean;
  /** Called with what was typed when somebody else has changed the coupon. */
  onOther?(changes: Partial<CouponDraft>): void;
  readonly children?: ComponentChildren;
}

export function Form({ base, typed, verb, areTermsFixed = false, save, onOther, children }: FormProps) {
  const [faults, setFaults] = useState<FormFaults>({});
  const [busy, setBusy] = useState(false);
  const [isPast, setPast] = useState<CouponDraft | null>(null);
  const fields = { ...base, ...typed };
  const send = async (draft: CouponDraft, form: HTMLFormElement | null) => {
    const changes = changesOf(base, draft);
    setBusy(true);
    const result = await save(draft, changes);
    setBusy(false);
    if (result.kind === 'done') {
      const { id, title } = result.value;
      go({ kind: 'watch', id });
      return announce(say('saved', { title }));
    }
    if (result.problem?.code === 'PRECONDITION_FAILED' && onOther) return onOther(changes);
    const found = result.problem && faultsOf(result.problem);
    if (!found) return announceFailure(result);
    setFaults(found);
    if (form) focusFirst(form, found);
  };
  const submit = (form: HTMLFormElement) => {
    const draft = readFields(new FormData(form), fields);
    const found = faultsIn(form, draft);
    setFaults(found);
    if (Object.keys(found).length > 0) return focusFirst(form, found);
    if (onOther && Object.keys(changesOf(base, draft)).length === 0) return announce(say('nothingChanged'));
    // Nothing would ever be issued of it.
    if (!onOther && Date.parse(draft.dateIssueEnd) <= Date.now()) return setPast(draft);
    void send(draft, form);
  };
  return (
    <form
      class="card form"
      // The browser would name one fault at a time, in its own language.
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit(event.currentTarget);
      }}
    >
      <Notices isTyped={Object.keys(typed).length > 0} isFaulty={Object.keys(faults).length > 0} />
      <CouponFields fields={fields} areTermsFixed={areTermsFixed} faults={faults} theirs={theirsOf(base, typed)} />
      <div class="row">
        <button class="primary" type="submit" disabled={busy}>
          {busy ? say('saving') : verb}
        </button>
        <a class="button" href={addressBefore() ?? addressOf({ kind: 'coupons' })}>
          {say('cancel')}
        </a>
        {children}
      </div>
      {isPast && (
        <Confirm
          question={say('pastSure')}
          verb={verb}
          isDanger={false}
          onAnswer={(yes) => {
            setPast(null);
            if (yes) void send(isPast, null);
          }}
        />
      )}
    </form>
  );
}

function Notices({ isTyped, isFaulty }: { readonly isTyped: boolean; readonly isFaulty: boolean }) {
  return (
    <>
      {isTyped && (
        <p class="notice" role="alert">
          {say('somebodyElse')}
        </p>
      )}
      {isFaulty && (
        <p class="notice bad" role="alert">
          {say('faultsFound')}
        </p>
      )}
    </>
  );
}

/** Where the reader has to go on. */
function focusFirst(form: HTMLFormElement, faults: FormFaults): void {
  for (const field of form.elements) {
    if (!(field instanceof HTMLInputElement) || !(field.name in faults)) continue;
    field.focus();
    return;
  }
}

/** In words, what somebody else has saved where something else was typed. */
function theirsOf(base: CouponDraft, typed: Partial<CouponDraft>): FormFaults {
  const names = Object.keys(typed) as (keyof CouponDraft)[];
  const words = (value: CouponDraft[keyof CouponDraft]) => {
    if (typeof value === 'boolean') return say(value ? 'yes' : 'no');
    if (value === null || value === undefined) return say('fieldNoLimit');
    return /^\d{4}-\d\d-\d\dT/.test(String(value)) ? instant(String(value)) : String(value);
  };
  return Object.fromEntries(
    names.filter((name) => base[name] !== typed[name]).map((name) => [name, words(base[name])]),
  );
}

/** What is not as it was. */
function changesOf(before: CouponDraft, draft: CouponDraft): Partial<CouponDraft> {
  const names = Object.keys(draft) as (keyof CouponDraft)[];
  return Object.fromEntries(names.filter((name) => draft[name] !== before[name]).map((name) => [name, draft[name]]));
}

/** The values of the form; an instant that was not touched is as it was. Browsers leave out a disabled field: then there is no limit. */
function readFields(data: FormData, before: CouponDraft): CouponDraft {
  const text = (name: string) => {
    const value = data.get(name);
    return typeof value === 'string' ? value : '';
  };
  const instantOf = (name: 'dateIssueStart' | 'dateIssueEnd' | 'usableFrom' | 'usableUntil') => {
    const local = text(name);
    const iso = before[name] ?? null;
    if (iso !== null && isSame(local, iso)) return iso;
    return text(`${name}-instant`) || (instantsOf(local)[0] ?? local);
  };
  return {
    title: text('title'),
    totalQuantity: data.has('totalQuantity') ? Number(text('totalQuantity')) : null,
    discountAmount: Number(text('discountAmount')),
    minAvailableAmount: Number(text('minAvailableAmount')),
    dateIssueStart: instantOf('dateIssueStart'),
    dateIssueEnd: instantOf('dateIssueEnd'),
    ...readUsable(text),
    usableFrom: instantOf('usableFrom') || null,
    usableUntil: instantOf('usableUntil') || null,
    listed: data.has('listed'),
  };
}
