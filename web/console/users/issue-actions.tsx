// issue-actions.tsx -- What an operator may do with one issue: use it, undo the use, revoke it. Each asks before it does.

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CouponIssue, RequestResult } from '../../../client/coupon-client.ts';
import { Confirm } from '../confirm.tsx';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

type Issue = Pick<CouponIssue, 'couponId' | 'sequence' | 'status' | 'reference'>;
type Action = 'use' | 'undo' | 'revoke';

interface IssueActionsProps {
  readonly user: string;
  readonly issue: Issue;
  /** Of its coupon. */
  readonly title: string;
  /** What tells the issue from the others in the list; screen readers read it with each button. */
  readonly label: string;
  /** Called when the issue is another than it was, or may be. */
  onChanged(): void;
}

export function IssueActions({ user, issue, title, label, onChanged }: IssueActionsProps) {
  const [asking, setAsking] = useState<Action | null>(null);
  const [busy, setBusy] = useState(false);
  const { sequence, status } = issue;
  const { box, keepFocus } = useKeptFocus(status);
  const run = async (action: Action, text: string) => {
    setBusy(true);
    const result = await send(action, user, issue, text);
    setBusy(false);
    if (result.kind === 'done') announce(say(`${action}Done`, { title, sequence }));
    else announceFailure(result);
    keepFocus();
    onChanged();
  };
  return (
    <div class="row" ref={box} tabIndex={-1} role="group" aria-label={`${say('actions')}: ${label}`}>
      {offered[status].map((action) => (
        <button
          key={action}
          type="button"
          class={action === 'revoke' ? 'danger' : ''}
          aria-disabled={busy}
          aria-label={`${say(action)}: ${label}`}
          onClick={() => !busy && setAsking(action)}
        >
          {say(action)}
        </button>
      ))}
      {asking && (
        <Question
          action={asking}
          question={say(`${asking}Sure`, { title, sequence, user })}
          onAnswer={(text) => {
            setAsking(null);
            if (text !== null) void run(asking, text);
          }}
        />
      )}
    </div>
  );
}

/** A change replaces the button that was pressed, and the focus would be lost: it moves to the first of the new ones, or to their place. */
function useKeptFocus(status: Issue['status']) {
  const box = useRef<HTMLDivElement>(null);
  const isKept = useRef(false);
  // At once: an effect that waits for the next frame leaves a moment in which a key is lost.
  useLayoutEffect(() => {
    if (!isKept.current) return;
    isKept.current = false;
    (box.current?.querySelector('button') ?? box.current)?.focus();
  }, [status]);
  const keepFocus = () => {
    isKept.current = true;
  };
  return { box, keepFocus };
}

const offered: Readonly<Record<Issue['status'], readonly Action[]>> = {
  ISSUED: ['use', 'revoke'],
  EXPIRED: [],
  USED: ['undo'],
  REVOKED: [],
};

function send(action: Action, user: string, { couponId, reference }: Issue, text: string) {
  const request = { couponId, userId: user };
  return asOperator((client): Promise<RequestResult<unknown>> => {
    if (action === 'use') return client.use(request, text === '' ? {} : { reference: text });
    if (action === 'revoke') return client.revoke(request, text);
    return client.undoUse(request, reference === null ? {} : { reference });
  });
}

interface QuestionProps {
  readonly action: Action;
  readonly question: string;
  /** @param text what was asked for; null: no */
  onAnswer(text: string | null): void;
}

function Question({ action, question, onAnswer }: QuestionProps) {
  const [text, setText] = useState('');
  const given = text.trim();
  const isRevoke = action === 'revoke';
  return (
    <Confirm
      question={question}
      verb={say(action)}
      isDanger={action !== 'use'}
      isReady={!isRevoke || given !== ''}
      onAnswer={(yes) => onAnswer(yes ? given : null)}
    >
      {action !== 'undo' && (
        <div class="field">
          <label for="asked">{say(isRevoke ? 'revokeReason' : 'reference')}</label>
          <input
            id="asked"
            value={text}
            maxLength={isRevoke ? 200 : 128}
            required={isRevoke}
            autocomplete="off"
            aria-describedby="asked-hint"
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
          <span id="asked-hint" class="hint">
            {say(isRevoke ? 'revokeReasonHint' : 'referenceHint')}
          </span>
        </div>
      )}
    </Confirm>
  );
}
