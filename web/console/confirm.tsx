// confirm.tsx -- Asks before what cannot be undone. The browser's own dialog element keeps the focus inside and Escape working.

import { useEffect, useRef } from 'preact/hooks';
import { say } from './say.ts';

export interface ConfirmProps {
  readonly question: string;
  /** What the button that does it says. */
  readonly verb: string;
  onAnswer(yes: boolean): void;
}

export function Confirm({ question, verb, onAnswer }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  // Every answer closes it, Escape too: so the browser leads the focus back to where it was.
  const answer = (word: 'yes' | 'no') => dialog.current?.close(word);
  return (
    <dialog
      ref={dialog}
      class="card"
      aria-labelledby="question"
      onClose={({ currentTarget }) => onAnswer(currentTarget.returnValue === 'yes')}
    >
      <p id="question">{question}</p>
      <div class="row end">
        <button type="button" onClick={() => answer('no')}>
          {say('cancel')}
        </button>
        <button type="button" class="danger" onClick={() => answer('yes')}>
          {verb}
        </button>
      </div>
    </dialog>
  );
}
