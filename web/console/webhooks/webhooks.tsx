// webhooks.tsx -- Where events are sent to: the webhooks with their state, and a form for a new one, whose secret is shown once.

import { useState } from 'preact/hooks';
import type { CreatedWebhook, Webhook } from '../../../client/coupon-client.ts';
import { instant } from '../../shared/language.ts';
import { Loaded } from '../loaded.tsx';
import { addressOf } from '../place.ts';
import { announce, announceFailure, say } from '../say.ts';
import { asOperator } from '../session.ts';

export function Webhooks() {
  const [created, setCreated] = useState<CreatedWebhook | null>(null);
  return (
    <>
      <h1 tabIndex={-1}>{say('webhooks')}</h1>
      <p class="hint wide-text">{say('webhooksHint')}</p>
      {created && <Secret webhook={created} />}
      <Loaded name={`webhooks ${created?.id ?? 0}`} read={(client) => client.webhooks.list()}>
        {({ value: { webhooks } }) =>
          webhooks.length === 0 ? (
            <p class="card hint">{say('noWebhooks')}</p>
          ) : (
            <ul class="letters" aria-label={say('webhooks')}>
              {webhooks.map((webhook) => (
                <li key={webhook.id} class="card letter">
                  <h2 class="address">{webhook.url}</h2>
                  <WebhookState webhook={webhook} />
                  <p class="hint">{webhook.kinds.map((kind) => say(kind)).join(', ')}</p>
                  <p>
                    <a
                      href={addressOf({ kind: 'webhook', id: webhook.id })}
                      aria-label={`${say('webhookShow')}: ${webhook.url}`}
                    >
                      {say('webhookShow')}
                    </a>
                  </p>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
      <NewWebhook onCreated={setCreated} />
    </>
  );
}

const stateTexts = {
  active: 'webhookActive',
  paused: 'paused',
  failed: 'webhookFailed',
  gone: 'webhookGone',
} as const;

/** The state in words, and what the last request failed with. */
export function WebhookState({ webhook }: { readonly webhook: Webhook }) {
  const { state, dateFailingSince, dateNextTry, lastError } = webhook;
  return (
    <div>
      <p class={state === 'active' ? 'status on' : 'status'}>{say(stateTexts[state])}</p>
      {dateFailingSince !== null && (
        <p>
          {say('webhookFailing', { since: instant(dateFailingSince), error: lastError ?? '–' })}{' '}
          {state === 'active' && dateNextTry !== null && say('webhookNextTry', { at: instant(dateNextTry) })}
        </p>
      )}
    </div>
  );
}

function Secret({ webhook: { secret } }: { readonly webhook: CreatedWebhook }) {
  return (
    <div class="notice" role="status">
      <p>{say('webhookSecret')}</p>
      <p class="address">
        <code>{secret}</code>
      </p>
    </div>
  );
}

const kinds = [
  'issue.created',
  'issue.used',
  'issue.use_undone',
  'issue.revoked',
  'coupon.sold_out',
  'coupon.ended',
] as const satisfies readonly Webhook['kinds'][number][];

function NewWebhook({ onCreated }: { onCreated(webhook: CreatedWebhook): void }) {
  const [fault, setFault] = useState('');
  const [isBusy, setBusy] = useState(false);
  const create = async (form: HTMLFormElement) => {
    if (isBusy) return;
    setBusy(true);
    const data = new FormData(form);
    const given = data.get('url');
    const url = typeof given === 'string' ? given.trim() : '';
    const wanted = kinds.filter((kind) => data.has(kind));
    const result = await asOperator((client) => client.webhooks.create({ url, kinds: wanted }));
    setBusy(false);
    setFault('');
    if (result.kind === 'done') {
      form.reset();
      announce(say('webhookCreated'));
      return onCreated(result.value);
    }
    const [expected] = result.problem?.faults ?? [];
    if (expected) setFault(say('faultExpected', { expected: expected.expected }));
    else announceFailure(result);
  };
  return (
    <form
      class="card form"
      aria-labelledby="new-webhook"
      onSubmit={(event) => {
        event.preventDefault();
        void create(event.currentTarget);
      }}
    >
      <h2 id="new-webhook">{say('newWebhook')}</h2>
      <div class="field wide">
        <label for="url">{say('webhookUrl')}</label>
        <input
          id="url"
          name="url"
          type="url"
          required
          maxLength={2048}
          autocomplete="off"
          spellcheck={false}
          aria-describedby="url-hint url-fault"
          aria-invalid={fault !== ''}
        />
        <span id="url-hint" class="hint">
          {say('webhookUrlHint')}
        </span>
        <span id="url-fault" class="fault" role="alert">
          {fault}
        </span>
      </div>
      <fieldset class="row">
        <legend>{say('webhookKinds')}</legend>
        {kinds.map((kind) => (
          <label key={kind} class="check">
            <input type="checkbox" name={kind} defaultChecked={kind === 'issue.created'} /> {say(kind)}
          </label>
        ))}
      </fieldset>
      <div class="row">
        <button type="submit" class="primary">
          {say(isBusy ? 'saving' : 'webhookCreate')}
        </button>
      </div>
    </form>
  );
}
