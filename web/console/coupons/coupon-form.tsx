// coupon-form.tsx -- Creates a coupon, or edits the version that the reader saw, so that no change is lost.

import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Coupon, CouponDraft, Problem, RequestResult } from '../../../client/coupon-client.ts';
import { Confirm } from '../confirm.tsx';
import { Loaded } from '../loaded.tsx';
import { instantsOf, isSame, offsetOf, toLocal } from './local-time.ts';
import { addressOf, go } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

export function CreateCoupon() {
  const hourMs = 3_600_000;
  const startMs = Math.ceil(Date.now() / hourMs) * hourMs;
  const fields: CouponDraft = {
    title: '',
    totalQuantity: 1000,
    discountAmount: 5000,
    minAvailableAmount: 0,
    dateIssueStart: new Date(startMs).toISOString(),
    dateIssueEnd: new Date(startMs + 24 * hourMs).toISOString(),
    listed: false,
  };
  return (
    <>
      <h1 tabIndex={-1}>{say('newCoupon')}</h1>
      <Form fields={fields} verb={say('create')} save={(draft) => asOperator(({ coupons }) => coupons.create(draft))} />
    </>
  );
}

export function EditCoupon({ id }: { readonly id: number }) {
  return (
    <Loaded name={`edit ${id}`} read={({ coupons }) => coupons.read(id)}>
      {({ value: coupon }, readAgain) => (
        <>
          <h1 tabIndex={-1}>{say('editTitle', { title: coupon.title })}</h1>
          <Form
            // A new version discards what was typed.
            key={coupon.version}
            fields={coupon}
            verb={say('save')}
            areTermsFixed={coupon.issuedQuantity > 0}
            save={(_, changes) => asOperator(({ coupons }) => coupons.edit(id, changes, { version: coupon.version }))}
            onOther={readAgain}
          >
            <Remove coupon={coupon} />
          </Form>
        </>
      )}
    </Loaded>
  );
}

interface FormProps {
  readonly fields: CouponDraft;
  readonly verb: string;
  /** @param draft what the form holds, @param changes what was touched of it */
  save(draft: CouponDraft, changes: Partial<CouponDraft>): Promise<RequestResult<Coupon>>;
  /** Whether the coupon has issues: what they promise cannot be changed. */
  readonly areTermsFixed?: boolean;
  /** Called when somebody else has changed the coupon. */
  onOther?(): void;
  readonly children?: ComponentChildren;
}

function Form({ fields, verb, areTermsFixed = false, save, onOther, children }: FormProps) {
  const [problem, setProblem] = useState<Problem | null>(null);
  const [busy, setBusy] = useState(false);
  const submit = async (form: HTMLFormElement) => {
    const draft = readFields(new FormData(form), fields);
    const changes = changesOf(fields, draft);
    if (onOther && Object.keys(changes).length === 0) return announce(say('nothingChanged'));
    setBusy(true);
    setProblem(null);
    const result = await save(draft, changes);
    setBusy(false);
    if (result.kind === 'done') {
      const { id, title } = result.value;
      announce(say('saved', { title }));
      go({ kind: 'watch', id });
    } else if (result.problem?.code === 'PRECONDITION_FAILED' && onOther) {
      announce(say('somebodyElse'));
      onOther();
    } else if (result.problem?.faults) setProblem(result.problem);
    else announceFailure(result);
  };
  return (
    <form
      class="card form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit(event.currentTarget);
      }}
    >
      {problem && (
        <p class="notice bad" role="alert">
          {say('faultsFound')}
        </p>
      )}
      <Fields fields={fields} areTermsFixed={areTermsFixed} problem={problem} />
      <div class="row">
        <button class="primary" type="submit" disabled={busy}>
          {busy ? say('saving') : verb}
        </button>
        <a class="button" href={addressOf({ kind: 'coupons', after: 0 })}>
          {say('cancel')}
        </a>
        {children}
      </div>
    </form>
  );
}

interface FieldsProps extends Pick<FormProps, 'fields'> {
  readonly areTermsFixed: boolean;
  readonly problem: Problem | null;
}

