// remove-button.tsx -- Deletes a coupon after a question; of one that has issues it says why not.

import { useState } from 'preact/hooks';
import type { Coupon } from '../../../client/coupon-client.ts';
import { Confirm } from '../confirm.tsx';
import { go } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

export function RemoveButton({ coupon: { id, title, version, issuedQuantity } }: { readonly coupon: Coupon }) {
  const [asking, setAsking] = useState(false);
  const isPossible = issuedQuantity === 0;
  const remove = async () => {
    const result = await asOperator(({ coupons }) => coupons.remove(id, { version }));
    if (result.kind !== 'done') return announceFailure(result);
    go({ kind: 'coupons' });
    announce(say('removed', { title }));
  };
  return (
    <>
      <button
        type="button"
        class="danger push"
        aria-disabled={!isPossible}
        aria-describedby={isPossible ? undefined : 'why-no-remove'}
        onClick={() => isPossible && setAsking(true)}
      >
        {say('remove')}
      </button>
      {!isPossible && (
        <span class="hint" id="why-no-remove">
          {say('whyNoRemove')}
        </span>
      )}
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
