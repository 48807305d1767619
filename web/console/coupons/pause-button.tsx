// pause-button.tsx -- Pauses issuing after a question, or resumes it.

import { useState } from 'preact/hooks';
import type { Coupon } from '../../../client/coupon-client.ts';
import { Confirm } from '../confirm.tsx';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

export function PauseButton({ coupon, onChanged }: { readonly coupon: Coupon; onChanged(): void }) {
  const [asking, setAsking] = useState(false);
  const { id, title, paused, version } = coupon;
  const verb = say(paused ? 'resume' : 'pause');
  const change = async () => {
    const result = await asOperator(({ coupons }) => coupons.edit(id, { paused: !paused }, { version }));
    if (result.kind === 'done') announce(say(paused ? 'resumedDone' : 'pausedDone', { title }));
    else announceFailure(result);
    onChanged();
  };
  return (
    <>
      <button type="button" onClick={() => (paused ? void change() : setAsking(true))} aria-label={`${verb}: ${title}`}>
        {verb}
      </button>
      {asking && (
        <Confirm
          question={say('pauseSure', { title })}
          verb={verb}
          onAnswer={(yes) => {
            setAsking(false);
            if (yes) void change();
          }}
        />
      )}
    </>
  );
}