function Fields({ fields, areTermsFixed, problem }: FieldsProps) {
  const [unlimited, setUnlimited] = useState(fields.totalQuantity === null);
  const faultOf = (name: string) => problem?.faults?.find(({ pointer }) => pointer === `/${name}`)?.expected;
  const number = { type: 'number', min: 0, step: 1, required: true, inputMode: 'numeric' } as const;
  // Read-only fields are still sent, and read out, unlike disabled ones.
  const terms = { ...number, readOnly: areTermsFixed };
  const termsHint = say(areTermsFixed ? 'termsFixed' : 'amountHint');
  const { title, totalQuantity, discountAmount, minAvailableAmount, dateIssueStart, dateIssueEnd, listed } = fields;
  return (
    <div class="fields">
      <Field name="title" label={say('fieldTitle')} fault={faultOf('title')} wide>
        {{ defaultValue: title, required: true }}
      </Field>
      <div class="field wide half">
        <Field name="totalQuantity" label={say('fieldTotal')} fault={faultOf('totalQuantity')}>
          {{ ...number, min: 1, defaultValue: String(totalQuantity ?? 1000), disabled: unlimited }}
        </Field>
        <label class="check">
          <input
            type="checkbox"
            checked={unlimited}
            onChange={({ currentTarget }) => setUnlimited(currentTarget.checked)}
          />
          {say('fieldNoLimit')}
        </label>
      </div>
      <Field name="discountAmount" label={say('fieldDiscount')} hint={termsHint} fault={faultOf('discountAmount')}>
        {{ ...terms, defaultValue: String(discountAmount) }}
      </Field>
      <Field
        name="minAvailableAmount"
        label={say('fieldMinimum')}
        hint={termsHint}
        fault={faultOf('minAvailableAmount')}
      >
        {{ ...terms, defaultValue: String(minAvailableAmount) }}
      </Field>
      <InstantField
        name="dateIssueStart"
        label={say('fieldStart')}
        fault={faultOf('dateIssueStart')}
        iso={dateIssueStart}
      />
      <InstantField name="dateIssueEnd" label={say('fieldEnd')} fault={faultOf('dateIssueEnd')} iso={dateIssueEnd} />
      <div class="field wide">
        <label class="check">
          <input type="checkbox" name="listed" defaultChecked={listed ?? false} />
          {say('fieldListed')}
        </label>
        <span class="hint">{say('listedHint')}</span>
      </div>
    </div>
  );
}

interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  /** What the API expected instead. */
  readonly fault: string | undefined;
  readonly wide?: boolean;
  /** Further attributes of the input. */
  readonly children: Readonly<Record<string, unknown>>;
}

function Field({ name, label, hint, fault, wide = false, children }: FieldProps) {
  return (
    <div class={wide ? 'field wide' : 'field'}>
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        aria-describedby={`${name}-hint ${name}-fault`}
        aria-invalid={fault !== undefined}
        {...children}
      />
      <span id={`${name}-hint`} class="hint">
        {hint}
      </span>
      <span id={`${name}-fault`} class="fault">
        {fault && say('faultExpected', { expected: fault })}
      </span>
    </div>
  );
}

interface InstantFieldProps extends Pick<FieldProps, 'name' | 'label' | 'fault'> {
  readonly iso: string;
}

/** An instant in local time. A time that does not exist cannot be sent, and of two with one name the reader chooses. */
function InstantField({ iso, ...field }: InstantFieldProps) {
  const [local, setLocal] = useState(toLocal(iso));
  const choices = isSame(local, iso) ? [] : instantsOf(local);
  const onInput = ({ currentTarget: input }: { readonly currentTarget: HTMLInputElement }) => {
    setLocal(input.value);
    input.setCustomValidity(input.value === '' || instantsOf(input.value).length > 0 ? '' : say('noSuchTime'));
  };
  const step = toLocal(iso).includes('.') ? 0.001 : 1;
  const { timeZone: zone } = Intl.DateTimeFormat().resolvedOptions();
  return (
    <div>
      <Field {...field} hint={say('zoneHint', { zone })}>
        {{ type: 'datetime-local', step, required: true, defaultValue: toLocal(iso), onInput }}
      </Field>
      {choices.length > 1 && (
        <label class="field">
          {say('whichTime')}
          <select name={`${field.name}-instant`} required>
            <option value="" />
            {choices.map((choice) => (
              <option key={choice} value={choice}>
                {offsetOf(choice)}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
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
  const instant = (name: 'dateIssueStart' | 'dateIssueEnd') => {
    const local = text(name);
    return isSame(local, before[name]) ? before[name] : text(`${name}-instant`) || (instantsOf(local)[0] ?? local);
  };
  return {
    title: text('title'),
    totalQuantity: data.has('totalQuantity') ? Number(text('totalQuantity')) : null,
    discountAmount: Number(text('discountAmount')),
    minAvailableAmount: Number(text('minAvailableAmount')),
    dateIssueStart: instant('dateIssueStart'),
    dateIssueEnd: instant('dateIssueEnd'),
    listed: data.has('listed'),
  };
}

function Remove({ coupon: { id, title, version } }: { readonly coupon: Coupon }) {
  const [asking, setAsking] = useState(false);
  const remove = async () => {
    const result = await asOperator(({ coupons }) => coupons.remove(id, { version }));
    if (result.kind !== 'done') return announceFailure(result);
    announce(say('removed', { title }));
    go({ kind: 'coupons', after: 0 });
  };
  return (
    <>
      <button type="button" class="danger push" onClick={() => setAsking(true)}>
        {say('remove')}
      </button>
      {asking && (
        <Confirm
          question={say('removeSure', { title })}
          verb={say('remove')}
          onAnswer={(yes) => {
            setAsking(false);
            if (yes) void remove();
          }}
        />
      )}
    </>
  );
}
