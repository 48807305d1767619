// find-user.tsx -- What one user has: the rows of all coupons with their times, and the status of one coupon, also while it is no row.

import { useState } from 'preact/hooks';
import type { IssuePage, IssueState } from '../../../client/coupon-client.ts';
import { exactInstant } from '../../shared/language.ts';
import { FindCode } from '../codes/find-code.tsx';
import { Fact } from '../fact.tsx';
import { Loaded, PageButtons } from '../loaded.tsx';
import { announceFailure, say } from '../say.ts';
import { asOperator, mayChange } from '../session.ts';
import { IssueActions } from './issue-actions.tsx';
import { statusNames } from './status-names.ts';

const PAGE = 50;

/** The user stays out of the address, which browsers keep. */
export function FindUser() {
  const [given, setGiven] = useState('');
  const [user, setUser] = useState('');
  // Who asks for the same user again wants to see what has changed.
  const [round, setRound] = useState(0);
  return (
    <>
      <h1 tabIndex={-1}>{say('findUser')}</h1>
      <form
        class="card"
        onSubmit={(event) => {
          event.preventDefault();
          setUser(given.trim());
          setRound(round + 1);
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
      {user !== '' && <Found key={`${user} ${round}`} user={user} />}
      <FindCode />
    </>
  );
}

function Found({ user }: { readonly user: string }) {
  const [after, setAfter] = useState(0);
  return (
    <>
      <Loaded name={`${user} ${after}`} read={(client) => client.issuesOf(user, { after, limit: PAGE })}>
        {({ value: { issues, next } }, readAgain) => (
          <>
            {issues.length === 0 && after === 0 ? (
              <p class="card hint" role="status">
                {say('hasNothing', { user })}
              </p>
            ) : (
              <Issues user={user} issues={issues} onChanged={readAgain} />
            )}
            <PageButtons after={after} next={next} onPage={setAfter} />
          </>
        )}
      </Loaded>
      <OneCoupon user={user} />
    </>
  );
}

interface IssuesProps {
  readonly user: string;
  readonly issues: IssuePage['issues'];
  onChanged(): void;
}

function Issues({ user, issues, onChanged }: IssuesProps) {
  return (
    <>
      <ul class="letters" aria-label={say('hasThese', { user })}>
        {issues.map((issue) => (
          <li key={issue.couponId} class="card letter">
            <h2>
              {issue.title} <span class="hint number">#{issue.couponId}</span>
            </h2>
            <Facts issue={issue} />
            {mayChange.value && (
              <IssueActions user={user} issue={issue} title={issue.title} label={issue.title} onChanged={onChanged} />
            )}
          </li>
        ))}
      </ul>
      <p class="hint">{say('endpointHint')}</p>
    </>
  );
}

function Facts({ issue }: { readonly issue: IssuePage['issues'][number] }) {
  const { sequence, status, dateIssued, dateWritten, dateUsed, reference, endpoint } = issue;
  const { usableFrom, usableUntil, dateRevoked } = issue;
  return (
    <dl class="facts">
      <Fact name={say('status')} value={say(statusNames[status])} />
      <Fact name={say('sequence')} value={String(sequence)} />
      {issue.code !== null && <Fact name={say('code')} value={issue.code} />}
      <Fact name={say('acceptedAt')} value={exactInstant(dateIssued)} />
      <Fact name={say('acceptedBy')} value={endpoint ?? say('unknownEndpoint')} />
      <Fact name={say('writtenAt')} value={exactInstant(dateWritten)} />
      <Fact name={say('usedAt')} value={dateUsed === null ? say('notUsed') : exactInstant(dateUsed)} />
      {reference !== null && <Fact name={say('reference')} value={reference} />}
      {usableFrom !== null && <Fact name={say('usableSince')} value={exactInstant(usableFrom)} />}
      {usableUntil !== null && <Fact name={say('usableTo')} value={exactInstant(usableUntil)} />}
      {dateRevoked !== null && <Fact name={say('revokedAt')} value={exactInstant(dateRevoked)} />}
    </dl>
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
        {state && state.code !== null && <span class="number">{`${state.code} · `}</span>}
        {state && say(state.status, { user, coupon: String(state.couponId), sequence: state.sequence ?? 0 })}
      </p>
    </form>
  );
}
