// find-user.tsx -- What one user has: the rows of all coupons with their times, and the status of one coupon, also while it is no row.

import { useState } from 'preact/hooks';
import type { IssuePage, IssueState } from '../../../client/coupon-client.ts';
import { exactInstant } from '../../shared/language.ts';
import { Fact } from '../dead-letters.tsx';
import { Loaded } from '../loaded.tsx';
import { announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

const PAGE = 50;

/** The user stays out of the address, which browsers keep. */
export function FindUser() {
  const [given, setGiven] = useState('');
  const [user, setUser] = useState('');
  return (
    <>
      <h1 tabIndex={-1}>{say('findUser')}</h1>
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          setUser(given.trim());
        }}
      >
        <div class="field">
          <label for="user">{say('userId')}</label>
          <div class="row">
            <input
              id="user"
              value={given}
              onInput={({ currentTarget }) => setGiven(currentTarget.value)}
              required
              maxLength={255}
              autocomplete="off"
              spellcheck={false}
              aria-describedby="user-hint"
            />
            <button type="submit" class="primary">
              {say('find')}
            </button>
          </div>
          <span id="user-hint" class="hint">
            {say('findUserHint')}
          </span>
        </div>
      </form>
      {user !== '' && <Found key={user} user={user} />}
    </>
  );
}

function Found({ user }: { readonly user: string }) {
  const [after, setAfter] = useState(0);
  return (
    <>
      <Loaded name={`${user} ${after}`} read={(client) => client.issuesOf(user, { after, limit: PAGE })}>
        {({ value: { issues, next } }) => (
          <>
            {issues.length === 0 && after === 0 ? (
              <p class="card hint" role="status">
                {say('hasNothing', { user })}
              </p>
            ) : (
              <Issues user={user} issues={issues} />
            )}
            {next !== null && (
              <button type="button" onClick={() => setAfter(next)}>
                {say('more')}
              </button>
            )}
          </>
        )}
      </Loaded>
      <OneCoupon user={user} />
    </>
  );
}

function Issues({ user, issues }: { readonly user: string; readonly issues: IssuePage['issues'] }) {
  return (
    <>
      <ul class="letters" aria-label={say('hasThese', { user })}>
        {issues.map(({ couponId, title, sequence, dateIssued, dateWritten, dateUsed }) => (
          <li key={couponId} class="card letter">
            <h2>
              {title} <span class="hint number">#{couponId}</span>
            </h2>
            <dl class="facts">
              <Fact name={say('sequence')} value={String(sequence)} />
              <Fact name={say('acceptedAt')} value={exactInstant(dateIssued)} />
              <Fact name={say('writtenAt')} value={exactInstant(dateWritten)} />
              <Fact name={say('usedAt')} value={dateUsed === null ? say('notUsed') : exactInstant(dateUsed)} />
            </dl>
          </li>
        ))}
      </ul>
      <p class="hint">{say('endpointHint')}</p>
    </>
  );
}

function OneCoupon({ user }: { readonly user: string }) {
  const [state, setState] = useState<IssueState | null>(null);
  const look = async (couponId: number) => {
    const result = await asOperator((client) => client.status({ couponId, userId: user }));
    if (result.kind === 'done') setState(result.value);
    else announceFailure(result);
  };
  return (
    <form
      class="card letter"
      aria-labelledby="one-coupon"
      onSubmit={(event) => {
        event.preventDefault();
        void look(Number(new FormData(event.currentTarget).get('coupon')));
      }}
    >
      <h2 id="one-coupon">{say('oneCoupon')}</h2>
      <p class="hint">{say('oneCouponHint')}</p>
      <div class="field">
        <label for="coupon">{say('couponId')}</label>
        <div class="row">
          <input id="coupon" name="coupon" required inputMode="numeric" pattern="[1-9][0-9]{0,15}" autocomplete="off" />
          <button type="submit">{say('find')}</button>
        </div>
      </div>
      <p role="status">
        {state && say(state.status, { user, coupon: String(state.couponId), sequence: state.sequence ?? 0 })}
      </p>
    </form>
  );
}
