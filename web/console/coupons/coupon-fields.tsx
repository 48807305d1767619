// coupon-fields.tsx -- The fields of a coupon's form.

import { useState } from 'preact/hooks';
import type { CouponDraft } from '../../../client/coupon-client.ts';
import { say } from '../say.ts';
import { Field, InstantField } from './fields.tsx';
import type { FormFaults } from './form-faults.ts';
import { UsableFields } from './usable-fields.tsx';

interface CouponFieldsProps {
  readonly fields: CouponDraft;
  readonly areTermsFixed: boolean;
  readonly faults: FormFaults;
  /** By name, what somebody else has saved. */
  readonly theirs: FormFaults;
}

const AMOUNT_MAX = 4_294_967_295;

export function CouponFields({ fields, areTermsFixed, faults, theirs }: CouponFieldsProps) {
  const [unlimited, setUnlimited] = useState(fields.totalQuantity === null);
  const faultOf = (name: string) => faults[name];
  const theirsOf = (name: string) => theirs[name];
  const beside = (name: string) => ({ name, fault: faultOf(name), theirs: theirsOf(name) });
  const number = { type: 'number', min: 0, step: 1, required: true, inputMode: 'numeric' } as const;
  // Read-only fields are still sent, and read out, unlike disabled ones.
  const terms = { ...number, max: AMOUNT_MAX, readOnly: areTermsFixed };
  const termsHint = say(areTermsFixed ? 'termsFixed' : 'amountHint');
  const { title, totalQuantity, discountAmount, minAvailableAmount, dateIssueStart, dateIssueEnd, listed } = fields;
  return (
    <div class="fields">
      <Field {...beside('title')} label={say('fieldTitle')} wide>
        {{ defaultValue: title, required: true, maxLength: 400, autocomplete: 'off' }}
      </Field>
      <div class="field wide half">
        <Field {...beside('totalQuantity')} label={say('fieldTotal')}>
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
      <Field {...beside('discountAmount')} label={say('fieldDiscount')} hint={termsHint}>
        {{ ...terms, defaultValue: String(discountAmount) }}
      </Field>
      <Field {...beside('minAvailableAmount')} label={say('fieldMinimum')} hint={termsHint}>
        {{ ...terms, defaultValue: String(minAvailableAmount) }}
      </Field>
      <InstantField {...beside('dateIssueStart')} label={say('fieldStart')} iso={dateIssueStart} />
      <InstantField {...beside('dateIssueEnd')} label={say('fieldEnd')} iso={dateIssueEnd} />
      <UsableFields fields={fields} areTermsFixed={areTermsFixed} faultOf={faultOf} theirsOf={theirsOf} />
      <div class="field wide">
        <label class="check">
          <input type="checkbox" name="listed" defaultChecked={listed ?? false} />
          {say('fieldListed')}
        </label>
        <span class="hint">{say('listedHint')}</span>
        {theirsOf('listed') !== undefined && (
          <span class="theirs">{say('theirs', { value: theirsOf('listed') ?? '' })}</span>
        )}
      </div>
    </div>
  );
}
