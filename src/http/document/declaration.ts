// declaration.ts -- What a route declares: its parameters, access, answers and problems.

import type { TObject, TSchema } from '@sinclair/typebox';
import type { DocumentDecoration } from 'elysia';
import type { CodeSample } from './code-samples.ts';
import type { ProblemCode } from './problems.ts';
import type { tags, securitySchemes } from './tags.ts';

export type Detail = NonNullable<DocumentDecoration>;
export type Responses = NonNullable<Detail['responses']>;

/** A route but for its method, path and handler: what it takes and what it answers. See `route.ts`, which also checks by it. */
export interface Declaration {
  /** Names the method in generated clients: a verb and its object. */
  readonly operationId: string;
  readonly tag: keyof typeof tags;
  readonly summary: string;
  readonly description: string;
  /** Who may call it; left out: everybody. */
  readonly access?: Access;
  readonly params?: Parameters;
  readonly query?: Parameters;
  readonly headers?: Parameters;
  /** JSON, a named schema. */
  readonly body?: {
    readonly schema: TObject;
    readonly bytesMax: number;
    /** A request without a body is one without members. */
    readonly isOptional?: true;
    readonly examples: Readonly<Record<string, { summary: string; value: unknown }>>;
  };
  /** Or a body of one of several types, which the handler reads itself; by type. */
  readonly upload?: Readonly<Record<string, UploadBody>>;
  /** By status; the first is the one that a handler means when it names none. */
  readonly answers: Readonly<Record<number, Answer>>;
  /** How programs call it. */
  readonly samples?: readonly CodeSample[];
  /** What its handler reports. Those of access, parameters and body are known. */
  readonly problems?: readonly ProblemCode[];
}

interface UploadBody {
  /** Named, or text. */
  readonly schema: TSchema;
  readonly examples: Readonly<Record<string, { summary: string; value: unknown }>>;
}

/** Who may call a route, and how they show it. */
export interface Access {
  readonly callers: readonly (keyof typeof securitySchemes)[];
  /** Returns null, or the answer that refuses. `params` as the path has them; null where it cannot be decoded. */
  refuse(request: Request, params: RawParameters): Response | null | Promise<Response | null>;
}

/** Parameters as they were sent. */
export type RawParameters = Readonly<Record<string, string | null>>;

/** Parameters of one place, by name. */
export type Parameters = Readonly<Record<string, Parameter>>;

export interface Parameter {
  /** Text, or an integer in decimal digits. */
  readonly schema: TSchema;
  /** Left out where no one value fits every call, such as a key that must be new each time. */
  readonly example?: unknown;
  /** Reads what no schema can say; null: nothing was sent. Returns undefined for what is no such value. */
  readonly read?: (text: string | null) => unknown;
}

/** An answer that is no problem: JSON with a named schema, or text. */
export interface Answer {
  readonly description: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  /** Without one the answer is text. */
  readonly schema?: TSchema;
  /** Left out where the answer has no body. */
  readonly example?: unknown;
  /** Texts that a caller may ask for instead by `Accept`: an example by media type. */
  readonly others?: Readonly<Record<string, string>>;
}
