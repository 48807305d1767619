// text.ts -- Text that people write, such as titles and names: counted as MySQL counts it, and readable.

/** Control characters, line ends, what turns the direction of writing, and halves of surrogate pairs, which have no UTF-8. */
const unreadable = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/u;
/** Neither space nor invisible. U+2800 is a braille cell without a dot. */
const visible = /[^\s\p{Cf}\p{Default_Ignorable_Code_Point}\u2800]/u;

/** Whether `text` has something to see, nothing that must not be in a line, and at most so many code points. */
export function isReadable(text: string, lengthMax: number): boolean {
  return (
    visible.test(text) && !unreadable.test(text) && (text.length <= lengthMax || Array.from(text).length <= lengthMax)
  );
}
