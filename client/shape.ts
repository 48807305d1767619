// shape.ts -- What an answer must look like to be believed: said once, as a value, and its type follows. More members may be there.
//
// A proxy's friendly page with status 200 is no answer of ours; taken for one, it would tell somebody that they have a coupon.

type Kind = 'number' | 'string' | 'boolean' | 'number or null' | 'string or null' | readonly string[];

/** The members of a flat object, each with what it may be; a list names the texts it may be. */
export type Shape = Readonly<Record<string, Kind>>;

type ValueOf<K extends Kind> = K extends 'number'
  ? number
  : K extends 'string'
    ? string
    : K extends 'boolean'
      ? boolean
      : K extends 'number or null'
        ? number | null
        : K extends 'string or null'
          ? string | null
          : K extends readonly string[]
            ? K[number]
            : never;

/** The type of an object of this shape. */
export type Shaped<S extends Shape> = { readonly [Name in keyof S]: ValueOf<S[Name]> };

/** Whether `value` has every member of the shape, each as it must be. */
export function isShaped<const S extends Shape>(shape: S, value: unknown): value is Shaped<S> {
  return isRecord(value) && Object.entries(shape).every(([name, kind]) => isOfKind(kind, value[name]));
}

/** Makes the reader of an answer: the value itself, or null when it has another shape. */
export function readerOf<const S extends Shape>(shape: S): (value: unknown) => Shaped<S> | null {
  return (value) => (isShaped(shape, value) ? value : null);
}

/** A page: a list under `Name`, and the `after` of the next page, null on the last. */
export type PageOf<Name extends string, Item> = { readonly [N in Name]: readonly Item[] } & {
  readonly next: number | null;
};

/** Makes the reader of a page. */
export function pageReaderOf<const Name extends string, const S extends Shape>(
  name: Name,
  shape: S,
): (value: unknown) => PageOf<Name, Shaped<S>> | null {
  return listReaderOf(name, shape, { next: 'number or null' });
}

/** Makes the reader of a list that comes with members of its own beside it. */
export function listReaderOf<const Name extends string, const S extends Shape, const Beside extends Shape>(
  name: Name,
  shape: S,
  beside: Beside,
) {
  type Read = Shaped<Beside> & { readonly [N in Name]: readonly Shaped<S>[] };
  const isList = (value: unknown): value is Read =>
    isShaped(beside, value) && isListOf(shape, Object.entries(value), name);
  return (value: unknown): Read | null => (isList(value) ? value : null);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(shape: Shape, members: readonly (readonly [string, unknown])[], name: string): boolean {
  const list = members.find(([member]) => member === name)?.[1];
  return Array.isArray(list) && list.every((item) => isShaped(shape, item));
}

function isOfKind(kind: Kind, value: unknown): boolean {
  if (typeof kind !== 'string') return typeof value === 'string' && kind.includes(value);
  if (kind === 'number or null') return value === null || typeof value === 'number';
  if (kind === 'string or null') return value === null || typeof value === 'string';
  return typeof value === kind;
}
