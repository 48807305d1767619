// confirm.tsx -- Asks before what cannot be undone. The browser's own dialog element keeps the focus inside and Escape working.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { say } from './say.ts';

export interface ConfirmProps {
  readonly question: string;
  /** What the button that does it says. */
  readonly verb: string;
  /** Whether it takes something away, as by default. */
  readonly isDanger?: boolean;
  /** Whether it can be done yet, as by default. */
  readonly isReady?: boolean;
  /** Asked for beside the question. */
  readonly children?: ComponentChildren;
  onAnswer(yes: boolean): void;
}

export function Confirm({ question, verb, isDanger = true, isReady = true, children, onAnswer }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  // Closed first, so that the browser returns the focus. Answered immediately and not in the `close` event, which comes later and
  // would remove a question that was opened again in the meantime.
  const answer = (yes: boolean) => {
    dialog.current?.close();
    onAnswer(yes);
  };
  return (
    <dialog
      ref={dialog}
      class="card"
      aria-labelledby="question"
      onCancel={(event) => {
        event.preventDefault();
        answer(false);
      }}
    >
      <p id="question">{question}</p>
      {children}
      <div class="row end">
        <button type="button" onClick={() => answer(false)}>
          {say('cancel')}
        </button>
        <button type="button" class={isDanger ? 'danger' : 'primary'} disabled={!isReady} onClick={() => answer(true)}>
          {verb}
        </button>
      </div>
    </dialog>
  );
}
