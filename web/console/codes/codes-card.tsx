// codes-card.tsx -- The codes of one coupon: where they come from, a pattern for generated ones, and the upload of a file.

import { useRef, useState } from 'preact/hooks';
import type { CouponCodes, Fault } from '../../../client/coupon-client.ts';
import { language, percent, wholeNumber } from '../../shared/language.ts';
import { Loaded } from '../loaded.tsx';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator, mayChange, uploadAsOperator } from '../session.ts';
import { koreanFault } from './korean-faults.ts';

export function CodesCard({ id, archived }: { readonly id: number; readonly archived: boolean }) {
  return (
    <section class="card audit" aria-labelledby="codes">
      <div>
        <h2 id="codes">{say('codes')}</h2>
        <p class="hint">{say('codesHint')}</p>
      </div>
      <Loaded name={`codes ${id}`} read={({ codes }) => codes.read(id)}>
        {({ value }, readAgain) => (
          <>
            <p>{sourceText(value)}</p>
            {mayChange.value && !archived && value.kind === 'NONE' && <PatternForm id={id} onChanged={readAgain} />}
            {mayChange.value && !archived && value.kind !== 'GENERATED' && <UploadForm id={id} onChanged={readAgain} />}
          </>
        )}
      </Loaded>
    </section>
  );
}

function sourceText({ pattern, codes }: CouponCodes): string {
  if (pattern !== null) return say('codesGenerated', { pattern });
  return codes === null ? say('codesNone') : say('codesImported', { codes: wholeNumber(codes) });
}

interface FormProps {
  readonly id: number;
  onChanged(): void;
}

function PatternForm({ id, onChanged }: FormProps) {
  const [pattern, setPattern] = useState('');
  const [busy, setBusy] = useState(false);
  const generate = async () => {
    setBusy(true);
    const result = await asOperator(({ codes }) => codes.generate(id, pattern.trim().toUpperCase()));
    setBusy(false);
    if (result.kind !== 'done') return announceFailure(result);
    announce(say('codesGenerated', { pattern: result.value.pattern ?? '' }));
    onChanged();
  };
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        void generate();
      }}
    >
      <label for="pattern">{say('codePattern')}</label>
      <div class="row">
        <input
          id="pattern"
          value={pattern}
          onInput={({ currentTarget }) => setPattern(currentTarget.value)}
          required
          placeholder="SUMMER-####-####"
          maxLength={48}
          autocomplete="off"
          autocapitalize="characters"
          spellcheck={false}
          aria-describedby="pattern-hint"
        />
        <button type="submit" disabled={busy}>
          {say('codesGenerate')}
        </button>
      </div>
      <span id="pattern-hint" class="hint">
        {say('codePatternHint')}
      </span>
    </form>
  );
}

function UploadForm({ id, onChanged }: FormProps) {
  const [part, setPart] = useState<number | null>(null);
  const [faults, setFaults] = useState<readonly Fault[]>([]);
  const running = useRef<AbortController | null>(null);
  const upload = async (form: HTMLFormElement) => {
    const file = new FormData(form).get('codes-file');
    if (!(file instanceof File) || file.size === 0) return announce(say('codesNoFile'));
    const { signal } = (running.current = new AbortController());
    setFaults([]);
    setPart(0);
    const result = await uploadAsOperator({ couponId: id, file, onProgress: setPart, signal });
    setPart(null);
    if (signal.aborted) return announce(say('codesCancelled'));
    if (result.kind === 'done') {
      form.reset();
      announce(say('codesImported', { codes: wholeNumber(result.value.codes ?? 0) }));
      onChanged();
    } else if (result.problem?.faults) setFaults(result.problem.faults);
    else announceFailure(result);
  };
  return (
    <form
      class="field"
      onSubmit={(event) => {
        event.preventDefault();
        void upload(event.currentTarget);
      }}
    >
      <label for="codes-file">{say('codesFile')}</label>
      <div class="row">
        <input
          id="codes-file"
          name="codes-file"
          type="file"
          accept=".csv,.txt,.json"
          required
          aria-describedby="codes-file-hint"
        />
        <button type="submit" disabled={part !== null}>
          {say('codesUpload')}
        </button>
        {part !== null && (
          <button type="button" onClick={() => running.current?.abort()}>
            {say('cancel')}
          </button>
        )}
      </div>
      <span id="codes-file-hint" class="hint">
        {say('codesFileHint')}
      </span>
      {part !== null && <Progress part={part} />}
      {faults.length > 0 && <Faults faults={faults} />}
    </form>
  );
}

/** When all was sent, the server is still checking the last lines. */
function Progress({ part }: { readonly part: number }) {
  return (
    <div role="status">
      <span class="hint number">{part < 1 ? say('codesSent', { part: percent(part) }) : say('codesChecking')}</span>
      <progress class="bar" value={part} max={1} aria-label={say('codesUpload')} />
    </div>
  );
}

function Faults({ faults }: { readonly faults: readonly Fault[] }) {
  return (
    <div class="notice bad" role="alert">
      <p>{say('codesFaulty')}</p>
      <ol class="entries">
        {faults.map(({ line, expected: english }) => {
          const expected = language.value === 'ko' ? koreanFault(english) : english;
          return (
            <li key={`${line} ${english}`}>
              {line === undefined ? expected : say('codesFaultAt', { line: wholeNumber(line), expected })}
            </li>
          );
        })}
      </ol>
    </div>
  );
}
