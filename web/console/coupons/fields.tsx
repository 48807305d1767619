// fields.tsx -- Fields of a form: a label, an input, a hint and what is wrong; and instants in the reader's time zone.

import { useState } from 'preact/hooks';
import { timeZone } from '../../shared/time-zone.ts';
import { say } from '../say.ts';
import { instantsOf, isSame, offsetOf, toLocal } from './local-time.ts';

export interface FieldProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  /** What is wrong, in words. */
  readonly fault: string | undefined;
  readonly wide?: boolean;
  /** What somebody else has saved meanwhile, in words. */
  readonly theirs?: string | undefined;
  /** Further attributes of the input. */
  readonly children: Readonly<Record<string, unknown>>;
}

export function Field({ name, label, hint, fault, wide = false, theirs, children }: FieldProps) {
  return (
    <div class={wide ? 'field wide' : 'field'}>
      <label for={name}>{label}</label>
      <input
        id={name}
        name={name}
        aria-describedby={`${name}-hint ${name}-theirs ${name}-fault`}
        aria-invalid={fault !== undefined}
        {...children}
      />
      <span id={`${name}-hint`} class="hint">
        {hint}
      </span>
      <span id={`${name}-fault`} class="fault">
        {fault}
      </span>
      {theirs !== undefined && (
        <span id={`${name}-theirs`} class="theirs">
          {say('theirs', { value: theirs })}
        </span>
      )}
    </div>
  );
}

interface InstantFieldProps extends Pick<FieldProps, 'name' | 'label' | 'hint' | 'fault' | 'theirs'> {
  /** Null: none, and none is needed. */
  readonly iso: string | null;
  readonly isOptional?: boolean;
  readonly readOnly?: boolean;
}

/** An instant in local time. A time that does not exist cannot be sent, and of two with one name the reader chooses. */
export function InstantField({ iso, isOptional = false, readOnly = false, hint, ...field }: InstantFieldProps) {
  const given = iso === null ? '' : toLocal(iso);
  const [local, setLocal] = useState(given);
  const choices = iso !== null && isSame(local, iso) ? [] : instantsOf(local);
  const onInput = ({ currentTarget: input }: { readonly currentTarget: HTMLInputElement }) => {
    setLocal(input.value);
    input.setCustomValidity(input.value === '' || instantsOf(input.value).length > 0 ? '' : say('noSuchTime'));
  };
  const step = given.includes('.') ? 0.001 : 1;
  const zone = timeZone.value ?? Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <div>
      <Field {...field} hint={[say('zoneHint', { zone }), hint].filter(Boolean).join(' ')}>
        {{ type: 'datetime-local', step, required: !isOptional, readOnly, defaultValue: given, onInput }}
      </Field>
      {choices.length > 1 && (
        <label class="field">
          {say('whichTime')}
          <select name={`${field.name}-instant`} required aria-describedby={`${field.name}-fault`}>
            <option value="" />
            {choices.map((choice) => (
              <option key={choice} value={choice}>
                {offsetOf(choice)}
              </option>
            ))}
          </select>
        </label>
      )}
    </div>
  );
}
