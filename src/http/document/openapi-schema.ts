// openapi-schema.ts -- Schemas as OpenAPI 3.0 understands them, so that nothing has to be said twice.
//
// OpenAPI 3.0 is not JSON Schema: it knows no `const` and no type `null`.

import type { TSchema } from '@sinclair/typebox';

type Schema = Record<string, unknown>;

/** The members of a schema that the two languages say differently. */
interface SchemaParts extends Schema {
  readonly $id?: string;
  /** `maxLength` as JSON Schema counts it. TypeBox, which knows no such member, would count UTF-16 units. */
  readonly codePointsMax?: number;
  readonly anyOf?: readonly TSchema[];
  readonly items?: TSchema;
  readonly properties?: Readonly<Record<string, TSchema>>;
}

/** The largest integer that generated clients hold in 32 bits. */
const INT32_MAX = 2 ** 31 - 1;

/**
 * A TypeBox schema as OpenAPI 3.0.3 understands it, and as generators of clients do: no `anyOf`, since a union of types becomes an
 * empty class in some languages. Of text and number, which a user id may be, the text is documented.
 */
export function toOpenApi(schema: TSchema): Schema {
  const { $id: _, const: literal, codePointsMax, anyOf, items, properties, ...rest }: SchemaParts = schema;
  const translated: Schema = { ...rest };
  if (codePointsMax !== undefined) translated.maxLength = codePointsMax;
  if (literal !== undefined) translated.enum = [literal];
  if (items) translated.items = partOf(items);
  if (properties) {
    translated.properties = Object.fromEntries(
      Object.entries(properties).map(([name, member]) => [name, partOf(member)]),
    );
  }
  if (rest.type === 'integer' && Number(rest.maximum ?? Number.POSITIVE_INFINITY) > INT32_MAX)
    translated.format = 'int64';
  if (!anyOf) return translated;
  const choices = anyOf.filter((choice) => choice.type !== 'null').map(toOpenApi);
  const nullable = choices.length < anyOf.length ? { nullable: true } : {};
  const literals = choices.flatMap((choice): readonly unknown[] => (Array.isArray(choice.enum) ? choice.enum : []));
  if (literals.length === choices.length) return { type: 'string', enum: literals, ...nullable, ...translated };
  return { ...choices[0], ...nullable, ...translated };
}

/** A part of a schema: by its name where it has one. */
function partOf(schema: TSchema): Schema {
  return schema.$id === undefined ? toOpenApi(schema) : reference(schema);
}

/** Adds the schema and what it is made of, where they have a name. */
export function collectNamed(schema: TSchema, named: Map<string, TSchema>): void {
  const { $id, anyOf = [], items, properties = {} }: SchemaParts = schema;
  if ($id !== undefined) named.set($id, schema);
  for (const part of [...anyOf, ...(items ? [items] : []), ...Object.values(properties)]) collectNamed(part, named);
}

/** Refers to a schema by its name. */
export function reference({ $id }: TSchema): { $ref: string } {
  if ($id === undefined) throw new Error('a body or an answer has a schema without a name');
  return { $ref: `#/components/schemas/${$id}` };
}
