// setting-types.ts -- How a setting is declared: numbers with bounds, texts with patterns, flags; and what it may be, in words.

import { type TSchema, Type } from '@sinclair/typebox';

export const integer = (description: string, [fallback, minimum, maximum]: readonly [number, number, number]) =>
  Type.Integer({ default: fallback, minimum, maximum, description });

interface StringOptions {
  readonly default?: string;
  /** What documents say instead of a default that depends on the machine. */
  readonly defaultName?: string;
  readonly pattern?: string;
  readonly minLength?: number;
}

export const string = (description: string, options: StringOptions = {}) => Type.String({ description, ...options });

export const optional = (description: string, options?: StringOptions) => Type.Optional(string(description, options));

export const flag = (description: string, fallback: 'on' | 'off' = 'off') =>
  Type.Union([Type.Literal('on'), Type.Literal('off')], { default: fallback, description });

/** Algorithms that a token may be signed with. `none` is not among them. */
export const ALGORITHM = '(HS|RS|PS|ES)(256|384|512)|EdDSA';
/** Secrets and keys go over TLS, or stay on this machine. */
export const HTTPS_OR_LOCAL = '^(https://.+|http://(localhost|127[.]0[.]0[.]1|\\[::1\\])[:/].+)';
/** What a browser loads, and what it goes to. No character that ends an attribute or a directive of a policy. */
export const LINK = '^https?://[A-Za-z0-9.:_\\[\\]-]+(/[^\\s"\'<>;,]*)?$';
export const IMAGE = '^(https://|http://(localhost|127[.]0[.]0[.]1)[:/])[^\\s"\'<>;,]+$';
export const ORIGIN = 'https?://[A-Za-z0-9.:_-]+';

/** What a setting may be, in words. */
export function allowedValues(schema: TSchema): string {
  if (schema.type === 'integer') return `integer ${schema.minimum}-${schema.maximum}`;
  const choices = schema.anyOf as readonly TSchema[] | undefined;
  if (choices) return `one of ${choices.map((choice) => String(choice.const)).join(', ')}`;
  if (schema.pattern) return `string matching ${schema.pattern}`;
  const lengthMin: unknown = schema.minLength ?? 1;
  return lengthMin === 1 ? 'non-empty string' : `string of at least ${String(lengthMin)} characters`;
}
