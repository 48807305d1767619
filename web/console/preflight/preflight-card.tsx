// preflight-card.tsx -- Will the drop hold? Each check with its figures, and in a line what to do where it is not green.

import { useState } from 'preact/hooks';
import type { Preflight } from '../../../client/coupon-client.ts';
import { fill, language } from '../../shared/language.ts';
import { announceFailure } from '../say.ts';
import { asOperator, patientClient } from '../session.ts';
import { koreanDetail } from './korean-details.ts';
import { koreanAdvice, preflightTexts } from './preflight-texts.ts';

const textsNow = () => preflightTexts[language.value];

export function PreflightCard({ id }: { readonly id: number }) {
  const [found, setFound] = useState<Preflight | null>(null);
  const [busy, setBusy] = useState(false);
  const texts = textsNow();
  const run = async () => {
    setBusy(true);
    const result = await asOperator(() => patientClient.coupons.preflight(id));
    if (result.kind === 'done') setFound(result.value);
    else announceFailure(result);
    setBusy(false);
  };
  return (
    <section class="card audit" aria-labelledby="preflight">
      <div class="row spread">
        <div>
          <h2 id="preflight">{texts.title}</h2>
          <p class="hint">{texts.hint}</p>
        </div>
        <button type="button" onClick={() => void run()} disabled={busy}>
          {busy ? texts.running : texts.run}
        </button>
      </div>
      <div role="status">{found && <Verdict found={found} />}</div>
      {found && <Checks checks={found.checks} />}
    </section>
  );
}

const inMegabytes = (bytes: number) => Math.ceil(bytes / 1e6);

function Verdict({ found: { status, pieces, redisBytes, mysqlBytes } }: { readonly found: Preflight }) {
  const texts = textsNow();
  const needs =
    pieces === null || redisBytes === null || mysqlBytes === null
      ? ''
      : fill(texts.needs, { pieces, redis: inMegabytes(redisBytes), mysql: inMegabytes(mysqlBytes) });
  return (
    <p class={status === 'error' ? 'notice bad' : 'notice'}>
      {texts[status]} {needs}
    </p>
  );
}

function Checks({ checks }: Pick<Preflight, 'checks'>) {
  const texts = textsNow();
  return (
    <ul class="checks">
      {checks.map(({ name, status, code, detail, advice, server }) => (
        <li key={`${name} ${server}`} class={status}>
          <p>
            <strong>{texts[name]}</strong> {server !== null && <span class="hint number">{server}</span>}
          </p>
          <p class={status === 'error' ? 'fault' : 'hint'}>
            {status === 'ok' ? '' : language.value === 'ko' ? koreanAdvice[code] : advice}
          </p>
          <p class="hint number">{language.value === 'ko' ? koreanDetail(detail) : detail}</p>
        </li>
      ))}
    </ul>
  );
}
