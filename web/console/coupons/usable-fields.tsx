// usable-fields.tsx -- The part of a coupon's form that says when its issues can be used, and in which currency its amounts are.

import type { CouponDraft } from '../../../client/coupon-client.ts';
import { say } from '../say.ts';
import { Field, InstantField } from './fields.tsx';

interface UsableFieldsProps {
  readonly fields: CouponDraft;
  readonly areTermsFixed: boolean;
  faultOf(name: string): string | undefined;
  theirsOf(name: keyof CouponDraft): string | undefined;
}

const currencies = Intl.supportedValuesOf('currency');
const timeZones = ['UTC', ...Intl.supportedValuesOf('timeZone').filter((zone) => zone !== 'UTC')];

export function UsableFields({ fields, areTermsFixed, faultOf, theirsOf }: UsableFieldsProps) {
  const { currency = 'KRW', usableFrom = null, usableUntil = null, usableDays = null, timeZone = 'UTC' } = fields;
  // Read-only fields are still sent, and read out, unlike disabled ones.
  const attributes = { readOnly: areTermsFixed, autocomplete: 'off', spellcheck: false };
  const hint = (free: string) => (areTermsFixed ? say('termsFixed') : free);
  const bound = { isOptional: true, readOnly: areTermsFixed, hint: hint(say('usableHint')) };
  return (
    <>
      <Field
        name="currency"
        label={say('fieldCurrency')}
        hint={hint('')}
        fault={faultOf('currency')}
        theirs={theirsOf('currency')}
      >
        {{ ...attributes, required: true, pattern: '[A-Z]{3}', list: 'currencies', defaultValue: currency }}
      </Field>
      <Choices id="currencies" values={currencies} />
      <InstantField
        name="usableFrom"
        label={say('fieldUsableFrom')}
        fault={faultOf('usableFrom')}
        theirs={theirsOf('usableFrom')}
        iso={usableFrom}
        {...bound}
      />
      <InstantField
        name="usableUntil"
        label={say('fieldUsableUntil')}
        fault={faultOf('usableUntil')}
        theirs={theirsOf('usableUntil')}
        iso={usableUntil}
        {...bound}
      />
      <Field
        name="usableDays"
        label={say('fieldUsableDays')}
        hint={hint(say('usableDaysHint'))}
        fault={faultOf('usableDays')}
        theirs={theirsOf('usableDays')}
      >
        {{
          ...attributes,
          type: 'number',
          min: 1,
          max: 3650,
          step: 1,
          inputMode: 'numeric',
          defaultValue: usableDays ?? '',
        }}
      </Field>
      <Field
        name="timeZone"
        label={say('fieldTimeZone')}
        hint={hint('')}
        fault={faultOf('timeZone')}
        theirs={theirsOf('timeZone')}
      >
        {{ ...attributes, required: true, list: 'time-zones', defaultValue: timeZone }}
      </Field>
      <Choices id="time-zones" values={timeZones} />
    </>
  );
}

function Choices({ id, values }: { readonly id: string; readonly values: readonly string[] }) {
  return (
    <datalist id={id}>
      {values.map((value) => (
        <option key={value} value={value} />
      ))}
    </datalist>
  );
}

/** What the fields hold, but for instants. */
export function readUsable(text: (name: string) => string) {
  const days = text('usableDays');
  return { currency: text('currency'), timeZone: text('timeZone'), usableDays: days === '' ? null : Number(days) };
}
