// find-code.tsx -- Who has a code, and using it: what somebody at a till asks about.

import { useState } from 'preact/hooks';
import type { CouponIssue } from '../../../client/coupon-client.ts';
import { exactInstant } from '../../shared/language.ts';
import { Confirm } from '../confirm.tsx';
import { Fact } from '../fact.tsx';
import { statusNames } from '../users/status-names.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator, mayChange } from '../session.ts';

type Holder = CouponIssue & { readonly code: string };

export function FindCode() {
  const [holder, setHolder] = useState<Holder | null>(null);
  const [asking, setAsking] = useState(false);
  const find = async (code: string) => {
    setHolder(null);
    const result = await asOperator(({ codes }) => codes.find(code));
    if (result.kind === 'done') setHolder({ ...result.value, code: result.value.code ?? code });
    else if (result.problem?.code === 'CODE_NOT_EXIST') announce(say('noCode', { code }));
    else announceFailure(result);
  };
  const use = async (code: string) => {
    const result = await asOperator(({ codes }) => codes.use(code));
    if (result.kind === 'done') announce(say('codeUsed', { code }));
    else announceFailure(result);
    await find(code);
  };
  return (
    <section class="card letter" aria-labelledby="find-code">
      <h2 id="find-code">{say('findCode')}</h2>
      <form
        class="field"
        onSubmit={(event) => {
          event.preventDefault();
          const code = new FormData(event.currentTarget).get('code');
          if (typeof code === 'string') void find(code.trim());
        }}
      >
        <label for="code">{say('code')}</label>
        <div class="row">
          <input
            id="code"
            name="code"
            required
            maxLength={64}
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
          />
          <button type="submit">{say('find')}</button>
        </div>
      </form>
      <div role="status">{holder && <Found holder={holder} onUse={() => setAsking(true)} />}</div>
      {asking && holder && (
        <Confirm
          question={say('useCodeSure', { code: holder.code, user: holder.userId })}
          verb={say('useCode')}
          onAnswer={(yes) => {
            setAsking(false);
            if (yes) void use(holder.code);
          }}
        />
      )}
    </section>
  );
}

function Found({ holder, onUse }: { readonly holder: Holder; onUse(): void }) {
  const { code, couponId, userId, sequence, status, dateIssued, dateUsed } = holder;
  return (
    <>
      <dl class="facts">
        <Fact name={say('code')} value={code} />
        <Fact name={say('userId')} value={userId} />
        <Fact name={say('couponId')} value={String(couponId)} />
        <Fact name={say('status')} value={say(statusNames[status])} />
        <Fact name={say('sequence')} value={String(sequence)} />
        <Fact name={say('acceptedAt')} value={exactInstant(dateIssued)} />
        <Fact name={say('usedAt')} value={dateUsed === null ? say('notUsed') : exactInstant(dateUsed)} />
      </dl>
      {mayChange.value && status === 'ISSUED' && (
        <button type="button" onClick={onUse}>
          {say('useCode')}
        </button>
      )}
    </>
  );
}
