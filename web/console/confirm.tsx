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
  return (
    <dialog ref={dialog} class="card" aria-labelledby="question" onClose={() => onAnswer(false)}>
      <p id="question">{question}</p>
      <div class="row end">
        <button type="button" onClick={() => onAnswer(false)}>
          {say('cancel')}
        </button>
        <button type="button" class="danger" onClick={() => onAnswer(true)}>
          {verb}
        </button>
      </div>
    </dialog>
  );
}
