// open-api.ts -- The part of OpenAPI 3.0 that our document uses: its types, and whether a value is what a schema says.

export interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly nullable?: boolean;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly pattern?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
}

export interface Media {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}

export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: Schema;
}

export interface Operation {
  readonly method: string;
  readonly path: string;
  readonly security?: readonly object[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content: { readonly 'application/json': Media } };
  readonly responses: Readonly<Record<string, { readonly content?: Readonly<Record<string, Media>> }>>;
}

export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Omit<Operation, 'method' | 'path'>>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** All operations, each with its method in capitals and its path. */
export function operationsOf(document: OpenApi): Operation[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, path, method: method.toUpperCase() })),
  );
}

/** The schema itself, where it is only named. */
export function resolved(document: OpenApi, schema: Schema): Schema {
  const name = schema.$ref?.replace('#/components/schemas/', '');
  if (name === undefined) return schema;
  const found = document.components.schemas[name];
  if (!found) throw new Error(`the document has no schema ${name}`);
  return found;
}

/** Where and how a value is not what the schema says; empty when it is. */
export function faultsOf(document: OpenApi, named: Schema, value: unknown, at = ''): string[] {
  const schema = resolved(document, named);
  if (value === null) return schema.nullable ? [] : [`${at}: null`];
  if (schema.anyOf) {
    const fits = schema.anyOf.some((choice) => faultsOf(document, choice, value).length === 0);
    return fits ? [] : [`${at}: ${JSON.stringify(value)} is none of the choices`];
  }
  if (schema.enum && !schema.enum.includes(value))
    return [`${at}: ${JSON.stringify(value)} is none of ${schema.enum.join()}`];
  if (Array.isArray(value)) {
    if (schema.type !== 'array') return [`${at}: a list`];
    const { items = {} } = schema;
    return value.flatMap((item, i) => faultsOf(document, items, item, `${at}/${i}`));
  }
  if (typeof value === 'object') return faultsOfObject(document, schema, value, at);
  return isRight(schema, value) ? [] : [`${at}: ${JSON.stringify(value)}`];
}

function faultsOfObject(document: OpenApi, schema: Schema, value: object, at: string): string[] {
  if (schema.type !== 'object') return [`${at}: an object`];
  const { properties = {}, required = [], additionalProperties = true } = schema;
  const missing = required.filter((name) => !Object.hasOwn(value, name)).map((name) => `${at}/${name}: missing`);
  const members = Object.entries(value).flatMap(([name, member]) => {
    const known = properties[name];
    if (known) return faultsOf(document, known, member, `${at}/${name}`);
    return additionalProperties ? [] : [`${at}/${name}: not documented`];
  });
  return [...missing, ...members];
}

function isRight({ type, pattern, minLength, maxLength, minimum, maximum }: Schema, value: unknown): boolean {
  if (typeof value === 'number') {
    const whole = type === 'number' || (type === 'integer' && Number.isInteger(value));
    return whole && value >= (minimum ?? -Infinity) && value <= (maximum ?? Infinity);
  }
  if (typeof value === 'string') {
    const fits = pattern === undefined || new RegExp(pattern, 'u').test(value);
    return type === 'string' && fits && value.length >= (minLength ?? 0) && value.length <= (maxLength ?? Infinity);
  }
  return typeof value === type;
}
